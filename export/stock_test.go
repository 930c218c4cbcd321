package export_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/train/op"
)

func scalarOf(dt tensor.Dtype, v float64) *tensor.Dense {
	if dt == tensor.Float32 {
		return tensor.New(tensor.FromScalar(float32(v)))
	}
	return tensor.New(tensor.FromScalar(v))
}

// operand is an input of that name, or a constant where there is none.
func operand(b builder, name string, v *tensor.Dense) *gorgonia.Node {
	switch {
	case name == "" && v.Dims() == 0:
		return b.graph.AddNode(gorgonia.NewConstant(v.ScalarValue()))
	case name == "":
		return b.graph.AddNode(gorgonia.NewConstant(v))
	case v.Dims() == 0:
		return gorgonia.NewScalar(b.graph, b.dt, gorgonia.WithName(name), gorgonia.WithValue(v.ScalarValue()))
	}
	return gorgonia.NewTensor(b.graph, b.dt, v.Dims(), gorgonia.WithShape(v.Shape()...), gorgonia.WithName(name), gorgonia.WithValue(v))
}

// TestStockBinary runs Gorgonia's arithmetic on both machines: every operator,
// on operands of one shape and on scalars, which may be inputs or constants.
func TestStockBinary(t *testing.T) {
	operators := map[string]func(a, b *gorgonia.Node) (*gorgonia.Node, error){
		"Add": gorgonia.Add, "Sub": gorgonia.Sub, "Mul": gorgonia.HadamardProd, "Div": gorgonia.HadamardDiv,
	}
	for onnx, apply := range operators {
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			for _, c := range []struct {
				name         string
				a, b         *tensor.Dense
				nameA, nameB string
			}{
				{"arrays", pattern(dt, -0.5, 2, 3), pattern(dt, 0.5, 2, 3), "a", "b"},
				{"pictures", pattern(dt, -0.5, 2, 1, 3, 2), pattern(dt, 0.5, 2, 1, 3, 2), "a", "b"},
				{"scalars", scalarOf(dt, -0.3), scalarOf(dt, 0.7), "a", "b"},
				{"array and scalar", pattern(dt, -0.5, 2, 3), scalarOf(dt, 0.7), "a", "b"},
				{"scalar and array", scalarOf(dt, 0.7), pattern(dt, 0.5, 2, 3), "a", "b"},
				{"array and constants", pattern(dt, -0.5, 2, 3), pattern(dt, 0.5, 2, 3), "a", ""},
				{"constant and array", scalarOf(dt, 1), pattern(dt, 0.5, 2, 3), "", "b"},
			} {
				b := newBuilder(t, dt)
				nodeA, nodeB := operand(b, c.nameA, c.a), operand(b, c.nameB, c.b)
				y := b.named("")(apply(nodeA, nodeB))
				var read gorgonia.Value
				gorgonia.Read(y, &read)
				vm := gorgonia.NewTapeMachine(b.graph)
				if err := vm.RunAll(); err != nil {
					t.Fatal(err)
				}
				vm.Close()
				want, ok := read.(*tensor.Dense)
				if !ok {
					want = tensor.New(tensor.FromScalar(read.Data()))
				}

				m := export.Model{Outputs: []export.Port{{Name: "y", Node: y}}}
				in := map[string]*tensor.Dense{}
				if c.nameA != "" {
					m.Inputs = append(m.Inputs, export.Port{Name: "a", Node: nodeA})
					in["a"] = c.a
				}
				if c.nameB != "" {
					m.Inputs = append(m.Inputs, export.Port{Name: "b", Node: nodeB})
					in["b"] = c.b
				}
				p := exported(t, m)
				if len(p.Graph.Node) != 1 || p.Graph.Node[0].OpType != onnx {
					t.Errorf("%s of %s: nodes %v, want one %s", onnx, c.name, p.Graph.Node, onnx)
				}
				t.Log(onnx, dt, c.name)                                                    // printed where compare fails
				compare(t, run(t, load(t, p), in), map[string]*tensor.Dense{"y": want}, 0) // one rounding on both sides
			}
		}
	}
}

