package nn_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/nn"
)

// used draws parameters as a network has them that was trained for a while: no
// bias, shift or statistic is at its start.
func used(t testing.TB, role arch.Role, net arch.Network) map[string]*tensor.Dense {
	t.Helper()
	values, err := nn.Init(role, net, 7, 1)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(8, 9))
	for _, name := range sortedNames(values) {
		data := values[name].Data().([]float32)
		for i := range data {
			switch name[strings.LastIndex(name, "/")+1:] {
			case "bias", "beta", "mean":
				data[i] = float32(0.3 * r.NormFloat64())
			case "gamma", "variance":
				data[i] = float32(0.5 + 1.5*r.Float64())
			}
		}
	}
	return values
}

func sortedNames(values map[string]*tensor.Dense) []string {
	var names []string
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// double gives the values as float64.
func double(values map[string]*tensor.Dense) (dense map[string]*tensor.Dense, plain map[string][]float64) {
	dense, plain = map[string]*tensor.Dense{}, map[string][]float64{}
	for name, v := range values {
		data := make([]float64, v.Size())
		for i, x := range v.Data().([]float32) {
			data[i] = float64(x)
		}
		plain[name] = data
		dense[name] = tensor.New(tensor.WithShape(v.Shape()...), tensor.WithBacking(slices.Clone(data)))
	}
	return dense, plain
}

// batch draws n inputs for a network.
func batch(n int, shape arch.Shape) (*tensor.Dense, [][]float64) {
	r := rand.New(rand.NewPCG(uint64(n), 3))
	rows := make([][]float64, n)
	var all []float64
	for i := range rows {
		rows[i] = make([]float64, shape.Size())
		for j := range rows[i] {
			rows[i][j] = r.NormFloat64()
		}
		all = append(all, rows[i]...)
	}
	return tensor.New(tensor.WithShape(append([]int{n}, shape...)...), tensor.WithBacking(all)), rows
}

// labelsOf gives n examples labels of the small classes, nil where the network
// takes none.
func labelsOf(n int, net arch.Network) []int64 {
	if !net.Conditional() {
		return nil
	}
	labels := make([]int64, n)
	for i := range labels {
		labels[i] = int64((3*i + n) % classes)
	}
	return labels
}

// departure is the largest |got - want| divided by the larger of 1 and the
// largest |want|.
func departure(t testing.TB, got []float64, want ...[]float64) float64 {
	t.Helper()
	flat := slices.Concat(want...)
	if len(got) != len(flat) {
		t.Fatalf("%d values, want %d", len(got), len(flat))
	}
	worst, largest := 0.0, 1.0
	for i := range flat {
		d := math.Abs(got[i] - flat[i])
		if math.IsNaN(d) {
			return d
		}
		worst, largest = math.Max(worst, d), math.Max(largest, math.Abs(flat[i]))
	}
	return worst / largest
}
