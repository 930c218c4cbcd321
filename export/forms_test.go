package export_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/export/onnxpb"
)

// graph is a small program made of Gorgonia's operators. Its steps can't fail
// one by one: the first error stays.
type graph struct {
	builder
	inputs []export.Port
}

func newGraph(t testing.TB, dt tensor.Dtype) *graph { return &graph{builder: newBuilder(t, dt)} }

// in adds an input of the model.
func (g *graph) in(name string, shape ...int) *gorgonia.Node {
	n := g.input(name, shape...)
	g.inputs = append(g.inputs, export.Port{Name: name, Node: n})
	return n
}

func (g *graph) do(n *gorgonia.Node, err error) *gorgonia.Node {
	g.t.Helper()
	return g.named("")(n, err)
}

func (g *graph) model(axis string, y *gorgonia.Node) export.Model {
	return export.Model{Name: "model", Inputs: g.inputs, Outputs: []export.Port{{Name: "y", Node: y}}, BatchAxis: axis}
}

// values are arrays for the inputs; lowest is the least of them.
func (g *graph) values(lowest float64) map[string]*tensor.Dense {
	in := map[string]*tensor.Dense{}
	for i, p := range g.inputs {
		in[p.Name] = pattern(g.dt, lowest+float64(i)/7, p.Node.Shape()...)
	}
	return in
}

// form is a use of an operator of Gorgonia's: a graph for a batch of n.
type form struct {
	name  string
	build func(g *graph, n int) *gorgonia.Node
	nodes []string // what it is written as
}