// TestGradientOfUses: a weight with two uses has the sum of two gradients, and
// the gradient's seed is a constant 1; the loss is a sum of two scalars.
func TestGradientOfUses(t *testing.T) {
	b := newBuilder(t, tensor.Float32)
	x, w := b.weight("x", 3, 4), b.weight("w", 4, 1)
	var losses [2]*gorgonia.Node
	for i, label := range []float64{1, 0} {
		z := b.named("")(op.Dense(x, w, nil))
		losses[i] = b.named("")(op.SigmoidCrossEntropy(z, op.Target{Rows: 3, Label: label}))
	}
	loss := b.named("")(gorgonia.Add(losses[0], losses[1]))
	gradients, err := gorgonia.Grad(loss, w)
	if err != nil {
		t.Fatal(err)
	}
	var readLoss, readGradient gorgonia.Value
	gorgonia.Read(loss, &readLoss)
	gorgonia.Read(gradients[0], &readGradient)
	vm := gorgonia.NewTapeMachine(b.graph)
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		t.Fatal(err)
	}
	p := exported(t, export.Model{
		Inputs:  []export.Port{{Name: "x", Node: x}, {Name: "w", Node: w}},
		Outputs: []export.Port{{Name: "loss", Node: loss}, {Name: "gradient", Node: gradients[0]}},
	})
	in := map[string]*tensor.Dense{"x": x.Value().(*tensor.Dense), "w": w.Value().(*tensor.Dense)}
	got := run(t, load(t, p), in)
	compare(t, got, map[string]*tensor.Dense{
		"loss": tensor.New(tensor.FromScalar(readLoss.Data())), "gradient": readGradient.(*tensor.Dense),
	}, 1e-6) // float32, sums of 12 terms
	if text := typeText(p.Graph.Output[0]); text != "float[]" {
		t.Errorf("the loss is declared as %s, want float[]", text)
	}
}

// TestConstants: a constant is an initializer, also where it is an output, under
// a name that doesn't tell its value, or its own.
func TestConstants(t *testing.T) {
	b := newBuilder(t, tensor.Float32)
	table := pattern(tensor.Float32, 0, 2, 3)
	x := b.input("x", 2, 3)
	y := b.named("y")(gorgonia.HadamardProd(x, b.graph.AddNode(gorgonia.NewConstant(float32(0.1)))))
	y = b.named("z")(gorgonia.Add(y, b.graph.AddNode(gorgonia.NewConstant(table))))
	half := b.graph.AddNode(gorgonia.NewConstant(float32(0.5), gorgonia.WithName("half")))
	y = b.named("last")(gorgonia.Sub(y, half))
	seed := b.graph.AddNode(gorgonia.NewConstant(float32(1)))
	p := exported(t, export.Model{
		Inputs:  []export.Port{{Name: "x", Node: x}},
		Outputs: []export.Port{{Name: "y", Node: y}, {Name: "seed", Node: seed}},
	})
	var names []string
	for _, w := range p.Graph.Initializer {
		names = append(names, w.Name)
	}
	if d := cmp.Diff([]string{"constantScalar", "constantTensor", "half", "seed"}, names); d != "" {
		t.Errorf("initializers (-want +got):\n%s", d)
	}
	got := run(t, load(t, p), map[string]*tensor.Dense{"x": pattern(tensor.Float32, 0.5, 2, 3)})
	want := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(2, 3))
	for i, v := range table.Data().([]float32) {
		want.Data().([]float32)[i] = (v+0.5)*0.1 + v - 0.5
	}
	compare(t, got, map[string]*tensor.Dense{"y": want, "seed": scalarOf(tensor.Float32, 1)}, 1e-6) // four roundings
}

func TestStockRefusals(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func(b builder, x *gorgonia.Node) *gorgonia.Node
		batch string
		want  string
	}{
		{"row and column", func(b builder, x *gorgonia.Node) *gorgonia.Node {
			return b.named("odd")(gorgonia.Add(x, b.input("w", 2)))
		}, "", `export: "odd" (+ false): operand 1 of shape (2) gives (2, 1): want one shape, or a scalar`},
		{"constants for one batch", func(b builder, x *gorgonia.Node) *gorgonia.Node {
			return b.named("odd")(gorgonia.Add(x, b.graph.AddNode(gorgonia.NewConstant(pattern(b.dt, 0, 2, 1)))))
		}, "batch", `export: "odd" (+ false): only holds for one batch size: one operand has no batch axis`},
	} {
		b := newBuilder(t, tensor.Float32)
		x := b.input("x", 2, 1)
		y := c.build(b, x)
		m := export.Model{Inputs: []export.Port{{Name: "x", Node: x}}, Outputs: []export.Port{{Name: "y", Node: y}}, BatchAxis: c.batch}
		for _, n := range b.graph.AllNodes() {
			if n.Op() == nil && n != x {
				m.Inputs = append(m.Inputs, export.Port{Name: n.Name(), Node: n})
			}
		}
		_, err := export.Graph(m)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: error %v, want %s", c.name, err, c.want)
		}
	}
}
