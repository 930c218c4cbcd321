package pass_test

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/export/pass"
)

// sizes are the shapes of arrays by name.
type sizes map[string][]int64

// arrays writes a model of float32 arrays and of constants of shape ().
func arrays(in, out sizes, constants map[string]float32, nodes ...*onnxpb.NodeProto) *onnxpb.ModelProto {
	g := &onnxpb.GraphProto{Name: "test", Node: nodes}
	for _, name := range slices.Sorted(maps.Keys(in)) {
		g.Input = append(g.Input, vector(name, in[name]...))
	}
	for _, name := range slices.Sorted(maps.Keys(out)) {
		g.Output = append(g.Output, vector(name, out[name]...))
	}
	for _, name := range slices.Sorted(maps.Keys(constants)) {
		g.Initializer = append(g.Initializer, &onnxpb.TensorProto{
			Name: name, DataType: int32(onnxpb.TensorProto_FLOAT),
			RawData: binary.LittleEndian.AppendUint32(nil, math.Float32bits(constants[name])),
		})
	}
	return &onnxpb.ModelProto{IrVersion: 8, OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: 15}}, Graph: g}
}

func having(line string, attributes ...*onnxpb.AttributeProto) *onnxpb.NodeProto {
	n := node(line)
	n.Attribute = attributes
	return n
}

// rewritten applies a pass and checks that the model then gives the same, up to
// tolerance of an output's largest value, and that the pass changes it no more.
func rewritten(t *testing.T, m *onnxpb.ModelProto, apply func(*onnxpb.ModelProto) error, tolerance float64, in map[string]*tensor.Dense) *onnxpb.ModelProto {
	t.Helper()
	after := clone(m)
	if err := apply(after); err != nil {
		t.Fatal(err)
	}
	once := marshal(t, after)
	if err := apply(after); err != nil || string(marshal(t, after)) != string(once) {
		t.Errorf("again: error %v, or changed to %v", err, text(after))
	}
	if in == nil {
		in = map[string]*tensor.Dense{}
	}
	for i, v := range m.Graph.Input {
		if in[v.Name] != nil {
			continue
		}
		shape := []int{}
		for _, d := range v.Type.GetTensorType().Shape.Dim {
			shape = append(shape, int(d.GetDimValue()))
		}
		in[v.Name] = tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(shape...))
		noise(in[v.Name], uint64(i), -1, 2)
	}
	want, got := run(t, m, in), run(t, after, in)
	for name, w := range want {
		if d := difference(got[name], w); !(d <= tolerance) {
			t.Errorf("%s differs by %.1e of its largest", name, d)
		}
	}
	return after
}

func alphaOf(m *onnxpb.ModelProto) (list []float32) {
	for _, n := range m.Graph.Node {
		if n.OpType == "Gemm" {
			alpha := float32(1)
			for _, a := range n.Attribute {
				if a.Name == "alpha" {
					alpha = a.GetF()
				}
			}
			list = append(list, alpha)
		}
	}
	return list
}

// moments writes Adam's two moments of a gradient, and what else is given.
func moments(alpha float64, out sizes, more ...*onnxpb.NodeProto) *onnxpb.ModelProto {
	in := sizes{"a": {5, 7}, "b": {5, 3}, "m": {7, 3}, "v": {7, 3}}
	flags := []*onnxpb.AttributeProto{export.Int("transA", 1)}
	if alpha != 1 {
		flags = append(flags, export.Float("alpha", alpha))
	}
	nodes := append([]*onnxpb.NodeProto{
		having("g = Gemm(a, b)", flags...),
		node("m1 = Mul(m, beta1)"), node("g1 = Mul(g, rest1)"), node("m2 = Add(m1, g1)"),
		node("v1 = Mul(v, beta2)"), node("gg = Mul(g, g)"), node("g2 = Mul(gg, rest2)"), node("v2 = Add(v1, g2)"),
	}, more...)
	all := sizes{"m2": {7, 3}, "v2": {7, 3}}
	maps.Copy(all, out)
	return arrays(in, all, map[string]float32{"beta1": 0.9, "rest1": 0.1, "beta2": 0.999, "rest2": 0.001, "three": 3, "none": 0}, nodes...)
}

func TestAbsorb(t *testing.T) {
	for _, alpha := range []float64{1, -2.5} {
		m := moments(alpha, sizes{"more": {7, 3}}, node("more = Mul(g, three)"))
		after := rewritten(t, m, pass.Absorb, 1e-6, nil)
		if got := alphaOf(after)[0]; math.Abs(float64(got)-alpha*0.1) > 1e-6 {
			t.Errorf("alpha %v becomes %v", alpha, got)
		}
		if before, now := count(m, "Mul"), count(after, "Mul"); now != before-1 {
			t.Errorf("%d products by a constant become %d", before, now)
		}
	}
}

// One factor behind another: both are gone at once.
func TestAbsorbTwice(t *testing.T) {
	m := arrays(sizes{"a": {5, 7}, "b": {7, 3}}, sizes{"y": {5, 3}}, map[string]float32{"two": 2, "three": 3},
		node("g = Gemm(a, b)"), node("p = Mul(g, two)"), node("q = Mul(p, three)"), node("y = Neg(q)"))
	if after := rewritten(t, m, pass.Absorb, 1e-6, nil); alphaOf(after)[0] != 6 || count(after, "Mul") != 0 {
		t.Errorf("alpha %v, %v", alphaOf(after), text(after))
	}
}

func TestAbsorbLeaves(t *testing.T) {
	output := having("g = Gemm(a, b)", export.Int("transA", 1))
	for name, m := range map[string]*onnxpb.ModelProto{
		"another reader":               moments(1, sizes{"more": {7, 3}}, node("more = Neg(g)")),
		"an output":                    moments(1, sizes{"g": {7, 3}}),
		"another reader of the square": moments(1, sizes{"more": {7, 3}}, node("more = Neg(gg)")),
		"the square is an output":      moments(1, sizes{"gg": {7, 3}}),
		"the product is an output":     moments(1, sizes{"g1": {7, 3}}),
		"no factor":                    arrays(sizes{"a": {5, 7}, "b": {5, 3}}, sizes{"y": {7, 3}}, nil, output, node("y = Mul(g, g)")),
		"zero":                         arrays(sizes{"a": {5, 7}, "b": {5, 3}}, sizes{"y": {7, 3}}, map[string]float32{"none": 0}, output, node("z = Mul(g, none)"), node("y = Neg(z)")),
		"a bias":                       arrays(sizes{"a": {5, 7}, "b": {7, 3}, "c": {3}}, sizes{"y": {5, 3}}, map[string]float32{"k": 2}, node("g = Gemm(a, b, c)"), node("z = Mul(g, k)"), node("y = Neg(z)")),
	} {
		t.Run(name, func(t *testing.T) {
			pass.Prune(m)
			before := fmt.Sprint(text(m), alphaOf(m))
			if err := pass.Absorb(m); err != nil || fmt.Sprint(text(m), alphaOf(m)) != before {
				t.Errorf("error %v, %s becomes %v", err, before, text(m))
			}
		})
	}
}
