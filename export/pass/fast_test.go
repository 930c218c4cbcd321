package pass_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/export/pass"
	"github.com/gantrain/gantrain/train"
	"github.com/gantrain/gantrain/train/arch"
)

// TestFastStep: every pass alone, and all of them, change a step by rounding at
// most, and no more when they run again.
func TestFastStep(t *testing.T) {
	joined := arch.Update{Trains: arch.Discriminator, RealLabel: 0.9, Joined: true, Predicted: true}
	later := arch.Update{Trains: arch.Generator, FakeLabel: 1, Noise: 1}
	every := slices.Concat(pass.All, []pass.Pass{{Name: "all", Apply: func(m *onnxpb.ModelProto) error { return pass.Fast(m) }}})
	for _, gan := range []arch.GAN{
		small([]arch.Update{joined, later}, false),
		deep(true),
		published(t, "guo-mlp"),
	} {
		if testing.Short() && gan.Name != "small" {
			continue
		}
		plan, err := train.NewPlan(gan, 3, tensor.Float32)
		if err != nil {
			t.Fatal(err)
		}
		_, plain := join(t, plan)
		_, in := feeds(plan)
		maps.Copy(in, midway(t, gan))
		want := run(t, plain, only(plain, in))
		for _, p := range every {
			t.Run(gan.Name+" "+p.Name, func(t *testing.T) {
				m := clone(plain)
				if err := pass.Fast(m, p); err != nil {
					t.Fatal(err)
				}
				for name, v := range run(t, m, only(m, in)) {
					if d := difference(v, want[name]); !(d <= 1e-5) { // float32, sums of up to 1024 terms
						t.Errorf("%s differs by %.1e of its largest", name, d)
					}
				}
				once := marshal(t, m)
				if err := pass.Fast(m, p); err != nil || string(marshal(t, m)) != string(once) {
					t.Errorf("error %v, or changed again to %v", err, text(m))
				}
			})
		}
	}
}

// An error names the pass.
func TestFastError(t *testing.T) {
	m := model("x", "y", nil, "y = Neg(x)")
	refuse := pass.Pass{Name: "refuse", Apply: func(*onnxpb.ModelProto) error { return errors.New("no") }}
	if err := pass.Fast(m, refuse); err == nil || !strings.Contains(err.Error(), "pass refuse: no") {
		t.Errorf("error %v", err)
	}
}
