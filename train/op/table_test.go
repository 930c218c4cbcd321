package op_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// row is an operator in one variant. TestOperators runs every check on every
// row.
type row struct {
	name     string // the operator, then the variant
	operands []operand
	build    build
	naive    func(x []array) array // the formula as plain loops
	terms    int                   // in the longest of its sums
	large    bool                  // left out by -short, and probed at few places
}

type build = func(x []*gorgonia.Node) (*gorgonia.Node, error)

// operand says how an operand of an operator is drawn.
type operand struct {
	shape []int // empty: a scalar
	draw  func(r *rand.Rand) float64
	fixed bool         // has no gradient
	of    tensor.Dtype // of whole numbers; the zero value is the row's float type
}

// Tolerances are for max|a-b| / max(1, max|b|).
const (
	forwardTolerance  = 1e-12 // float64, sums of up to 10,976 terms of size 1
	gradientTolerance = 1e-6  // as promised; the differences themselves are good to about 1e-10
	onnxTolerance     = 1e-5  // as promised; both sides in float32
)

// float32Tolerance: 24 bits, some operations on each term, and the rounding
// errors of a sum are a random walk.
func (r row) float32Tolerance() float64 {
	return (16 + 4*math.Sqrt(float64(r.terms))) / (1 << 24)
}

func allRows() []row {
	return slices.Concat(denseRows(), convRows(), batchNormRows(), elementwiseRows(), shapeRows(), embeddingRows(), lossRows(), adamRows())
}

func TestOperators(t *testing.T) {
	var report strings.Builder
	table := tabwriter.NewWriter(&report, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "operator\tforward\tgradient\tfloat32\tONNX Runtime")
	perOperator := map[string]float64{}
	for _, r := range allRows() {
		if r.large && testing.Short() {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			values := r.draw()
			forward := checkForward(t, r, values)
			gradient := checkGradient(t, r, values)
			narrow := checkFloat32(t, r, values)
			checkRepeatable(t, r, values)
			onnx := checkONNX(t, r, values, perOperator)
			fmt.Fprintf(table, "%s\t%.1e\t%s\t%.1e\t%.1e\n", r.name, forward, gradient, narrow, onnx)
		})
	}
	table.Flush()
	t.Logf("Largest differences, max|a-b| / max(1, max|b|)\n"+
		"forward: float64 against a naive loop; gradient: float64 against central differences, divided by the\n"+
		"largest one alone; float32: against float64; ONNX Runtime: each operator of the forward and the\n"+
		"backward pass against Gorgonia's tape machine, both in float32\n\n%s", report.String())
	t.Logf("ONNX Runtime against the tape machine, by operator\n\n%s", listDifferences(perOperator))
}

func listDifferences(worst map[string]float64) string {
	var report strings.Builder
	table := tabwriter.NewWriter(&report, 0, 0, 2, ' ', 0)
	names := make([]string, 0, len(worst))
	for name := range worst {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(table, "%s\t%.1e\n", name, worst[name])
	}
	table.Flush()
	return report.String()
}

// draw returns values for the operands, the same at each call. All of them are
// representable in float32.
func (r row) draw() []array {
	random := rand.New(rand.NewPCG(1, 2))
	values := make([]array, len(r.operands))
	for i, o := range r.operands {
		values[i] = newArray(o.shape...)
		for j := range values[i].data {
			values[i].data[j] = float64(float32(o.draw(random)))
		}
	}
	return values
}

func normal(r *rand.Rand) float64      { return r.NormFloat64() }
func positive(r *rand.Rand) float64    { return 0.5 + 1.5*r.Float64() }
func probability(r *rand.Rand) float64 { return 0.02 + 0.96*r.Float64() }
func bit(r *rand.Rand) float64         { return float64(r.IntN(2)) }

// kinkless stays away from 0, where rectifiers have no derivative.
func kinkless(r *rand.Rand) float64 {
	return (0.1 + r.Float64()) * (1 - 2*bit(r))
}

func in(shape ...int) operand         { return operand{shape: shape, draw: normal} }
func inPositive(shape ...int) operand { return operand{shape: shape, draw: positive} }

// constant marks an operand as one without a gradient.
func constant(o operand) operand {
	o.fixed = true
	return o
}

func mask(shape ...int) operand {
	return operand{shape: shape, draw: bit, fixed: true, of: tensor.Uint8}
}

// labels are n of the given classes.
func labels(n, classes int) operand {
	class := func(r *rand.Rand) float64 { return float64(r.IntN(classes)) }
	return operand{shape: []int{n, 1}, draw: class, fixed: true, of: tensor.Int64}
}

func checkForward(t *testing.T, r row, values []array) float64 {
	t.Helper()
	want := r.naive(values)
	got := newMachine(t, r, tensor.Float64, values).forward(t)
	if !slices.Equal(got.shape, want.shape) {
		t.Fatalf("output has shape %v, want %v", got.shape, want.shape)
	}
	d := difference(got.data, want.data)
	if !(d <= forwardTolerance) {
		t.Errorf("forward differs from the naive loop by %.2e, want at most %.0e", d, forwardTolerance)
	}
	return d
}

func checkFloat32(t *testing.T, r row, values []array) float64 {
	t.Helper()
	wide := newMachine(t, r, tensor.Float64, values).forward(t)
	narrow := newMachine(t, r, tensor.Float32, values).forward(t)
	d := difference(narrow.data, wide.data)
	if limit := r.float32Tolerance(); !(d <= limit) {
		t.Errorf("float32 differs from float64 by %.2e, want at most %.1e", d, limit)
	}
	return d
}

// difference is max|a-b| / max(1, max|b|).
func difference(a, b []float64) float64 {
	worst, largest := 0.0, 1.0
	for i := range b {
		worst = math.Max(worst, math.Abs(a[i]-b[i])) // math.Max keeps NaN
		largest = math.Max(largest, math.Abs(b[i]))
	}
	return worst / largest
}