// forms hold for any batch.
var forms = []form{
	{"pow", func(g *graph, n int) *gorgonia.Node { return g.do(gorgonia.Pow(g.in("a", n, 3), g.in("b", n, 3))) }, []string{"Pow"}},
	{"less", func(g *graph, n int) *gorgonia.Node { return g.do(gorgonia.Lt(g.in("a", n, 3), g.in("b", n, 3), true)) }, []string{"Less", "Cast"}},
	{"greater or equal", func(g *graph, n int) *gorgonia.Node {
		return g.do(gorgonia.Gte(g.in("a", n, 3), g.in("b", n, 3), true))
	}, []string{"GreaterOrEqual", "Cast"}},
	{"equal", func(g *graph, n int) *gorgonia.Node {
		a := g.in("a", n, 3)
		return g.do(gorgonia.Eq(a, g.do(gorgonia.Abs(a)), true))
	}, []string{"Abs", "Equal", "Cast"}},
	{"not equal", func(g *graph, n int) *gorgonia.Node {
		a := g.in("a", n, 3)
		return g.do(gorgonia.Ne(a, g.do(gorgonia.Abs(a)), true))
	}, []string{"Abs", "Equal", "Not", "Cast"}},
	{"abs", of(gorgonia.Abs), []string{"Abs"}},
	{"sign", of(gorgonia.Sign), []string{"Less", "Where"}},
	{"ceil", of(gorgonia.Ceil), []string{"Ceil"}},
	{"floor", of(gorgonia.Floor), []string{"Floor"}},
	{"sin", of(gorgonia.Sin), []string{"Sin"}},
	{"cos", of(gorgonia.Cos), []string{"Cos"}},
	{"exp", of(gorgonia.Exp), []string{"Exp"}},
	{"log", of(gorgonia.Log), []string{"Log"}},
	{"log2", of(gorgonia.Log2), []string{"Log", "Div"}},
	{"neg", of(gorgonia.Neg), []string{"Neg"}},
	{"square", of(gorgonia.Square), []string{"Mul"}},
	{"sqrt", of(gorgonia.Sqrt), []string{"Sqrt"}},
	{"inverse", of(gorgonia.Inverse), []string{"Reciprocal"}},
	{"inverse root", of(gorgonia.InverseSqrt), []string{"Sqrt", "Reciprocal"}},
	{"cube", of(gorgonia.Cube), []string{"Mul", "Mul"}},
	{"tanh", of(gorgonia.Tanh), []string{"Tanh"}},
	{"sigmoid", of(gorgonia.Sigmoid), []string{"Sigmoid"}},
	{"log1p", of(gorgonia.Log1p), []string{"Add", "Log"}},
	{"expm1", of(gorgonia.Expm1), []string{"Exp", "Sub"}},
	{"softplus", of(gorgonia.Softplus), []string{"Softplus"}},
	{"rectify", of(gorgonia.Rectify), []string{"GreaterOrEqual", "Cast", "Mul"}},
	{"leaky rectify", of(func(x *gorgonia.Node) (*gorgonia.Node, error) { return gorgonia.LeakyRelu(x, 0.2) }), nil},
	{"minimum", func(g *graph, n int) *gorgonia.Node {
		return g.do(gorgonia.MinBetween(g.in("a", n, 3), g.in("b", n, 3)))
	}, []string{"Min"}},
	{"maximum", func(g *graph, n int) *gorgonia.Node {
		return g.do(gorgonia.MaxBetween(g.in("a", n, 3), g.in("b", n, 3)))
	}, []string{"Max"}},

	{"matrix product", func(g *graph, n int) *gorgonia.Node { return g.do(gorgonia.Mul(g.in("x", n, 3), g.weight("w", 3, 4))) }, []string{"MatMul"}},
	{"matrix and vector", func(g *graph, n int) *gorgonia.Node { return g.do(gorgonia.Mul(g.in("x", n, 3), g.weight("w", 3))) }, []string{"MatMul"}},
	{"weight of a batch", func(g *graph, n int) *gorgonia.Node {
		x := g.in("x", n, 3)
		return g.do(gorgonia.Mul(g.do(gorgonia.Transpose(x)), x))
	}, []string{"Transpose", "MatMul"}},
	{"outer product", func(g *graph, n int) *gorgonia.Node { return g.do(gorgonia.OuterProd(g.in("x", n), g.weight("w", 4))) }, []string{"Reshape", "Mul"}},
	{"batched product", func(g *graph, n int) *gorgonia.Node {
		return g.do(gorgonia.BatchedMatMul(g.in("a", n, 2, 3), g.in("b", n, 4, 3), false, true))
	}, []string{"Transpose", "MatMul"}},

	{"row added", func(g *graph, n int) *gorgonia.Node {
		return g.do(gorgonia.BroadcastAdd(g.in("x", n, 3), g.weight("bias", 3), nil, []byte{0}))
	}, []string{"Reshape", "Add"}},
	{"channels scaled", func(g *graph, n int) *gorgonia.Node {
		return g.do(gorgonia.BroadcastHadamardProd(g.in("x", n, 2, 3, 4), g.weight("scale", 1, 2, 1, 1), nil, []byte{0, 2, 3}))
	}, []string{"Mul"}},
	{"column subtracted", func(g *graph, n int) *gorgonia.Node {
		x := g.in("x", n, 3)
		return g.do(gorgonia.BroadcastSub(x, g.do(gorgonia.Sum(x, 1)), nil, []byte{1}))
	}, []string{"ReduceSum", "Reshape", "Sub"}},

	{"repeated", func(g *graph, n int) *gorgonia.Node { // not undone by an operator that broadcasts
		x := g.in("x", n, 3)
		row, _, err := gorgonia.Broadcast(g.weight("row", 3), x, gorgonia.NewBroadcastPattern([]byte{0}, nil))
		return g.do(gorgonia.Concat(1, x, g.do(row, err)))
	}, []string{"Reshape", "Shape", "Gather", "Concat", "Expand", "Concat"}},
	{"repeated before the batch", func(g *graph, n int) *gorgonia.Node {
		columns := g.do(gorgonia.Transpose(g.in("x", n, 2)))
		y, _, err := gorgonia.Broadcast(columns, g.weight("c", 3, 4), gorgonia.NewBroadcastPattern([]byte{0}, nil))
		return g.do(gorgonia.Transpose(g.do(y, err)))
	}, []string{"Transpose", "Unsqueeze", "Expand", "Reshape", "Transpose"}},
	{"a gradient", func(g *graph, n int) *gorgonia.Node { // of a sum: a repetition of each place
		x := g.in("x", n, 3)
		y := g.do(gorgonia.Sum(g.do(gorgonia.Square(g.do(gorgonia.Mul(x, g.weight("w", 3, 2)))))))
		gradients, err := gorgonia.Grad(y, x)
		if err != nil {
			g.t.Fatal(err)
		}
		return gradients[0]
	}, nil},

	{"sum of rows", func(g *graph, n int) *gorgonia.Node { return g.do(gorgonia.Sum(g.in("x", n, 3, 2), 1, 2)) }, []string{"ReduceSum"}},
	{"sum over the batch", func(g *graph, n int) *gorgonia.Node { return g.do(gorgonia.Sum(g.in("x", n, 3), 0)) }, []string{"ReduceSum"}},
	{"sum of all", func(g *graph, n int) *gorgonia.Node { return g.do(gorgonia.Sum(g.in("x", n, 3))) }, []string{"ReduceSum"}},
	{"mean over the batch", func(g *graph, n int) *gorgonia.Node { return g.do(gorgonia.Mean(g.in("x", n, 3), 0)) }, nil},
	{"mean of rows", func(g *graph, n int) *gorgonia.Node { return g.do(gorgonia.Mean(g.in("x", n, 3), 1)) }, []string{"ReduceSum", "Div"}},
	{"mean of all", func(g *graph, n int) *gorgonia.Node { return g.do(gorgonia.Mean(g.in("x", n, 3))) }, nil},
	{"maximum of rows", func(g *graph, n int) *gorgonia.Node { return g.do(gorgonia.Max(g.in("x", n, 3), 1)) }, []string{"ReduceMax"}},
	{"softmax", of(func(x *gorgonia.Node) (*gorgonia.Node, error) { return gorgonia.SoftMax(x) }), []string{"Softmax"}},
	{"logarithm of softmax", of(func(x *gorgonia.Node) (*gorgonia.Node, error) { return gorgonia.LogSoftMax(x, 1) }), []string{"LogSoftmax"}},

	{"flattened", func(g *graph, n int) *gorgonia.Node {
		return g.do(gorgonia.Reshape(g.in("x", n, 2, 3), tensor.Shape{n, 6}))
	}, []string{"Reshape"}},
	{"rows of examples", func(g *graph, n int) *gorgonia.Node { // and back
		x := g.do(gorgonia.Reshape(g.in("x", n, 2, 3), tensor.Shape{n * 2, 3}))
		x = g.do(gorgonia.Mul(x, g.weight("w", 3, 5)))
		return g.do(gorgonia.Reshape(x, tensor.Shape{n, 10}))
	}, []string{"Reshape", "MatMul", "Reshape"}},
	{"batch last", func(g *graph, n int) *gorgonia.Node { // and a reshape after it
		x := g.do(gorgonia.Transpose(g.in("x", n, 2, 3), 1, 2, 0))
		return g.do(gorgonia.Reshape(x, tensor.Shape{6, n}))
	}, []string{"Transpose", "Reshape"}},
	{"joined", func(g *graph, n int) *gorgonia.Node {
		return g.do(gorgonia.Concat(1, g.in("a", n, 2), g.in("b", n, 3)))
	}, []string{"Concat"}},
	{"a column", func(g *graph, n int) *gorgonia.Node {
		return g.do(gorgonia.Slice(g.in("x", n, 4), nil, gorgonia.S(2)))
	}, []string{"Slice", "Squeeze"}},
	{"some columns", func(g *graph, n int) *gorgonia.Node {
		return g.do(gorgonia.Slice(g.in("x", n, 5), nil, gorgonia.S(1, 4)))
	}, []string{"Slice"}},
	{"upsampled", func(g *graph, n int) *gorgonia.Node { return g.do(gorgonia.Upsample2D(g.in("x", n, 2, 3, 2), 2)) }, []string{"Resize"}},
	{"pooled", func(g *graph, n int) *gorgonia.Node {
		return g.do(gorgonia.MaxPool2D(g.in("x", n, 2, 5, 4), tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2}))
	}, []string{"MaxPool"}},
	{"pooled with a margin", func(g *graph, n int) *gorgonia.Node {
		return g.do(gorgonia.MaxPool2D(g.in("x", n, 2, 5, 4), tensor.Shape{3, 3}, []int{1, 1}, []int{2, 2}))
	}, []string{"MaxPool"}},
	{"pooled with an uneven margin", func(g *graph, n int) *gorgonia.Node {
		return g.do(gorgonia.MaxPool2D(g.in("x", n, 2, 5, 4), tensor.Shape{3, 3}, []int{0, 1, 1, 0}, []int{1, 1}))
	}, []string{"MaxPool"}},
	{"mean of channels", func(g *graph, n int) *gorgonia.Node { return g.do(gorgonia.GlobalAveragePool2D(g.in("x", n, 2, 3, 2))) }, []string{"GlobalAveragePool"}},
	{"convolution", func(g *graph, n int) *gorgonia.Node {
		return g.do(gorgonia.Conv2d(g.in("x", n, 2, 6, 5), g.weight("w", 3, 2, 3, 2), tensor.Shape{3, 2}, []int{1, 0}, []int{2, 1}, []int{1, 1}))
	}, []string{"Conv"}},
	{"dilated convolution", func(g *graph, n int) *gorgonia.Node {
		return g.do(gorgonia.Conv2d(g.in("x", n, 1, 6, 7), g.weight("w", 2, 1, 2, 2), tensor.Shape{2, 2}, []int{1, 1}, []int{1, 1}, []int{2, 3}))
	}, []string{"Conv"}},
	{"patches", func(g *graph, n int) *gorgonia.Node {
		return g.do(gorgonia.Im2Col(g.in("x", n, 2, 4, 5), tensor.Shape{2, 3}, tensor.Shape{1, 0}, tensor.Shape{1, 2}, tensor.Shape{1, 1}))
	}, []string{"Conv", "Transpose"}},
	{"batch normalisation", func(g *graph, n int) *gorgonia.Node {
		y, _, _, o, err := gorgonia.BatchNorm(g.in("x", n, 2, 3, 3), g.weight("scale", 1, 2, 1, 1), g.weight("shift", 1, 2, 1, 1), 0.1, 1e-3)
		if err != nil {
			g.t.Fatal(err)
		}
		if err := o.SetStats(pattern(g.dt, -0.2, 2), pattern(g.dt, 0.5, 2)); err != nil {
			g.t.Fatal(err)
		}
		if err := o.SetTraining(false); err != nil {
			g.t.Fatal(err)
		}
		return y
	}, []string{"BatchNormalization", "Mul", "Add"}},
}

