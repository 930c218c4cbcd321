package pass_test

import (
	"math"
	"testing"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/export/pass"
)

// leakyLayer is a layer with LeakyReLU and, in the form of Slope, its gradient.
func leakyLayer(alpha float64, product string, more ...*onnxpb.NodeProto) *onnxpb.ModelProto {
	out := sizes{"y": {3, 3}, "dx": {3, 3}}
	for _, n := range more {
		out[n.Output[0]] = []int64{3, 3}
	}
	return arrays(
		sizes{"a": {3, 3}, "w": {3, 3}, "dy": {3, 3}}, out,
		map[string]float32{"steep": 1e38, "low": float32(math.Abs(alpha)), "high": 1},
		append([]*onnxpb.NodeProto{
			node("x = " + product + "(a, w)"),
			having("y = LeakyRelu(x)", export.Float("alpha", alpha)),
			node("k = Mul(x, steep)"), node("slope = Clip(k, low, high)"), node("dx = Mul(slope, dy)"),
		}, more...)...,
	)
}

func readers(m *onnxpb.ModelProto, value string) (n int) {
	for _, node := range m.Graph.Node {
		for _, in := range node.Input {
			if in == value {
				n++
			}
		}
	}
	return n
}

func TestRectified(t *testing.T) {
	inf := float32(math.Inf(1))
	identity := tensor.New(tensor.WithShape(3, 3), tensor.WithBacking([]float32{1, 0, 0, 0, 1, 0, 0, 0, 1}))
	edges := func(v ...float32) map[string]*tensor.Dense {
		return map[string]*tensor.Dense{"w": identity, "a": tensor.New(tensor.WithShape(3, 3), tensor.WithBacking(v))}
	}
	for _, in := range []map[string]*tensor.Dense{
		nil,
		edges(0, float32(math.Copysign(0, -1)), 1e-37, -1e-37, 1e30, -1e30, 3, -3, 0),
	} {
		after := rewritten(t, leakyLayer(0.2, "Gemm"), pass.Rectified, 0, in)
		if n := readers(after, "x"); n != 1 {
			t.Errorf("%d nodes read the layer's product, want LeakyReLU alone", n)
		}
	}
	// No product gives one infinite value, so that the edges go in as they are.
	for _, x := range []float32{inf, -inf} {
		m := arrays(sizes{"x": {}}, sizes{"k": {}, "k2": {}}, map[string]float32{"steep": 1e38, "low": 0.2, "high": 1},
			having("y = LeakyRelu(x)", export.Float("alpha", 0.2)),
			node("a = Mul(x, steep)"), node("k = Clip(a, low, high)"), node("b = Mul(y, steep)"), node("k2 = Clip(b, low, high)"))
		got := run(t, m, map[string]*tensor.Dense{"x": tensor.New(tensor.FromScalar(x))})
		if k, k2 := got["k"].ScalarValue(), got["k2"].ScalarValue(); k != k2 {
			t.Errorf("the slope at %v is %v by the input and %v by the output", x, k, k2)
		}
	}
}

func TestRectifiedLeaves(t *testing.T) {
	for name, m := range map[string]*onnxpb.ModelProto{
		"another reader":          leakyLayer(0.2, "Gemm", node("z = Neg(x)")),
		"another reader of steep": leakyLayer(0.2, "Gemm", node("z = Neg(k)")),
		"no layer":                leakyLayer(0.2, "Mul"),
		"a slope of 0":            leakyLayer(0, "Gemm"),
		"a negative slope":        leakyLayer(-0.2, "Gemm"),
	} {
		before := readers(m, "x")
		if err := pass.Rectified(m); err != nil || readers(m, "x") != before {
			t.Errorf("%s: error %v, changed to %v", name, err, text(m))
		}
	}
}
