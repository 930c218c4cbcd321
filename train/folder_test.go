package train

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/record"
)

// The tests of runs train the tiny GAN on 10 images in batches of 4, 3 steps an
// epoch, for 11 steps: a run that ends within an epoch.
const (
	tinyImages = 10
	tinyGoal   = 11
)

// newTinyRun starts a run in a new folder, on ONNX Runtime.
func newTinyRun(t *testing.T, gan arch.GAN) *Run {
	t.Helper()
	return newRunOn(t, gan, ORT)
}

func newRunOn(t *testing.T, gan arch.GAN, e Engine) *Run {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "run")
	r, err := NewRun(t.Context(), folder, tinyModel(t, gan), noiseImages(tinyImages), tinyGoal, "", Options{Engine: e})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func openTinyRun(t *testing.T, folder string) *Run {
	t.Helper()
	r, err := OpenRun(t.Context(), folder, noiseImages(tinyImages), "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// trainToEnd trains to the goal and closes the run.
func trainToEnd(t *testing.T, r *Run) {
	t.Helper()
	if err := r.Train(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

// interrupt trains a run and cancels it after a step.
func interrupt(t *testing.T, r *Run, after int) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r.OnStep = func(step int, _ []float64) {
		if step == after {
			cancel()
		}
	}
	if after == 0 {
		cancel()
	}
	err := r.Train(ctx)
	if closing := r.Close(); closing != nil {
		t.Error(closing)
	}
	return err
}

// kill trains a run and leaves it after a step as a process does that is
// killed: nothing is closed but the lock, and what is in memory is lost.
func kill(t *testing.T, r *Run, after int) {
	t.Helper()
	defer func() {
		if got := recover(); got != "killed" {
			t.Fatalf("the run was not killed: %v", got)
		}
		if err := r.unlock(); err != nil { // as the end of a process does
			t.Error(err)
		}
	}()
	r.OnStep = func(step int, _ []float64) {
		if step == after {
			panic("killed")
		}
	}
	t.Errorf("trained to the end: %v", r.Train(t.Context()))
}

// files reads a folder and what is below it.
func files(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		if name = filepath.ToSlash(name); name != lockFile { // it holds nothing
			out[name], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func names(files map[string][]byte) []string { return slices.Sorted(maps.Keys(files)) }

// compareFiles reports files that are in one folder alone, or differ.
func compareFiles(t *testing.T, want, got map[string][]byte, names []string) {
	t.Helper()
	for _, name := range names {
		a, inWant := want[name]
		b, inGot := got[name]
		switch {
		case !inWant || !inGot:
			t.Errorf("%s: there: %v and %v", name, inWant, inGot)
		case !bytes.Equal(a, b):
			t.Errorf("%s differs: %d and %d bytes", name, len(a), len(b))
		}
	}
}

// variety is one of the ways to train that must repeat and resume alike.
type variety struct {
	name   string
	gan    arch.GAN
	engine Engine
}

func varieties() []variety {
	return []variety{
		{"alternating on ONNX Runtime", tiny(), ORT},
		{"simultaneous on ONNX Runtime", tiny(simultaneous), ORT},
		{"alternating on the tape", tiny(), Tape},
		{"simultaneous on the tape", tiny(simultaneous), Tape},
		{"phases and an average on ONNX Runtime", tiny(phases, average), ORT},
		{"phases and an average on the tape", tiny(phases, average), Tape},
	}
}

// results are the files that a finished run must hold, however often it was
// stopped.
func results(gan arch.GAN) []string {
	names := []string{
		fmt.Sprintf("checkpoints/step-%09d.safetensors", tinyGoal), fmt.Sprintf("samples/step-%09d.png", tinyGoal),
		"samples/real.png", "samples/step-000000003.png", "samples/step-000000006.png",
		"generator.onnx", "discriminator.onnx", "losses.csv", "losses.png", "run.json",
		"samples/samples.gif", "histogram.png", "report.html", record.EventsFile,
	}
	if gan.Recipe.EMA > 0 {
		names = append(names, "generator-plain.onnx")
	}
	return names
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
