package pass_test

import (
	"slices"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/export/pass"
)

// gated is LeakyReLU and the dropout behind it, forward and backward.
var gated = []string{
	"f = Cast(mask)",
	"a = LeakyRelu(x)", "d = Mul(a, f)", "y = Mul(d, scale)",
	"k = Mul(dy, f)", "kept = Mul(k, scale)",
	"c = Greater(x, zero)", "s = Mul(kept, alpha)", "dx = Where(c, kept, s)",
}

// gate writes such a model, some of its lines replaced: by the name of what
// they compute.
func gate(out string, slope float64, changed ...string) *onnxpb.ModelProto {
	lines := slices.Clone(gated)
	for _, line := range changed {
		name, _, _ := strings.Cut(line, " = ")
		i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+" = ") })
		if i < 0 {
			lines = append(lines, line)
		} else {
			lines[i] = line
		}
	}
	m := scalars("x mask dy", out, 6, map[string]float32{"zero": 0, "alpha": 0.2, "scale": 1.25, "other": 1.5}, lines...)
	m.Graph.Input[1].Type.GetTensorType().ElemType = int32(onnxpb.TensorProto_UINT8)
	for _, n := range m.Graph.Node {
		switch n.OpType {
		case "LeakyRelu":
			if slope == 0 { // by default, with a gradient of ReLU's
				m.Graph.Initializer = append(m.Graph.Initializer, scalar("none", 0))
				rename(m, "alpha", "none")
				continue
			}
			n.Attribute = []*onnxpb.AttributeProto{export.Float("alpha", slope)}
		case "Cast":
			n.Attribute = []*onnxpb.AttributeProto{export.Int("to", int(onnxpb.TensorProto_FLOAT))}
		}
	}
	return m
}

// rename lets all nodes read another value.
func rename(m *onnxpb.ModelProto, from, to string) {
	for _, n := range m.Graph.Node {
		for i, name := range n.Input {
			if name == from {
				n.Input[i] = to
			}
		}
	}
}

// gateFeed has every sign of x kept and dropped.
func gateFeed() map[string]*tensor.Dense {
	return map[string]*tensor.Dense{
		"x":    tensor.New(tensor.WithBacking([]float32{0.3, -0.7, 0, 2, -1e-30, 1e30})),
		"mask": tensor.New(tensor.WithBacking([]uint8{1, 1, 1, 0, 1, 1})),
		"dy":   tensor.New(tensor.WithBacking([]float32{0.1, 0.7, -3, 5, 1, -0.9})),
	}
}

// TestGate: one factor serves forward and backward, and the results stay.
func TestGate(t *testing.T) {
	m := gate("y dx", 0.2)
	after := clone(m)
	passes := []pass.Pass{{Name: "slope", Apply: pass.Slope}, {Name: "gate", Apply: pass.Gate}}
	if err := pass.Fast(after, passes...); err != nil {
		t.Fatal(err)
	}
	if count(after, "LeakyRelu") > 0 || count(after, "Where") > 0 || count(after, "Clip") != 1 {
		t.Errorf("not joined: %v", text(after))
	}
	// x·1e38, the factor, and one product for each result.
	pass.Dedupe(after)
	if n := count(after, "Mul"); n != 4 {
		t.Errorf("%d products, want 4: %v", n, text(after))
	}
	want, got := run(t, m, gateFeed()), run(t, after, gateFeed())
	for name := range want {
		if d := difference(got[name], want[name]); !(d <= 1e-7) { // two factors in another order
			t.Errorf("%s is %v, want %v", name, got[name], want[name])
		}
	}
	once := marshal(t, after)
	if err := pass.Fast(after, passes...); err != nil || string(marshal(t, after)) != string(once) {
		t.Errorf("a second run changes what the first made (%v)", err)
	}
}

// TestGateLeaves alone a forward pass whose gradient is another's, and values
// that somebody else reads.
func TestGateLeaves(t *testing.T) {
	for _, c := range []struct {
		name, out string
		slope     float64
		changed   []string
	}{
		{"slopes that differ", "y dx", 0.3, nil},
		{"a slope by default, which is 0.01", "y dx", 0, nil},
		{"scales that differ", "y dx", 0.2, []string{"kept = Mul(k, other)"}},
		{"without a gradient", "y k", 0.2, nil},
		{"activations are an output", "y dx a", 0.2, nil},
		{"masked activations are an output", "y dx d", 0.2, nil},
		{"the gradient before the slope is an output", "y dx kept", 0.2, nil},
		{"the masked gradient is an output", "y dx k", 0.2, nil},
		{"activations are read elsewhere", "y dx e", 0.2, []string{"e = Neg(a)"}},
		{"no mask of whole numbers", "y dx", 0.2, []string{"f = Abs(x)"}},
	} {
		m := gate(c.out, c.slope, c.changed...)
		if err := pass.Slope(m); err != nil {
			t.Fatal(err)
		}
		before := marshal(t, m)
		if err := pass.Gate(m); err != nil || string(marshal(t, m)) != string(before) {
			t.Errorf("%s: rewritten (%v) to %v", c.name, err, text(m))
		}
	}
}
