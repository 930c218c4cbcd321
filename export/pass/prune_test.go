package pass_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/export/pass"
)

func TestPrune(t *testing.T) {
	m := model("x unused default", "y", map[string][2]float32{"w": {1, 2}, "dead": {3, 4}, "default": {5, 6}},
		"a = Add(x, w)",
		"b = Mul(a, dead)",
		"c = Sqrt(b)",
		"y = Sub(a, x)",
		"d = Neg(y)",
	)
	before := values(run(t, m, pairs(m)))
	pass.Prune(m)
	want := []string{"a = Add(x, w)", "y = Sub(a, x)", "weights default w", "in x unused default", "out y", "types a"}
	if d := cmp.Diff(want, text(m)); d != "" {
		t.Errorf("pruned (-want +got):\n%s", d)
	}
	if d := cmp.Diff(before, values(run(t, m, pairs(m)))); d != "" {
		t.Errorf("outputs (-before +after):\n%s", d)
	}
	once := clone(m)
	pass.Prune(m)
	if d := cmp.Diff(text(once), text(m)); d != "" {
		t.Errorf("pruned again:\n%s", d)
	}
}

// An output of a node that is needed for another one stays, and an operand that
// was left out needs nothing.
func TestPruneHalfNeeded(t *testing.T) {
	m := model("x", "y", nil, "y, rest = Split(x)", "z,  = Split(x)")
	pass.Prune(m)
	want := []string{"y, rest = Split(x)", "weights", "in x", "out y", "types rest"}
	if d := cmp.Diff(want, text(m)); d != "" {
		t.Errorf("pruned (-want +got):\n%s", d)
	}
}

// What the passes can't follow, they leave alone.
func TestLeftAlone(t *testing.T) {
	for name, change := range map[string]func(m *onnxpb.ModelProto){
		"functions": func(m *onnxpb.ModelProto) { m.Functions = []*onnxpb.FunctionProto{{Name: "f"}} },
		"graphs in nodes": func(m *onnxpb.ModelProto) {
			m.Graph.Node[0].Attribute = []*onnxpb.AttributeProto{{Name: "then_branch", G: &onnxpb.GraphProto{}}}
		},
		"more than is known": func(m *onnxpb.ModelProto) { m.Graph.ProtoReflect().SetUnknown([]byte{15<<3 | 2, 0}) },
	} {
		m := model("x", "y", nil, "a = Neg(x)", "b = Neg(x)", "y = Add(b, b)")
		change(m)
		want := marshal(t, m)
		pass.Dedupe(m)
		pass.Prune(m)
		if string(marshal(t, m)) != string(want) {
			t.Errorf("%s: changed to %v", name, text(m))
		}
		if _, err := pass.Join([]pass.Part{{Model: m}}, false); err == nil {
			t.Errorf("%s: joined", name)
		}
	}
}
