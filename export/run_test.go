package export_test

import (
	"fmt"
	"math"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train/op"
)

func load(t testing.TB, p *onnxpb.ModelProto) *runtime.Session {
	t.Helper()
	data, err := export.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	s, err := runtime.Load(t.Context(), data, runtime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func run(t testing.TB, s *runtime.Session, in map[string]*tensor.Dense) map[string]*tensor.Dense {
	t.Helper()
	out, err := s.Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// onTape runs a model on Gorgonia's machine.
func onTape(t testing.TB, m export.Model, in map[string]*tensor.Dense) map[string]*tensor.Dense {
	t.Helper()
	for _, p := range m.Inputs {
		if err := gorgonia.Let(p.Node, in[p.Name]); err != nil {
			t.Fatal(err)
		}
	}
	read := make([]gorgonia.Value, len(m.Outputs))
	var roots gorgonia.Nodes
	for i, p := range m.Outputs {
		roots = append(roots, gorgonia.Read(p.Node, &read[i]))
	}
	vm := gorgonia.NewTapeMachine(m.Outputs[0].Node.Graph().SubgraphRoots(roots...))
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		t.Fatal(err)
	}
	out := map[string]*tensor.Dense{}
	for i, p := range m.Outputs {
		v, ok := read[i].(*tensor.Dense)
		if !ok {
			v = tensor.New(tensor.FromScalar(read[i].Data()))
		}
		out[p.Name] = v
	}
	return out
}

// compare checks shapes, types, and values within tolerance times the largest
// of them, or 1.
func compare(t testing.TB, got, want map[string]*tensor.Dense, tolerance float64) {
	t.Helper()
	for name, w := range want {
		g := got[name]
		if g == nil || !g.Shape().Eq(w.Shape()) || g.Dtype() != w.Dtype() {
			t.Errorf("%s: got %v, want %v of shape %v", name, g, w.Dtype(), w.Shape())
			continue
		}
		worst, largest := 0.0, 1.0
		for i := range w.DataSize() {
			a, b := number(g, i), number(w, i)
			worst, largest = math.Max(worst, math.Abs(a-b)), math.Max(largest, math.Abs(b))
		}
		if !(worst <= tolerance*largest) {
			t.Errorf("%s: differs by %.2e, want at most %.0e of %.2g", name, worst, tolerance, largest)
		}
	}
}

func number(v *tensor.Dense, i int) float64 {
	switch d := v.Data().(type) {
	case []float32:
		return float64(d[i])
	case []float64:
		return d[i]
	case []bool:
		if d[i] {
			return 1
		}
		return 0
	}
	panic(fmt.Sprintf("an array of %v", v.Dtype()))
}

// TestAnyBatch: a model built at batch 3 runs at every other.
func TestAnyBatch(t *testing.T) {
	generator := load(t, exported(t, newBuilder(t, tensor.Float32).generator(3)))
	discriminator := load(t, exported(t, newBuilder(t, tensor.Float32).discriminator(3)))
	for _, batch := range []int{1, 2, 3, 5} {
		in := map[string]*tensor.Dense{"z": pattern(tensor.Float32, -0.3, batch, 4)}
		want := onTape(t, newBuilder(t, tensor.Float32).generator(batch), in)
		compare(t, run(t, generator, in), want, 1e-6) // float32, sums of 40 terms

		in = map[string]*tensor.Dense{
			"image": pattern(tensor.Float32, -0.4, batch, 2, 6, 5),
			"label": pattern(tensor.Float32, 0, batch, 3),
		}
		want = onTape(t, newBuilder(t, tensor.Float32).discriminator(batch), in)
		compare(t, run(t, discriminator, in), want, 1e-6) // float32, sums of 63 terms
	}
}

func TestFloat64(t *testing.T) {
	in := map[string]*tensor.Dense{"z": pattern(tensor.Float64, -0.3, 2, 4)}
	b := newBuilder(t, tensor.Float64)
	z := b.input("z", 2, 4)
	y := b.named("")(op.Tanh(b.named("")(op.Dense(z, b.weight("w", 4, 3), b.weight("b", 3)))))
	m := export.Model{Inputs: []export.Port{{Name: "z", Node: z}}, Outputs: []export.Port{{Name: "y", Node: y}}}
	got := run(t, load(t, exported(t, m)), in)
	compare(t, got, onTape(t, m, in), 1e-14) // float64, sums of 5 terms
}

// mask adds an input of bytes that alternate between 0 and 1.
func (b builder) mask(shape ...int) *gorgonia.Node {
	v := tensor.New(tensor.Of(tensor.Uint8), tensor.WithShape(shape...))
	for i := range v.DataSize() {
		v.Data().([]uint8)[i] = uint8(i % 2)
	}
	return gorgonia.NewTensor(b.graph, tensor.Uint8, len(shape), gorgonia.WithShape(shape...),
		gorgonia.WithName("mask"), gorgonia.WithValue(v))
}

// TestBytes feeds an input of type uint8, and stores one as a weight.
func TestBytes(t *testing.T) {
	b := newBuilder(t, tensor.Float32)
	x, mask := b.input("x", 2, 3), b.mask(2, 3)
	y := b.named("")(op.Dropout(x, mask, 0.75))
	m := export.Model{
		Inputs:  []export.Port{{Name: "x", Node: x}, {Name: "mask", Node: mask}},
		Outputs: []export.Port{{Name: "y", Node: y}},
	}
	in := map[string]*tensor.Dense{"x": pattern(tensor.Float32, 0, 2, 3), "mask": mask.Value().(*tensor.Dense)}
	want := onTape(t, m, in)
	compare(t, run(t, load(t, exported(t, m)), in), want, 0) // a product of 0 or 4
	m.Inputs = m.Inputs[:1]
	delete(in, "mask")
	compare(t, run(t, load(t, exported(t, m)), in), want, 0)
}

// TestIntegers feeds int64 to an operator of the test's own.
func TestIntegers(t *testing.T) {
	b := newBuilder(t, tensor.Float32)
	label := gorgonia.NewMatrix(b.graph, tensor.Int64, gorgonia.WithShape(3, 1), gorgonia.WithName("label"))
	table := b.weight("table", 4, 2)
	y := b.named("")(gorgonia.ApplyOp(newTestOp(tensor.Shape{3, 2}, func(l *export.Lowering) error {
		flat := l.Add("Reshape", []string{l.Input(0), l.Ints("flat", -1)})
		return l.Output("Gather", []string{l.Input(1), flat}, export.Int("axis", 0))
	}, tensor.Int64), label, table))
	m := export.Model{
		Inputs:    []export.Port{{Name: "label", Node: label}},
		Outputs:   []export.Port{{Name: "y", Node: y}},
		BatchAxis: "batch",
	}
	in := map[string]*tensor.Dense{"label": tensor.New(tensor.WithShape(2, 1), tensor.WithBacking([]int64{3, 1}))}
	rows := table.Value().Data().([]float32)
	want := tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float32{rows[6], rows[7], rows[2], rows[3]}))
	compare(t, run(t, load(t, exported(t, m)), in), map[string]*tensor.Dense{"y": want}, 0)
}