// fixedForms hold for the batch that they were built with.
var fixedForms = []form{
	{"scalar product", func(g *graph, n int) *gorgonia.Node { return g.do(gorgonia.Mul(g.in("a", n), g.in("b", n))) }, []string{"MatMul"}},
	{"vector and matrix", func(g *graph, n int) *gorgonia.Node { return g.do(gorgonia.Mul(g.in("a", n), g.in("b", n, 3))) }, []string{"MatMul"}},
	{"a number", func(g *graph, n int) *gorgonia.Node { return g.do(gorgonia.At(g.in("x", n, 3), 1, 2)) }, []string{"Slice", "Squeeze"}},
	{"a row", func(g *graph, n int) *gorgonia.Node { return g.do(gorgonia.Slice(g.in("x", n, 3), gorgonia.S(1))) }, []string{"Slice", "Squeeze"}},
	{"every second", func(g *graph, n int) *gorgonia.Node {
		return g.do(gorgonia.Slice(g.in("x", n, 7), nil, gorgonia.S(1, 6, 2)))
	}, []string{"Slice"}},
	{"stacked", func(g *graph, n int) *gorgonia.Node {
		return g.do(gorgonia.Concat(0, g.in("a", n, 3), g.in("b", 1, 3)))
	}, []string{"Concat"}},
	{"maximum of all", func(g *graph, n int) *gorgonia.Node { return g.do(gorgonia.Max(g.in("x", n, 3))) }, []string{"ReduceMax"}},
	{"softmax of a column", func(g *graph, n int) *gorgonia.Node { return g.do(gorgonia.SoftMax(g.in("x", n, 1))) }, []string{"Softmax"}},
	{"rows by their numbers", func(g *graph, n int) *gorgonia.Node {
		indices := gorgonia.NewVector(g.graph, tensor.Int, gorgonia.WithShape(3), gorgonia.WithName("indices"),
			gorgonia.WithValue(tensor.New(tensor.WithBacking([]int{1, 0, 1}))))
		return g.do(gorgonia.ByIndices(g.in("x", n, 3), indices, 0))
	}, []string{"Gather"}},
	{"as another type", func(g *graph, n int) *gorgonia.Node {
		whole := g.do(gorgonia.ConvType(g.do(gorgonia.HadamardProd(g.in("x", n, 3), g.weight("w", n, 3))), g.dt, tensor.Int))
		return g.do(gorgonia.ConvType(whole, tensor.Int, g.dt))
	}, []string{"Mul", "Cast", "Cast"}},
	{"a truth", func(g *graph, n int) *gorgonia.Node {
		return g.do(gorgonia.Gt(g.in("a", n, 3), g.in("b", n, 3), false))
	}, []string{"Greater"}},
}

