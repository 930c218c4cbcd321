package train

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/gantrain/gantrain/train/record"
)

// undisturbed trains a run from start to end and gives its files.
func undisturbed(t *testing.T, v variety) map[string][]byte {
	t.Helper()
	r := newRunOn(t, v.gan, v.engine)
	trainToEnd(t, r)
	return files(t, r.Folder)
}

func status(t *testing.T, folder string) Status {
	t.Helper()
	report, err := ReadReport(folder)
	if err != nil {
		t.Fatal(err)
	}
	return report.Status
}

// Stopped before the first step, inside an epoch, at its end, and twice.
func TestInterruptedRunsEndAsIfUndisturbed(t *testing.T) {
	stops := [][]int{{2, 7}, {0}, {1}, {3}, {10}}
	if testing.Short() {
		stops = stops[:1]
	}
	for _, v := range varieties() {
		want := undisturbed(t, v)
		for _, at := range stops {
			t.Run(fmt.Sprint(v.name, at), func(t *testing.T) { interruptAndResume(t, v, at, want) })
		}
	}
}

// interruptAndResume stops a run after each of some steps, and goes on to the
// end.
func interruptAndResume(t *testing.T, v variety, stops []int, want map[string][]byte) {
	r := newRunOn(t, v.gan, v.engine)
	for _, step := range stops {
		if err := interrupt(t, r, step); !errors.Is(err, context.Canceled) {
			t.Fatalf("error %v, want %v", err, context.Canceled)
		}
		if got := status(t, r.Folder); got != Interrupted {
			t.Errorf("run.json says %q, want %q", got, Interrupted)
		}
		r = openTinyRun(t, r.Folder)
		if r.Model().Step != step || r.Engine() != v.engine {
			t.Errorf("goes on from step %d on %s, want %d on %s", r.Model().Step, r.Engine(), step, v.engine)
		}
	}
	trainToEnd(t, r)
	compareFiles(t, want, files(t, r.Folder), results(v.gan))
}

// Ctrl-C in the last step: the run is at its goal, so it has finished.
func TestInterruptedAtTheGoalIsFinished(t *testing.T) {
	r := newTinyRun(t, tiny())
	if err := interrupt(t, r, tinyGoal); err != nil {
		t.Error(err)
	}
	if got := status(t, r.Folder); got != Finished {
		t.Errorf("run.json says %q, want %q", got, Finished)
	}
}

// Killed at step 5, the newest checkpoint is that of step 3. What the process
// left of the losses may be nothing, whole rows past the checkpoint, or a torn
// one; the run must end as if undisturbed.
func TestKilledRunsEndAsIfUndisturbed(t *testing.T) {
	want := undisturbed(t, varieties()[0])
	row := func(step int) string { return fmt.Sprint(step) + strings.Repeat(",1.25e-3", len(tinyColumns)) + "\n" }
	for name, tail := range map[string]string{
		"nothing written": "", "rows past the checkpoint": row(4) + row(5), "a torn row": row(4) + row(5)[:20], "half a number": "4,",
	} {
		t.Run(name, func(t *testing.T) {
			r := newTinyRun(t, tiny())
			kill(t, r, 5)
			f, err := os.OpenFile(r.Path("losses.csv"), os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteString(tail); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			if got := status(t, r.Folder); got != Running {
				t.Errorf("run.json says %q, want %q", got, Running)
			}
			resumed := openTinyRun(t, r.Folder)
			if resumed.Model().Step != 3 {
				t.Errorf("goes on from step %d, want 3", resumed.Model().Step)
			}
			trainToEnd(t, resumed)
			compareFiles(t, want, files(t, r.Folder), append(results(tiny()), names(want)...))
		})
	}
}

// While a resumed run trains, run.json says so.
func TestResumedRunsAreRunning(t *testing.T) {
	r := newTinyRun(t, tiny())
	if err := interrupt(t, r, 1); err == nil {
		t.Fatal("not interrupted")
	}
	resumed := openTinyRun(t, r.Folder)
	kill(t, resumed, 2) // before its first checkpoint
	if got := status(t, r.Folder); got != Running {
		t.Errorf("run.json says %q, want %q", got, Running)
	}
}

// A table of losses that has lost steps is not gone on with.
func TestOpenRunWithLostLosses(t *testing.T) {
	r := newTinyRun(t, tiny())
	if err := interrupt(t, r, 2); err == nil {
		t.Fatal("not interrupted")
	}
	table, err := os.ReadFile(r.Path("losses.csv"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(table), "\n")
	write(t, r.Path("losses.csv"), strings.Join(lines[:2], ""))
	_, err = OpenRun(t.Context(), r.Folder, noiseImages(tinyImages), "", Options{})
	if want := r.Path("losses.csv") + ": it ends at step 1, the newest checkpoint is of step 2"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one with %q", err, want)
	}
}

func TestOpenRunErrors(t *testing.T) {
	for want, spoil := range map[string]func(*Run){
		"run.json: no such file":             func(r *Run) { remove(t, r.Path("run.json")) },
		"run.json is no report":              func(r *Run) { write(t, r.Path("run.json"), "{") },
		"is no run folder":                   func(r *Run) { remove(t, r.Path("checkpoints")) },
		"holds no checkpoint":                func(r *Run) { remove(t, r.Path("checkpoints", checkpointName(0))) },
		"step-000000000.safetensors":         func(r *Run) { write(t, r.Path("checkpoints", checkpointName(0)), "half") },
		"losses.csv: no such file":           func(r *Run) { remove(t, r.Path("losses.csv")) },
		"gantrain: no such file":             func(r *Run) { remove(t, r.Path(record.EventsFile)) },
		"its columns are [d_loss g_loss], a": func(r *Run) { write(t, r.Path("losses.csv"), "step,d_loss,g_loss\n") },
		"not a table of losses":              func(r *Run) { write(t, r.Path("losses.csv"), "foreign\n") },
		`it was trained on engine "abacus"`:  func(r *Run) { r.report.Engine = "abacus"; rewrite(t, r) },
		"run.json says tiny, seed 2":         func(r *Run) { r.report.Seed = 2; rewrite(t, r) },
		"seed 1; run.json says other, seed":  func(r *Run) { r.report.GAN = "other"; rewrite(t, r) },
		"trained on 12 images of noise; the": func(r *Run) { r.report.Data.Images = 12; rewrite(t, r) },
	} {
		r := newTinyRun(t, tiny())
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		spoil(r)
		before := files(t, r.Folder)
		_, err := OpenRun(t.Context(), r.Folder, noiseImages(tinyImages), "", Options{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), r.Folder) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want one line with %q and the folder", err, want)
		}
		compareFiles(t, before, files(t, r.Folder), names(before))
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func rewrite(t *testing.T, r *Run) {
	t.Helper()
	if err := r.report.write(r.Folder); err != nil {
		t.Fatal(err)
	}
}
