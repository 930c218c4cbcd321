package pass_test

import (
	"maps"
	"testing"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/export/pass"
	"github.com/gantrain/gantrain/train"
	"github.com/gantrain/gantrain/train/arch"
)

// deep is a GAN whose discriminator has layers that both losses go back through.
func deep(simultaneous bool, changes ...func(*arch.GAN)) arch.GAN {
	gan := small([]arch.Update{{Trains: arch.Discriminator, RealLabel: 1}, {Trains: arch.Generator, FakeLabel: 1}}, simultaneous)
	leaky := arch.LeakyReLU{Slope: 0.2}
	gan.Discriminator.Layers = arch.Layers{
		arch.Conv2D{Filters: 4, Kernel: 5, Stride: 2, Init: arch.Glorot}, leaky, arch.Dropout{Rate: 0.3},
		arch.Conv2D{Filters: 6, Kernel: 3, Stride: 2, Init: arch.Glorot}, leaky,
		arch.Flatten{}, arch.Dense{Units: 8, Init: arch.Glorot}, leaky, arch.Dropout{Rate: 0.3},
		arch.Dense{Units: 1, Init: arch.Glorot},
	}
	for _, change := range changes {
		change(&gan)
	}
	return gan
}

// prepared is a step in the form in which Backward finds it, and its inputs.
func prepared(t *testing.T, gan arch.GAN) (*onnxpb.ModelProto, map[string]*tensor.Dense) {
	t.Helper()
	plan, err := train.NewPlan(gan, 3, tensor.Float32)
	if err != nil {
		t.Fatal(err)
	}
	_, m := join(t, plan)
	_, in := feeds(plan)
	maps.Copy(in, midway(t, gan))
	if err := pass.Fast(m, pass.Pass{Name: "slope", Apply: pass.Slope}, pass.Pass{Name: "gate", Apply: pass.Gate}); err != nil {
		t.Fatal(err)
	}
	return m, in
}

// TestBackward: the layers that both losses go back through are gone through
// once, and the results stay.
func TestBackward(t *testing.T) {
	m, in := prepared(t, deep(true))
	after := clone(m)
	if err := pass.Backward(after); err != nil {
		t.Fatal(err)
	}
	// The second convolution's gradient for the generated images; behind it, in
	// the graph, those of the dense layers.
	for op, fewer := range map[string]int{"ConvTranspose": 1, "Gemm": 3} {
		if before, now := count(m, op), count(after, op); before-now != fewer {
			t.Errorf("%d %s nodes before and %d after, want %d fewer", before, op, now, fewer)
		}
	}
	want := run(t, m, only(m, in))
	for name, v := range run(t, after, only(after, in)) {
		if d := difference(v, want[name]); !(d <= 1e-5) { // float32, factors in another order
			t.Errorf("%s differs by %.1e of its largest", name, d)
		}
	}
	once := marshal(t, after)
	if err := pass.Backward(after); err != nil || string(marshal(t, after)) != string(once) {
		t.Errorf("a second run changes what the first made (%v)", err)
	}
}

// TestBackwardLeaves alone a step whose losses share no way back.
func TestBackwardLeaves(t *testing.T) {
	norm := func(g *arch.GAN) {
		l := g.Discriminator.Layers
		g.Discriminator.Layers = append(l[:len(l)-4:len(l)-4], arch.BatchNorm{Momentum: 0.9, Epsilon: 1e-3}, arch.Dense{Units: 1, Init: arch.Glorot})
	}
	alone := func(g *arch.GAN) { g.Recipe.Updates = g.Recipe.Updates[:1] }
	for _, c := range []struct {
		name string
		gan  arch.GAN
	}{
		{"the discriminator changes between the updates", deep(false)},
		{"one loss", deep(true, alone)},
		{"examples meet before the first shared layer", deep(true, norm)},
		{"nothing but the last layer is shared", small([]arch.Update{{Trains: arch.Discriminator, RealLabel: 1}, {Trains: arch.Generator, FakeLabel: 1}}, true)},
	} {
		m, _ := prepared(t, c.gan)
		before := marshal(t, m)
		if err := pass.Backward(m); err != nil || string(marshal(t, m)) != string(before) {
			t.Errorf("%s: rewritten (%v)", c.name, err)
		}
	}
}