// TestFixedForms is TestForms for what has one batch only.
func TestFixedForms(t *testing.T) {
	for _, f := range fixedForms {
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			t.Run(fmt.Sprintf("%s/%v", f.name, dt), func(t *testing.T) {
				g := newGraph(t, dt)
				m := g.model("", f.build(g, 2))
				p := exported(t, m)
				checkNodes(t, p, f.nodes)
				in := g.values(-0.5)
				compare(t, run(t, load(t, p), in), byItself(t, m, in), 4e-6)
			})
		}
	}
}

func checkNodes(t *testing.T, p *onnxpb.ModelProto, want []string) {
	t.Helper()
	var nodes []string
	for _, n := range p.Graph.Node {
		nodes = append(nodes, n.OpType)
	}
	if want != nil && !slices.Equal(nodes, want) {
		t.Errorf("written as %v, want %v", nodes, want)
	}
}

// TestOneBatch refuses, by name, what would be wrong at another batch size.
func TestOneBatch(t *testing.T) {
	for want, build := range map[string]func(g *graph, n int) *gorgonia.Node{
		"only holds for one batch size: takes a part of the batch": func(g *graph, n int) *gorgonia.Node {
			return g.do(gorgonia.Slice(g.in("x", n, 3), gorgonia.S(1)))
		},
		"only holds for one batch size: one operand has no batch axis": func(g *graph, n int) *gorgonia.Node {
			return g.do(gorgonia.HadamardProd(g.in("x", n, 3), g.weight("w", n, 3)))
		},
		"only holds for one batch size: no axis of (3, 4) is the batch, axis 0 of (2, 6)": func(g *graph, n int) *gorgonia.Node {
			return g.do(gorgonia.Reshape(g.in("x", n, 6), tensor.Shape{3, 2 * n}))
		},
		"joins two batches into one": func(g *graph, n int) *gorgonia.Node {
			x := g.in("x", n, 3)
			return g.do(gorgonia.Concat(0, x, g.do(gorgonia.Tanh(x))))
		},
		"multiplies each example by each": func(g *graph, n int) *gorgonia.Node {
			return g.do(gorgonia.OuterProd(g.in("a", n), g.in("b", n)))
		},
		"takes a number of one example": func(g *graph, n int) *gorgonia.Node { return g.do(gorgonia.At(g.in("x", n, 3), 1, 2)) },
		"normalises by the batch's own statistics: call SetTraining(false) on the operator first": func(g *graph, n int) *gorgonia.Node {
			_, _, _, o, err := gorgonia.BatchNorm(g.in("x", n, 2, 3, 3), g.weight("scale", 1, 2, 1, 1), g.weight("shift", 1, 2, 1, 1), 0.1, 1e-3)
			if err != nil {
				g.t.Fatal(err)
			}
			for _, node := range g.graph.AllNodes() {
				if node.Op() == gorgonia.Op(o) {
					return node
				}
			}
			return nil
		},
		"operator *gorgonia.avgPoolOp divides by the width of the picture, where an average pool divides by the window's size": func(g *graph, n int) *gorgonia.Node {
			return g.do(gorgonia.AveragePool2D(g.in("x", n, 2, 4, 4), tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2}))
		},
		"operator *gorgonia.dropoutOp drops at random: build the graph without it": func(g *graph, n int) *gorgonia.Node {
			return g.do(gorgonia.Dropout(g.in("x", n, 3), 0.5))
		},
	} {
		g := newGraph(t, tensor.Float32)
		y := g.named("odd")(build(g, 2), nil)
		p, err := export.Graph(g.model("batch", y))
		if err == nil || p != nil || !strings.HasPrefix(err.Error(), `export: "odd" (`) || !strings.HasSuffix(err.Error(), "): "+want) {
			t.Errorf("error %v, want one for \"odd\" that ends in %q", err, want)
		}
	}
}

