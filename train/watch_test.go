package train

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/train/arch"
)

// A discriminator that is always right, against a loss that rises, is said once,
// and in the report.
func TestRunsWarn(t *testing.T) {
	r := newTinyRun(t, tiny())
	var said []string
	r.OnWarning = func(line string) { said = append(said, line) }
	for step := 1; step <= 1000; step++ {
		r.Model().Step = step
		if err := r.watch([]float64{0, 0, 0, 0, 1, 0.98, 0.02}); err != nil {
			t.Fatal(err)
		}
	}
	if len(said) != 1 || !strings.HasPrefix(said[0], "no convergence: ") {
		t.Errorf("said %q, want one line about convergence", said)
	}
	same := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(4, 1, 8, 8))
	for step := 1100; step <= 1500; step += 100 {
		r.Model().Step = step
		if err := r.watchSamples(same); err != nil {
			t.Fatal(err)
		}
	}
	if len(said) != 2 || !strings.HasPrefix(said[1], "mode collapse: ") {
		t.Errorf("said %q, want a second line about collapse", said)
	}
	r.Model().Step = 0
	trainToEnd(t, r)
	page := string(files(t, r.Folder)["report.html"])
	for _, want := range []string{"no convergence", "mode collapse"} {
		if !strings.Contains(page, want) {
			t.Errorf("report.html lacks %q", want)
		}
	}
}

// Samples are looked at when no grid is due, and a run that makes one picture from
// all noise says so.
func TestCollapseIsSeenBetweenGrids(t *testing.T) {
	gan := tiny(func(g *arch.GAN) { g.Grid.Every = 1000 })
	r := newTinyRun(t, gan)
	var said []string
	r.OnWarning = func(line string) { said = append(said, line) }
	for step := 601; step <= 900; step++ {
		r.Model().Step = step
		if err := r.watchSpread(); err != nil {
			t.Fatal(err)
		}
	}
	if len(said) != 0 {
		t.Fatalf("a generator that was just made: %q", said)
	}
	for name, v := range r.Model().Weights(arch.Generator) {
		if strings.HasSuffix(name, "/weight") {
			clear(floats(v))
		}
	}
	if err := r.trainer.current.Load(); err != nil {
		t.Fatal(err)
	}
	for step := 901; step <= 1200; step++ {
		r.Model().Step = step
		if err := r.watchSpread(); err != nil {
			t.Fatal(err)
		}
	}
	if len(said) != 1 || !strings.HasPrefix(said[0], "mode collapse: ") || !strings.Contains(said[0], "since step 1000") {
		t.Errorf("said %q, want one line about collapse since step 1000", said)
	}
}

// A checkpoint holds what was seen, so that a resumed run goes on the same.
func TestTheWatchIsResumed(t *testing.T) {
	gan := tiny(func(g *arch.GAN) { g.Grid.Steps = 2 })
	r := newTinyRun(t, gan)
	if err := interrupt(t, r, 5); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	resumed := openTinyRun(t, r.Folder)
	if diff := cmp.Diff(r.Model().Watch, resumed.Model().Watch); diff != "" || resumed.Model().Watch.Current.Real.Count != 5 {
		t.Errorf("watch (-before +after):\n%s", diff)
	}
	if err := resumed.Close(); err != nil {
		t.Fatal(err)
	}
}
