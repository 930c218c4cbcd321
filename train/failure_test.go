package train

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/engine"
)

func nan() float64 { return math.NaN() }

// failAt trains a run that is spoilt after a step, and returns its error.
func failAt(t *testing.T, r *Run, step int, spoil func()) error {
	t.Helper()
	r.OnStep = func(done int, _ []float64) {
		if done == step {
			err := r.trainer.Store()
			spoil()
			if err := errors.Join(err, r.trainer.current.Load()); err != nil {
				t.Error(err)
			}
		}
	}
	err := r.Train(t.Context())
	if closing := r.Close(); closing != nil {
		t.Error(closing)
	}
	if err == nil || strings.Contains(err.Error(), "\n") {
		t.Fatalf("error %v, want one line", err)
	}
	return err
}

// checkLastGood checks that a failed run's newest checkpoint is that of a step,
// that it loads, and that run.json says what happened.
func checkLastGood(t *testing.T, r *Run, step int, err error) {
	t.Helper()
	if got := status(t, r.Folder); got != Failed {
		t.Errorf("run.json says %q, want %q", got, Failed)
	}
	m, loadErr := LatestModel(r.Folder)
	if loadErr != nil {
		t.Fatal(loadErr)
	}
	if m.Step != step || !m.finite() {
		t.Errorf("the newest checkpoint is of step %d, finite: %v; want step %d", m.Step, m.finite(), step)
	}
	namesLastGood(t, r, step, err)
}

// namesLastGood checks that an error ends with the checkpoint of a step.
func namesLastGood(t *testing.T, r *Run, step int, err error) {
	t.Helper()
	want := fmt.Sprintf("; the last good checkpoint is %s (step %d)", r.Path("checkpoints", checkpointName(step)), step)
	if !strings.HasSuffix(err.Error(), want) {
		t.Errorf("error %v, want its end to be %s", err, want)
	}
}

// A weight turns NaN after step 4: the losses of step 5 show it, the checkpoint
// of step 3 stays the newest, and the models are those of step 3.
func TestDivergedLossesStopTheRun(t *testing.T) {
	r := newTinyRun(t, tiny())
	var exported []byte
	err := failAt(t, r, 4, func() {
		exported = files(t, r.Folder)["generator.onnx"]
		floats(r.Model().State["generator/dense1/weight"])[0] = float32(math.NaN())
	})
	diverged, ok := errors.AsType[*Diverged](err)
	if !ok || diverged.Step != 5 || !strings.Contains(err.Error(), "step 5: the losses are [NaN NaN]: training has diverged") {
		t.Errorf("error %v, want divergence at step 5", err)
	}
	checkLastGood(t, r, 3, err)
	left := files(t, r.Folder)
	if !cmp.Equal(exported, left["generator.onnx"]) {
		t.Error("generator.onnx has changed since step 3")
	}
	if lines := strings.Count(string(left["losses.csv"]), "\n"); lines != 1+4 {
		t.Errorf("losses.csv has %d lines, want the names and steps 1 to 4", lines)
	}

	// From the last good checkpoint the run can go on.
	resumed := openTinyRun(t, r.Folder)
	trainToEnd(t, resumed)
	compareFiles(t, undisturbed(t, varieties()[0]), files(t, r.Folder), results(tiny()))
}

// A running variance that is no number does not show in any loss; what is
// saved is looked at too.
func TestASpoiltStateIsNeverSaved(t *testing.T) {
	r := newTinyRun(t, tiny())
	err := failAt(t, r, 4, func() {
		floats(r.Model().State["generator/batchnorm1/variance"])[0] = float32(math.Inf(1))
	})
	if diverged, ok := errors.AsType[*Diverged](err); !ok || diverged.Step != 6 {
		t.Errorf("error %v, want divergence at step 6, where a checkpoint is due", err)
	}
	checkLastGood(t, r, 3, err)
}

