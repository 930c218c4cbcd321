package pass_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/export/pass"
)

func slope(alpha float32, line string) *onnxpb.NodeProto {
	n := node(line)
	n.Attribute = []*onnxpb.AttributeProto{{Name: "alpha", Type: onnxpb.AttributeProto_FLOAT, F: &alpha}}
	return n
}

func TestDedupe(t *testing.T) {
	for _, c := range []struct {
		name string
		m    *onnxpb.ModelProto
		want []string
	}{
		{
			"chains", model("x w", "y", nil,
				"a = Add(x, w)", "b = Neg(a)", "a2 = Add(x, w)", "b2 = Neg(a2)", "swapped = Add(w, x)", "s = Mul(b, b2)", "y = Sub(s, swapped)"),
			[]string{"a = Add(x, w)", "b = Neg(a)", "swapped = Add(w, x)", "s = Mul(b, b)", "y = Sub(s, swapped)", "weights", "in x w", "out y", "types a b swapped s"},
		},
		{
			"weights", model("x", "y", map[string][2]float32{"u": {1, 2}, "v": {1, 2}, "w": {2, 1}, "z": {3, 3}},
				"a = Add(x, u)", "b = Add(x, v)", "c = Add(x, w)", "d = Mul(a, b)", "y = Mul(d, c)"),
			[]string{"a = Add(x, u)", "c = Add(x, w)", "d = Mul(a, a)", "y = Mul(d, c)", "weights u w", "in x", "out y", "types a c d"},
		},
		{
			"an output is the second", model("x", "y", nil, "a = Neg(x)", "b = Exp(a)", "y = Neg(x)", "unused = Neg(b)"),
			[]string{"y = Neg(x)", "weights", "in x", "out y", "types"},
		},
		{
			"an output is the second and the first is read", model("x", "y z", nil, "a = Neg(x)", "b = Exp(a)", "y = Neg(x)", "z = Mul(b, y)"),
			[]string{"y = Neg(x)", "b = Exp(y)", "z = Mul(b, y)", "weights", "in x", "out y z", "types b"},
		},
		{
			"three equal outputs", model("x", "p q r", nil, "p = Neg(x)", "q = Neg(x)", "r = Neg(x)"),
			[]string{"p = Neg(x)", "q = Identity(p)", "r = Identity(p)", "weights", "in x", "out p q r", "types"},
		},
		{
			"identities", model("x", "y z", nil, "a = Identity(x)", "b = Neg(a)", "c = Identity(b)", "d = Neg(x)", "y = Mul(c, d)", "z = Identity(x)"),
			[]string{"b = Neg(x)", "y = Mul(b, b)", "z = Identity(x)", "weights", "in x", "out y z", "types b"},
		},
		{
			"a weight is an output", model("x", "y w", map[string][2]float32{"v": {1, 2}, "w": {1, 2}}, "y = Add(x, v)"),
			[]string{"y = Add(x, w)", "weights w", "in x", "out y w", "types"},
		},
		{
			"a weight that a caller may replace", model("x v", "y", map[string][2]float32{"v": {1, 2}, "w": {1, 2}}, "a = Add(x, v)", "b = Add(x, w)", "y = Mul(a, b)"),
			[]string{"a = Add(x, v)", "b = Add(x, w)", "y = Mul(a, b)", "weights v w", "in x v", "out y", "types a b"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := clone(c.m)
			pass.Dedupe(m)
			if d := cmp.Diff(c.want, text(m)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if d := cmp.Diff(values(run(t, c.m, pairs(c.m))), values(run(t, m, pairs(c.m)))); d != "" {
				t.Errorf("outputs (-before +after):\n%s", d)
			}
			once := marshal(t, m)
			pass.Dedupe(m)
			if string(marshal(t, m)) != string(once) {
				t.Errorf("run again, it changes the model to %v", text(m))
			}
			other := clone(c.m)
			pass.Dedupe(other)
			if string(marshal(t, other)) != string(once) {
				t.Error("the same model gives other bytes")
			}
		})
	}
}

// Nodes differ by attributes, by operator set, by the outputs that are wanted;
// the order of attributes and a node's name say nothing; chance is never shared.
func TestDedupeKeepsDifferences(t *testing.T) {
	m := model("x", "y", nil)
	custom := node("i = Neg(x)")
	custom.Domain = "example.com"
	m.Graph.Node = []*onnxpb.NodeProto{
		slope(0.1, "a = LeakyRelu(x)"), slope(0.2, "b = LeakyRelu(x)"), slope(0.1, "c = LeakyRelu(x)"),
		node("d, e = Two(x)"), node("f,  = Two(x)"), node("g = RandomNormalLike(x)"), node("h = RandomNormalLike(x)"),
		custom, node("j = Neg(x)"),
		node("k = Both(x)"), node("l = Both(x)"),
		node("y = Sum(a, b, c, d, e, f, g, h, i, j, k, l)"),
	}
	one, two := int64(1), int64(2)
	p := &onnxpb.AttributeProto{Name: "p", Type: onnxpb.AttributeProto_INT, I: &one}
	q := &onnxpb.AttributeProto{Name: "q", Type: onnxpb.AttributeProto_INT, I: &two}
	m.Graph.Node[9].Attribute = []*onnxpb.AttributeProto{p, q}
	m.Graph.Node[10].Attribute = []*onnxpb.AttributeProto{q, p}
	pass.Dedupe(m)
	want := "y = Sum(a, b, a, d, e, f, g, h, i, j, k, k)"
	if got := text(m); got[len(got)-5] != want {
		t.Errorf("got %v, want last %s", got, want)
	}
}