// of is a function of a single input.
func of(f func(x *gorgonia.Node) (*gorgonia.Node, error)) func(g *graph, n int) *gorgonia.Node {
	return func(g *graph, n int) *gorgonia.Node { return g.do(f(g.in("x", n, 3))) }
}

// byItself runs each operator on copies of its inputs. On Gorgonia's machine a
// BatchNormOp reads what its output held before in place of its input.
func byItself(t testing.TB, m export.Model, in map[string]*tensor.Dense) map[string]*tensor.Dense {
	t.Helper()
	values := map[*gorgonia.Node]gorgonia.Value{}
	for _, p := range m.Inputs {
		values[p.Node] = in[p.Name]
	}
	var value func(n *gorgonia.Node) gorgonia.Value
	value = func(n *gorgonia.Node) gorgonia.Value {
		if v, ok := values[n]; ok {
			return v
		}
		if n.Op() == nil {
			return n.Value()
		}
		var operands []gorgonia.Value
		it := n.Graph().From(n.ID())
		for it.Next() {
			v, err := gorgonia.CloneValue(value(it.Node().(*gorgonia.Node)))
			if err != nil {
				t.Fatal(err)
			}
			operands = append(operands, v)
		}
		if len(operands) == 0 {
			return n.Value() // a constant
		}
		v, err := n.Op().Do(operands...)
		if err != nil {
			t.Fatal(err)
		}
		values[n] = v
		return v
	}
	out := map[string]*tensor.Dense{}
	for _, p := range m.Outputs {
		switch v := value(p.Node).(type) {
		case *tensor.Dense:
			out[p.Name] = v
		default:
			out[p.Name] = tensor.New(tensor.FromScalar(v.Data()))
		}
	}
	return out
}

