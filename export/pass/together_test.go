package pass_test

import (
	"maps"
	"testing"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export/pass"
	"github.com/gantrain/gantrain/train"
	"github.com/gantrain/gantrain/train/arch"
)

// dense is a GAN of dense layers, whose generator runs for both updates.
func dense(again, noise int) arch.GAN {
	gan := small([]arch.Update{
		{Trains: arch.Discriminator, RealLabel: 0.9, Joined: true, Predicted: true},
		{Trains: arch.Generator, FakeLabel: 1, Noise: noise},
	}, false)
	leaky := arch.LeakyReLU{Slope: 0.2}
	gan.Generator.Layers = arch.Layers{
		arch.Dense{Units: 12, Init: arch.Glorot}, leaky, arch.Dense{Units: 20, Init: arch.Glorot}, arch.ReLU{},
		arch.Dense{Units: 64, Init: arch.Glorot}, arch.Tanh{}, arch.Reshape{Shape: gan.Image},
	}
	for range again {
		gan.Recipe.Updates = append(gan.Recipe.Updates, arch.Update{Trains: arch.Generator, FakeLabel: 1, Noise: noise + 1})
	}
	return gan
}

// TestTogether: the generator's layers work on the latent vectors of both
// updates at once, and the results stay.
func TestTogether(t *testing.T) {
	for _, c := range []struct {
		name  string
		gan   arch.GAN
		fewer int // products
	}{
		{"two inputs", dense(0, 1), 3},
		{"one input", dense(0, 0), 0}, // which Dedupe has made one
		{"weights that have changed for the third", dense(1, 1), 3},
		{"statistics of a batch behind the first product", small([]arch.Update{
			{Trains: arch.Discriminator, RealLabel: 1}, {Trains: arch.Generator, FakeLabel: 1, Noise: 1},
		}, false), 1},
	} {
		plan, err := train.NewPlan(c.gan, 3, tensor.Float32)
		if err != nil {
			t.Fatal(err)
		}
		_, m := join(t, plan)
		_, in := feeds(plan)
		maps.Copy(in, midway(t, c.gan))
		after := clone(m)
		if err := pass.Together(after); err != nil {
			t.Fatal(err)
		}
		if before, now := count(m, "Gemm"), count(after, "Gemm"); before-now != c.fewer {
			t.Errorf("%s: %d products before and %d after, want %d fewer", c.name, before, now, c.fewer)
		}
		want := run(t, m, only(m, in))
		for name, v := range run(t, after, only(after, in)) {
			if d := difference(v, want[name]); !(d <= 1e-5) { // float32: a product may add up in another order
				t.Errorf("%s: %s differs by %.1e of its largest", c.name, name, d)
			}
		}
		once := marshal(t, after)
		if err := pass.Together(after); err != nil || string(marshal(t, after)) != string(once) {
			t.Errorf("%s: a second run changes what the first made (%v)", c.name, err)
		}
	}
}
