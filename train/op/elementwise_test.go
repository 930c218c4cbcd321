package op_test

import (
	"fmt"
	"math"

	"gorgonia.org/gorgonia"

	"github.com/gantrain/gantrain/train/op"
)

func elementwiseRows() []row {
	type unary = func(x *gorgonia.Node) (*gorgonia.Node, error)
	leaky := func(slope float64) unary {
		return func(x *gorgonia.Node) (*gorgonia.Node, error) { return op.LeakyReLU(x, slope) }
	}
	naiveLeaky := func(slope float64) func(float64) float64 {
		return func(v float64) float64 {
			if v > 0 {
				return v
			}
			return slope * v
		}
	}
	var rows []row
	for _, f := range []struct {
		name  string
		build unary
		naive func(v float64) float64
	}{
		{"ReLU", op.ReLU, naiveLeaky(0)},
		{"LeakyReLU 0.2", leaky(0.2), naiveLeaky(0.2)},
		{"LeakyReLU 0.3", leaky(0.3), naiveLeaky(0.3)},
		{"LeakyReLU 0", leaky(0), naiveLeaky(0)},
		{"Tanh", op.Tanh, math.Tanh},
		{"Sigmoid", op.Sigmoid, func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }},
		{"Probability", op.Probability, func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }},
	} {
		for _, s := range elementwiseShapes {
			rows = append(rows, row{
				name: f.name + " " + s.variant, operands: []operand{{shape: s.shape, draw: kinkless}}, terms: 1,
				large: s.large,
				build: func(x []*gorgonia.Node) (*gorgonia.Node, error) { return f.build(x[0]) },
				naive: func(x []array) array { return x[0].mapped(func(i int) float64 { return f.naive(x[0].data[i]) }) },
			})
		}
	}
	for _, rate := range []float64{0, 0.3} {
		for _, s := range elementwiseShapes {
			rows = append(rows, row{
				name: fmt.Sprintf("Dropout %v %s", rate, s.variant), operands: []operand{in(s.shape...), mask(s.shape...)}, terms: 1,
				large: s.large,
				build: func(x []*gorgonia.Node) (*gorgonia.Node, error) { return op.Dropout(x[0], x[1], rate) },
				naive: func(x []array) array {
					return x[0].mapped(func(i int) float64 { return x[0].data[i] * x[1].data[i] / (1 - rate) })
				},
			})
		}
	}
	return rows
}

// elementwiseShapes are those at which an elementwise operator is checked.
var elementwiseShapes = []struct {
	variant string
	shape   []int
	large   bool
}{
	{"[N]", []int{5}, false},
	{"[N,I]", []int{3, 4}, false},
	{"[N,C,H,W]", []int{2, 3, 3, 2}, false},
	{"one value", []int{1, 1}, false},
	{"on all cores", []int{7, 12001}, true},
}