// TestSummedBatch: what sums over the batch has no batch axis left.
func TestSummedBatch(t *testing.T) {
	b := newBuilder(t, tensor.Float32)
	x := b.input("x", 3, 4)
	mean, variance, err := op.Statistics(x)
	if err != nil {
		t.Fatal(err)
	}
	scaled := b.named("")(op.BatchNorm(x, b.weight("gamma", 4), b.weight("beta", 4), mean, variance, 1e-3, true))
	p := exported(t, export.Model{
		Inputs:    []export.Port{{Name: "x", Node: x}},
		Outputs:   []export.Port{{Name: "mean", Node: mean}, {Name: "variance", Node: variance}, {Name: "scaled", Node: scaled}},
		BatchAxis: "batch",
	})
	for i, want := range []string{"float[4]", "float[4]", "float[batch 4]"} {
		if got := typeText(p.Graph.Output[i]); got != want {
			t.Errorf("%s is %s, want %s", p.Graph.Output[i].Name, got, want)
		}
	}
	s := load(t, p)
	if got := run(t, s, map[string]*tensor.Dense{"x": pattern(tensor.Float32, 0, 5, 4)})["scaled"]; got.Shape()[0] != 5 {
		t.Errorf("scaled has shape %v at batch 5", got.Shape())
	}
}
