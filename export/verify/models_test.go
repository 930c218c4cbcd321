package verify

import (
	"strings"
	"testing"

	"gorgonia.org/tensor"
)

// Outputs of other models: without axes, of whole numbers, of another rank.
func TestOutputsOfAnyShape(t *testing.T) {
	of := func(backing any, shape ...int) *tensor.Dense {
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(backing))
	}
	for _, c := range []struct {
		name string
		a, b *tensor.Dense
		want float64
		err  string
	}{
		{"no axes", tensor.New(tensor.FromScalar(float32(1.5))), tensor.New(tensor.FromScalar(float32(2))), 0.25, ""},
		{"whole numbers", of([]int32{1, -4}, 2), of([]int32{1, -2}, 2), 1, ""},
		{"flat", of(make([]float32, 4), 1, 1, 2, 2), of(make([]float32, 4), 1, 4), 0, "has shape (1, 1, 2, 2), want (1, 4)"},
		{"flat the other way", of(make([]float32, 4), 1, 4), of(make([]float32, 4), 1, 1, 2, 2), 0, "has shape (1, 4), want (1, 1, 2, 2)"},
		{"truths", of([]bool{true}, 1), of([]bool{true}, 1), 0, "holds bool: want numbers"},
	} {
		got, err := compareOutputs(c.a, c.b, [2]float64{}, [2]float64{})
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: error %v, want %q", c.name, err, c.err)
			}
		} else if err != nil || got.Max != c.want || got.Batch < 1 {
			t.Errorf("%s: %+v, error %v, want a largest difference of %g", c.name, got, err, c.want)
		}
	}
}