// Nothing is planted here: pictures of 1e38 and more overflow by themselves.
func TestOverflowIsNoticed(t *testing.T) {
	gan := tiny(func(g *arch.GAN) {
		g.Generator.Layers = arch.Layers{
			arch.Dense{Units: 64, Init: arch.Normal(1e19)}, arch.Dense{Units: 64, Init: arch.Normal(1e19)}, arch.Reshape{Shape: g.Image},
		}
		g.Discriminator.Layers = arch.Layers{arch.Flatten{}, arch.Dense{Units: 1, Init: arch.Glorot}}
	})
	_, err := tinyTrainer(t, gan, tinyImages).Step()
	if diverged, ok := errors.AsType[*Diverged](err); !ok || diverged.Step != 1 {
		t.Errorf("error %v, want divergence at step 1", err)
	}
}

// The folder of checkpoints becomes a file: what was trained since can't be
// saved, and the error says what is in the way.
func TestAFolderThatCanNoLongerBeWritten(t *testing.T) {
	r := newTinyRun(t, tiny())
	err := failAt(t, r, 4, func() {
		if err := os.Rename(r.Path("checkpoints"), r.Path("moved")); err != nil {
			t.Fatal(err)
		}
		write(t, r.Path("checkpoints"), "in the way")
	})
	if !strings.Contains(err.Error(), fmt.Sprint(r.Path("checkpoints", checkpointName(6)))) {
		t.Errorf("error %v does not name the checkpoint of step 6", err)
	}
	namesLastGood(t, r, 3, err)
	if got := status(t, r.Folder); got != Failed {
		t.Errorf("run.json says %q, want %q", got, Failed)
	}
	remove(t, r.Path("checkpoints"))
	if err := os.Rename(r.Path("moved"), r.Path("checkpoints")); err != nil {
		t.Fatal(err)
	}
	trainToEnd(t, openTinyRun(t, r.Folder))
	compareFiles(t, undisturbed(t, varieties()[0]), files(t, r.Folder), results(tiny()))
}

// dying is a program that fails at a step, as one does whose GPU is gone.
type dying struct {
	engine.Program
	steps int // of its own that it has left
	err   error
}

func (d *dying) Run(feed engine.Feed) ([]float64, error) {
	if d.steps == 0 {
		return nil, d.err
	}
	d.steps--
	return d.Program.Run(feed)
}

// A step fails: the error names the step, the cause and the last good
// checkpoint, from which the run ends as one that never failed.
func TestAProviderDies(t *testing.T) {
	gone := errors.New("CUDA failure 719: unspecified launch failure on GPU 0")
	for _, c := range []struct {
		cause          error
		own            int // steps of the program, without those of fewer images: 3, 6 and 9
		step, lastGood int
	}{{gone, 3, 5, 3}, {runtime.ErrOutOfMemory, 4, 7, 6}} {
		r := newTinyRun(t, tiny())
		r.trainer.current.Program = &dying{r.trainer.current.Program, c.own, c.cause}
		err := failAt(t, r, -1, nil)
		if want := fmt.Sprintf("train: step %d: %v; ", c.step, c.cause); !errors.Is(err, c.cause) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %s...", err, want)
		}
		checkLastGood(t, r, c.lastGood, err)
		resumed := openTinyRun(t, r.Folder)
		trainToEnd(t, resumed)
		compareFiles(t, undisturbed(t, varieties()[0]), files(t, r.Folder), results(tiny()))
	}
}

// A resumed run that fails before its next checkpoint names the one that it
// went on from, also where run.json was left behind by a kill.
func TestAResumedRunFails(t *testing.T) {
	r := newTinyRun(t, tiny())
	for range 5 { // as far as a killed run: checkpoints of steps 0 and 3
		losses, err := r.trainer.Step()
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(r.losses.Append(r.Model().Step, losses...), r.keep(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	r.report.Step = 0
	if err := errors.Join(r.report.write(r.Folder), r.Close()); err != nil {
		t.Fatal(err)
	}
	resumed := openTinyRun(t, r.Folder)
	resumed.trainer.current.Program = &dying{Program: resumed.trainer.current.Program, err: errors.New("gone")}
	checkLastGood(t, resumed, 3, failAt(t, resumed, -1, nil))
}
