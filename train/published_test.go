package train

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/dataset"
)

// TestPublishedGANsTrain trains each published GAN at full size: every
// loss is finite, both networks change, and a second training from the same
// seed is at the same bytes. On the tape the second one stops early, since the
// whole takes minutes; after it, each step depends on nothing but those bytes
// and counters.
func TestPublishedGANsTrain(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: -short; this takes minutes")
	}
	for _, c := range []struct {
		name          string
		engine        Engine
		batch         int
		steps, repeat int
	}{
		{"guo-mlp", Tape, 128, 100, 30},
		{"guo-mlp", ORT, 128, 500, 500},
		{"michelucci-dcgan", Tape, 64, 8, 3},
		{"michelucci-dcgan", ORT, 64, 20, 20},
		{"michelucci-cgan", Tape, 16, 5, 2},
		{"michelucci-cgan", ORT, 16, 10, 10},
		{"fredriksson-2d", Tape, 16, 100, 100},
		{"fredriksson-2d", ORT, 16, 100, 100},
		{"intro-mlp", ORT, 128, 100, 100},
		{"silva-dcgan", ORT, 8, 6, 6},
	} {
		t.Run(c.name+"/"+string(c.engine), func(t *testing.T) {
			gan, err := arch.Find(c.name, "")
			if err != nil {
				t.Fatal(err)
			}
			gan.Recipe.Batch = c.batch
			data := examplesFor(t, gan)
			begun := tinyModel(t, gan).State
			first := trained(t, gan, data, c.engine)
			losses := steps(t, first, c.repeat)
			early := written(t, first)
			all := slices.Concat(losses, steps(t, first, c.steps-c.repeat))
			t.Logf("step %d: losses %.3f", c.steps, all[c.steps-1])
			if err := first.Store(); err != nil {
				t.Fatal(err)
			}
			for _, name := range weightNames(begun) {
				if slices.Equal(floats(begun[name]), floats(first.Model.State[name])) {
					t.Errorf("%s is as it was before %d steps", name, c.steps)
				}
			}

			second := trained(t, gan, data, c.engine)
			if diff := cmp.Diff(losses, steps(t, second, c.repeat)); diff != "" {
				t.Errorf("losses of the first %d steps (-first +second):\n%s", c.repeat, diff)
			}
			compareFiles(t, early, written(t, second), names(early))
		})
	}
}

func trained(t *testing.T, gan arch.GAN, data Examples, e Engine) *Trainer {
	t.Helper()
	trainer, err := NewTrainer(tinyModel(t, gan), data, Options{Engine: e})
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, trainer)
	return trainer
}

// steps performs n steps and returns their losses, which must be finite.
func steps(t *testing.T, trainer *Trainer, n int) [][]float64 {
	t.Helper()
	var all [][]float64
	for range n {
		losses, err := trainer.Step()
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range losses {
			if math.IsNaN(l) || math.IsInf(l, 0) {
				t.Fatalf("step %d: losses %v", trainer.Model.Step, losses)
			}
		}
		all = append(all, losses)
	}
	return all
}

// written gives the bytes of a model's checkpoint and exports.
func written(t *testing.T, trainer *Trainer) map[string][]byte {
	t.Helper()
	if err := trainer.Store(); err != nil {
		t.Fatal(err)
	}
	m := trainer.Model
	folder := t.TempDir()
	if err := m.Save(folder + "/checkpoint.safetensors"); err != nil {
		t.Fatal(err)
	}
	for _, role := range []arch.Role{arch.Generator, arch.Discriminator} {
		report, err := m.Export(t.Context(), role, folder+"/"+string(role)+".onnx", ExportOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s after %d steps: on ONNX Runtime within %.1e of its graph", role, m.Step, report.Largest)
	}
	return files(t, folder)
}

// The recipe of the literal variant is another training from the same start.
func TestVariantsTrainAnotherWay(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: -short; full-size networks")
	}
	data, err := dataset.MNIST(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var after []map[string][]float32
	for _, variant := range []string{"", "literal"} {
		gan, err := arch.Find("guo-mlp", variant)
		if err != nil {
			t.Fatal(err)
		}
		trainer := trained(t, gan, data, Tape)
		steps(t, trainer, 1)
		weights := map[string][]float32{}
		for name, v := range trainer.Model.State {
			weights[name] = floats(v)
		}
		after = append(after, weights)
	}
	for name := range after[0] {
		moved := !slices.Equal(after[0][name], after[1][name])
		// Adam's first moment holds beta1, and the rate moves the weights.
		want := strings.HasPrefix(name, "generator/") && !strings.HasSuffix(name, "/v")
		if moved != want {
			t.Errorf("%s differs: %v, want %v", name, moved, want)
		}
	}
}
