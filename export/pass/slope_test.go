package pass_test

import (
	"encoding/binary"
	"math"
	"testing"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/export/pass"
)

// scalar is a constant of shape ().
func scalar(name string, v float32) *onnxpb.TensorProto {
	return &onnxpb.TensorProto{
		Name: name, DataType: int32(onnxpb.TensorProto_FLOAT),
		RawData: binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)),
	}
}

// scalars writes a model of vectors of some length with constants of shape ().
func scalars(in, out string, size int64, constants map[string]float32, nodes ...string) *onnxpb.ModelProto {
	m := model(in, out, nil, nodes...)
	for _, values := range [][]*onnxpb.ValueInfoProto{m.Graph.Input, m.Graph.Output} {
		for i, v := range values {
			values[i] = vector(v.Name, size)
		}
	}
	m.Graph.ValueInfo = nil
	for name, v := range constants {
		m.Graph.Initializer = append(m.Graph.Initializer, scalar(name, v))
	}
	return m
}

// leaky is the gradient of LeakyReLU as its operator writes it.
var leaky = []string{"c = Greater(x, zero)", "s = Mul(dy, alpha)", "y = Where(c, dy, s)"}

// TestSlope: the bits stay, of every x but those below 1e-38 that aren't 0.
func TestSlope(t *testing.T) {
	inf, normal := float32(math.Inf(1)), float32(0x1p-126)
	// The slope of what is below 1/1e38 is x·1e38 or alpha: nearly flat.
	tiny := map[float32]bool{math.SmallestNonzeroFloat32: true, 0x1p-127: true}
	x := []float32{
		0, float32(math.Copysign(0, -1)), 1, -1, 1e-30, -1e-30, 2e-38, -2e-38, normal, -normal,
		math.MaxFloat32, -math.MaxFloat32, inf, -inf, 0x1p-127, -0x1p-127, math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32,
	}
	for _, alpha := range []float32{0, 0.2, 0.3, 1} {
		m := scalars("x dy", "y", int64(len(x)), map[string]float32{"zero": 0, "alpha": alpha}, leaky...)
		after := clone(m)
		if err := pass.Slope(after); err != nil {
			t.Fatal(err)
		}
		if count(after, "Where") > 0 || count(after, "Greater") > 0 || count(after, "Clip") != 1 {
			t.Fatalf("alpha %v: %v", alpha, text(after))
		}
		for _, dy := range []float32{1, -0.7} {
			in := map[string]*tensor.Dense{"x": tensor.New(tensor.WithBacking(x)), "dy": tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(len(x)))}
			for i := range x {
				in["dy"].Data().([]float32)[i] = dy
			}
			want, got := run(t, m, in)["y"].Data().([]float32), run(t, after, in)["y"].Data().([]float32)
			for i := range x {
				if got[i] == want[i] {
					continue
				}
				low, high := math.Abs(float64(alpha*dy)), math.Abs(float64(dy))
				if size := math.Abs(float64(got[i])); !tiny[x[i]] && x[i] != normal || size < low || size > high {
					t.Errorf("alpha %v: the gradient of %v at %v is %v, want %v", alpha, dy, x[i], got[i], want[i])
				}
			}
		}
		once := marshal(t, after)
		if err := pass.Slope(after); err != nil || string(marshal(t, after)) != string(once) {
			t.Errorf("alpha %v: a second run changes what the first made (%v)", alpha, err)
		}
	}
}

// TestSlopeShared: one slope for all gradients that go through an x, and other
// readers keep what they read.
func TestSlopeShared(t *testing.T) {
	m := scalars("x dy dz", "y z s", 2, map[string]float32{"zero": 0, "alpha": 0.2},
		append(leaky[:len(leaky):len(leaky)], "r = Mul(dz, alpha)", "z = Where(c, dz, r)")...)
	after := clone(m)
	if err := pass.Slope(after); err != nil {
		t.Fatal(err)
	}
	pass.Dedupe(after)
	if count(after, "Where") > 0 || count(after, "Clip") != 1 || count(after, "Mul") != 4 {
		t.Errorf("%v", text(after))
	}
	equal(t, m, after, 2)
}

// TestSlopeLeaves alone what only looks like the gradient.
func TestSlopeLeaves(t *testing.T) {
	for _, c := range []struct {
		name      string
		constants map[string]float32
		nodes     []string
	}{
		{"alpha above 1", map[string]float32{"zero": 0, "alpha": 1.5}, leaky},
		{"alpha below 0", map[string]float32{"zero": 0, "alpha": -0.2}, leaky},
		{"a zero that isn't", map[string]float32{"zero": 0.1, "alpha": 0.2}, leaky},
		{"a zero of the caller's", map[string]float32{"alpha": 0.2}, []string{"c = Greater(x, dz)", leaky[1], leaky[2]}},
		{"an alpha of the caller's", map[string]float32{"zero": 0}, []string{leaky[0], "s = Mul(dy, dz)", leaky[2]}},
		{"another gradient leaks", map[string]float32{"zero": 0, "alpha": 0.2}, []string{leaky[0], "s = Mul(dz, alpha)", leaky[2]}},
		{"the other way round", map[string]float32{"zero": 0, "alpha": 0.2}, []string{leaky[0], leaky[1], "y = Where(c, s, dy)"}},
		{"below 0", map[string]float32{"zero": 0, "alpha": 0.2}, []string{"c = Less(x, zero)", leaky[1], leaky[2]}},
		{"a sum", map[string]float32{"zero": 0, "alpha": 0.2}, []string{leaky[0], "s = Add(dy, alpha)", leaky[2]}},
	} {
		m := scalars("x dy dz", "y", 2, c.constants, c.nodes...)
		before := marshal(t, m)
		if err := pass.Slope(m); err != nil || string(marshal(t, m)) != string(before) {
			t.Errorf("%s: rewritten (%v) to %v", c.name, err, text(m))
		}
	}
	m := scalars("x dy", "y", 2, map[string]float32{"zero": 0, "alpha": 0.2}, leaky...)
	m.Graph.Input = append(m.Graph.Input, vector("alpha"))
	before := marshal(t, m)
	if err := pass.Slope(m); err != nil || string(marshal(t, m)) != string(before) {
		t.Errorf("an alpha that is only a default: rewritten (%v) to %v", err, text(m))
	}
}