// noDoubles are the forms that ONNX Runtime has in float32 only. It joins
// Transpose and MatMul to one operator, whichever type they have.
var noDoubles = []string{
	"convolution", "dilated convolution", "patches", "batch normalisation", "upsampled", "mean of channels", "cos", "softplus",
	"weight of a batch", "batched product",
}

// TestForms holds each operator of Gorgonia's against Gorgonia's own machine: at
// the batch that the graph was built with, and at others.
func TestForms(t *testing.T) {
	for _, f := range forms {
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			if dt == tensor.Float64 && slices.Contains(noDoubles, f.name) {
				continue
			}
			t.Run(fmt.Sprintf("%s/%v", f.name, dt), func(t *testing.T) {
				g := newGraph(t, dt)
				p := exported(t, g.model("batch", f.build(g, 2)))
				checkNodes(t, p, f.nodes)
				session := load(t, p)
				for _, n := range []int{1, 2, 3, 5} {
					if f.name == "a column" && n == 1 {
						continue // Gorgonia's machine gives a number there, not a vector of one
					}
					at := newGraph(t, dt)
					m := at.model("", f.build(at, n))
					in := at.values(-0.5)
					if slices.Contains([]string{"pow", "log", "log2", "sqrt", "inverse", "inverse root", "log1p"}, f.name) {
						in = at.values(0.25)
					}
					want := onTape
					if f.name == "batch normalisation" {
						want = byItself
					}
					compare(t, run(t, session, in), want(t, m, in), 4e-6)
				}
			})
		}
	}
}
