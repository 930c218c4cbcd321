package export_test

import (
	"fmt"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/train/op"
)

// part is a constant that has the size of the batch in one of its axes.
func (g *graph) part(shape ...int) *gorgonia.Node {
	return g.weight(fmt.Sprintf("w%d", len(g.builder.graph.AllNodes())), shape...)
}

// grown repeats a row as often as x has examples.
func (g *graph) grown(x *gorgonia.Node) *gorgonia.Node {
	y, _, err := gorgonia.Broadcast(g.part(1, 3), x, gorgonia.NewBroadcastPattern([]byte{0}, nil))
	return g.do(y, err)
}

const (
	oneSize = "only holds for one batch size"
	open    = "leaves it open which axis"
)

// batches are graphs in which the batch is not simply the first axis of all. Each
// runs at any batch size, or is refused by these words: when built for a single
// example, when built for more.
var batches = []struct {
	name        string
	single, any string
	build       func(g *graph, n int) *gorgonia.Node
}{
	{"split behind the batch", open, "", func(g *graph, n int) *gorgonia.Node {
		x := g.do(gorgonia.Transpose(g.in("x", n, 1, 4), 1, 0, 2))
		return g.do(gorgonia.Reshape(x, tensor.Shape{1, n, 2, 2}))
	}},
	{"an axis before the batch", open, "", func(g *graph, n int) *gorgonia.Node {
		return g.do(gorgonia.Reshape(g.in("x", n, 4), tensor.Shape{1, n, 4}))
	}},
	{"flattened", "", "", func(g *graph, n int) *gorgonia.Node {
		return g.do(gorgonia.Reshape(g.in("x", n, 2, 4), tensor.Shape{n, 8}))
	}},
	{"rows of examples", "", "", func(g *graph, n int) *gorgonia.Node {
		return g.do(gorgonia.Reshape(g.in("x", n, 4), tensor.Shape{2 * n, 2}))
	}},
	{"two rows for each example", "", "", func(g *graph, n int) *gorgonia.Node {
		x := g.in("x", n, 3)
		return g.do(gorgonia.Add(g.grown(x), g.grown(x)))
	}},
	{"softmax of a column", "", "", func(g *graph, n int) *gorgonia.Node { return g.do(gorgonia.SoftMax(g.in("x", n, 1))) }},
	{"softmax of a row", "", "", func(g *graph, n int) *gorgonia.Node {
		return g.do(gorgonia.SoftMax(g.do(gorgonia.Transpose(g.in("x", n, 1)))))
	}},
	{"softmax, the batch last", "chooses its axis", "chooses its axis", func(g *graph, n int) *gorgonia.Node {
		return g.do(gorgonia.SoftMax(g.do(gorgonia.Transpose(g.in("x", n, 3)))))
	}},
	{"softmax over the batch", "", "", func(g *graph, n int) *gorgonia.Node { return g.do(gorgonia.SoftMax(g.in("x", n, 3), 0)) }},
	{"a column of a constant", "", "", func(g *graph, n int) *gorgonia.Node {
		return g.do(gorgonia.Mul(g.in("x", n, 3), g.part(3, 1)))
	}},
	{"product over the batch", oneSize, oneSize, func(g *graph, n int) *gorgonia.Node {
		return g.do(gorgonia.Mul(g.do(gorgonia.Transpose(g.in("x", n, 3))), g.part(n, 2)))
	}},
	{"a matrix for each example", oneSize, oneSize, func(g *graph, n int) *gorgonia.Node {
		return g.do(gorgonia.BatchedMatMul(g.in("x", n, 2, 3), g.part(n, 3, 2)))
	}},
	{"divided by the number of examples", "", "", func(g *graph, n int) *gorgonia.Node {
		x := g.in("x", n, 3)
		return g.do(gorgonia.HadamardDiv(x, g.do(gorgonia.SizeOf(0, x))))
	}},

	// Our own operators, whose rule is what their InferShape says.
	{"own tanh, the batch last", "", "", func(g *graph, n int) *gorgonia.Node {
		return g.do(op.Tanh(g.do(gorgonia.Transpose(g.in("x", n, 3)))))
	}},
	{"own product, the batch last", "", "", func(g *graph, n int) *gorgonia.Node {
		return g.do(op.MatMul(g.part(4, 3), g.in("x", n, 3), false, true))
	}},
	{"own product over the batch", "", "", func(g *graph, n int) *gorgonia.Node {
		x := g.in("x", n, 3)
		return g.do(op.MatMul(x, x, true, false))
	}},
	{"own product of all pairs", oneSize, oneSize, func(g *graph, n int) *gorgonia.Node {
		x := g.in("x", n, 3)
		return g.do(op.MatMul(x, x, false, true))
	}},
	{"own product with a constant", oneSize, oneSize, func(g *graph, n int) *gorgonia.Node {
		return g.do(op.MatMul(g.part(4, n), g.in("x", n, 3), false, false))
	}},
	{"own reshape of rows", "", "", func(g *graph, n int) *gorgonia.Node {
		return g.do(op.Reshape(g.do(gorgonia.Reshape(g.in("x", n, 4), tensor.Shape{2 * n, 2})), 1, 2))
	}},
	{"own concatenation with a constant", oneSize, oneSize, func(g *graph, n int) *gorgonia.Node {
		return g.do(op.Concat(1, g.in("x", n, 3), g.part(n, 2)))
	}},
	{"own dropout by a constant", oneSize, oneSize, func(g *graph, n int) *gorgonia.Node {
		return g.do(op.Dropout(g.in("x", n, 3), g.mask(n, 3), 0.5))
	}},
	{"own dense layer by the batch", oneSize, oneSize, func(g *graph, n int) *gorgonia.Node {
		return g.do(op.Dense(g.part(2, n), g.in("x", n, 3), nil))
	}},
}

// TestBatches builds graphs for one, two and three examples. What is exported is
// right at any number; nothing else is.
func TestBatches(t *testing.T) {
	for _, c := range batches {
		for _, built := range []int{1, 2, 3} {
			t.Run(fmt.Sprintf("%s/%d", c.name, built), func(t *testing.T) {
				want := c.any
				if built == 1 {
					want = c.single
				}
				g := newGraph(t, tensor.Float32)
				p, err := export.Graph(g.model("batch", c.build(g, built)))
				if want != "" {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("error %v, want one of %q", err, want)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				session := load(t, p)
				for _, n := range []int{1, 2, 3, 5} {
					at := newGraph(t, tensor.Float32)
					m := at.model("", c.build(at, n))
					in := at.values(-0.5)
					if err := near(run(t, session, in)["y"], byItself(t, m, in)["y"], 1e-6); err != nil {
						t.Errorf("at batch %d: %v", n, err)
					}
				}
			})
		}
	}
}
