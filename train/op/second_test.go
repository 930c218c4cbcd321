package op_test

import (
	"testing"

	"gorgonia.org/gorgonia"

	"github.com/gantrain/gantrain/train/op"
)

// TestClosedUnderDifferentiation: the gradients of these operators are
// operators that have gradients themselves. The values of those are checked
// where each stands in the table by itself.
func TestClosedUnderDifferentiation(t *testing.T) {
	square := geometry(3, 3, 2, 2, 1, 1, 1, 1)
	for name, build := range map[string]variant{
		"Conv2D": must(func(g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
			return op.Conv2D(leaf(g, 2, 3, 7, 7), leaf(g, 4, 3, 3, 3), nil, square)
		}),
		"ConvTranspose2D": must(func(g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
			return op.ConvTranspose2D(leaf(g, 2, 4, 4, 4), leaf(g, 4, 3, 3, 3), nil, square, 7, 7)
		}),
		"ConvWeight": must(func(g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
			return op.ConvWeight(leaf(g, 2, 3, 7, 7), leaf(g, 2, 4, 4, 4), square)
		}),
		"Dense": must(func(g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
			return op.Dense(leaf(g, 2, 3), leaf(g, 3, 4), nil)
		}),
		"MatMul": must(func(g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
			return op.MatMul(leaf(g, 2, 3), leaf(g, 3, 4), false, false)
		}),
	} {
		for operand := range 2 {
			n := gradientBy(operand, []variant{build})[0](gorgonia.NewGraph())
			o, ok := n.Op().(gorgonia.SDOp)
			if !ok {
				t.Errorf("%s: the gradient by operand %d, %v, has no gradient", name, operand, n.Op())
				continue
			}
			for i, differentiable := range o.DiffWRT(o.Arity()) {
				if !differentiable {
					t.Errorf("%s: the gradient by operand %d, %v, has no gradient by its operand %d", name, operand, n.Op(), i)
				}
			}
		}
	}
}

// TestSecondDerivative differentiates a gradient through one graph: y is
// linear in x, so its gradient g depends on w and dy alone, and the gradient
// of Σ g·weight by them is that of a transposed convolution.
func TestSecondDerivative(t *testing.T) {
	g := geometry(3, 2, 2, 1, 1, 0, 0, 1)
	const height, width = 6, 4
	places := [2]int{naivePlaces(height+1, 3, 2), naivePlaces(width+1, 2, 1)}
	r := row{
		name:     "gradient of Conv2D by x",
		operands: []operand{in(2, 3, places[0], places[1]), in(3, 2, 3, 2)},
		naive:    func(x []array) array { return naiveConvTranspose(x, g, height, width) },
		build: func(x []*gorgonia.Node) (*gorgonia.Node, error) {
			picture := leaf(x[0].Graph(), 2, 2, height, width)
			y, err := op.Conv2D(picture, x[1], nil, g)
			if err != nil {
				return nil, err
			}
			grads, err := y.Op().(gorgonia.SDOp).SymDiff(operandsOf(y), y, x[0])
			if err != nil {
				return nil, err
			}
			return grads[0], nil
		},
	}
	values := r.draw()
	checkForward(t, r, values)
	checkGradient(t, r, values)
}
