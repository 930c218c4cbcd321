package op_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gorgonia.org/tensor"
)

// step of the central differences. With four points their error is of order
// step⁴, so it can be this long and rounding stays small; kinkless operands
// are 0.1 away from their kinks.
const step = 1e-3

// checkGradient compares each operand's gradient of Σ output·weight with
// central differences and returns the largest difference for the table.
func checkGradient(t *testing.T, r row, values []array) string {
	t.Helper()
	forward := newMachine(t, r, tensor.Float64, values)
	weight := outputWeight(forward.forward(t).shape)
	d := newGradients(t, r, tensor.Float64, values, weight)
	for _, g := range d.of {
		if g != nil {
			d.keep(g)
		}
	}
	if len(d.read) == 0 {
		return "-"
	}
	d.compile(t)
	d.run(t)
	worst := 0.0
	for i, g := range d.of {
		if g == nil {
			continue
		}
		got := toArray(t, *d.read[g])
		if fmt.Sprint(got.shape) != fmt.Sprint(values[i].shape) {
			t.Fatalf("gradient of operand %d has shape %v, the operand %v", i, got.shape, values[i].shape)
		}
		error := forward.compareWithDifferences(t, i, got, weight, probes(r, len(got.data)))
		if !(error <= gradientTolerance) {
			t.Errorf("gradient of operand %d is %.2e away from central differences, want at most %.0e", i, error, gradientTolerance)
		}
		worst = math.Max(worst, error)
	}
	return fmt.Sprintf("%.1e", worst)
}

// probes are the places at which a gradient is checked: all, or some of many.
func probes(r row, size int) []int {
	limit := 200
	if r.large {
		limit = 3
	}
	return rand.New(rand.NewPCG(5, 6)).Perm(size)[:min(size, limit)]
}

// compareWithDifferences returns the largest difference from the gradient by
// one operand, divided by the largest element.
func (m *machine) compareWithDifferences(t *testing.T, operand int, got, weight array, places []int) float64 {
	t.Helper()
	x := m.in[operand].Value().Data().([]float64)
	worst, largest := 0.0, 0.0
	for _, p := range places {
		at := func(offset float64) float64 {
			kept := x[p]
			x[p] += offset
			defer func() { x[p] = kept }()
			sum := 0.0
			for i, y := range m.forward(t).data {
				sum += y * weight.data[i]
			}
			return sum
		}
		want := (8*(at(step)-at(-step)) - (at(2*step) - at(-2*step))) / (12 * step)
		worst = math.Max(worst, math.Abs(got.data[p]-want))
		largest = math.Max(largest, math.Abs(want))
	}
	if largest == 0 {
		return worst
	}
	return worst / largest
}
