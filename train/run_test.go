package train

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/record"
)

func TestARunLeavesWhatItPromises(t *testing.T) {
	r := newTinyRun(t, tiny())
	begun := names(files(t, r.Folder))
	want := []string{
		"checkpoints/step-000000000.safetensors", "discriminator.onnx", record.EventsFile, "generator.onnx", "losses.csv", "run.json",
		"samples/real.png",
	}
	if diff := cmp.Diff(want, begun); diff != "" {
		t.Errorf("files at the start (-want +got):\n%s", diff)
	}
	var steps []int
	r.OnStep = func(step int, losses []float64) {
		steps = append(steps, step)
		if len(losses) != len(tinyColumns) {
			t.Errorf("step %d: losses %v", step, losses)
		}
	}
	trainToEnd(t, r)
	if len(steps) != tinyGoal || steps[0] != 1 || steps[tinyGoal-1] != tinyGoal {
		t.Errorf("steps %v, want 1 to %d", steps, tinyGoal)
	}
	want = []string{
		"checkpoints/step-000000006.safetensors", "checkpoints/step-000000011.safetensors", // the newest two
		"discriminator.onnx", record.EventsFile, "generator.onnx", "histogram.png", "losses.csv", "losses.png", "report.html", "run.json",
		"samples/real.png", "samples/samples.gif",
		"samples/step-000000003.png", "samples/step-000000006.png", // epochs 1 and 2; 3 is not due
		"samples/step-000000011.png", // the end
	}
	if diff := cmp.Diff(want, names(files(t, r.Folder))); diff != "" {
		t.Errorf("files at the end (-want +got):\n%s", diff)
	}
	table, err := record.ReadLosses(r.Path("losses.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tinyColumns, table.Columns); diff != "" || len(table.Steps) != tinyGoal {
		t.Errorf("%d losses; columns (-want +got):\n%s", len(table.Steps), diff)
	}
	report, err := ReadReport(r.Folder)
	if err != nil {
		t.Fatal(err)
	}
	last := []float64{table.Values[0][tinyGoal-1], table.Values[1][tinyGoal-1]}
	wanted := Report{
		Status: Finished, GAN: "tiny", Seed: 1, Engine: ORT, Provider: runtime.CPU, Goal: tinyGoal, Step: tinyGoal, Losses: last,
		Data: Data{Name: "noise", Images: tinyImages, SHA256: noiseImages(tinyImages).Sum()}, Versions: versions(ORT, runtime.CPU),
	}
	if diff := cmp.Diff(wanted, report, cmp.Comparer(func(a, b float64) bool { return float32(a) == float32(b) })); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

// Samples at steps come without a checkpoint; the last step has one.
func TestSamplesEverySoManySteps(t *testing.T) {
	r := newTinyRun(t, tiny(func(g *arch.GAN) { g.Grid.Steps, g.Grid.Start = 4, true }))
	r.saved = r.saved.Add(time.Hour)
	trainToEnd(t, r)
	var got []string
	for _, name := range names(files(t, r.Folder)) {
		if strings.HasPrefix(name, "samples/") || strings.HasPrefix(name, "checkpoints/") {
			got = append(got, name)
		}
	}
	want := []string{
		"checkpoints/step-000000000.safetensors", "checkpoints/step-000000011.safetensors", "samples/real.png", "samples/samples.gif",
		"samples/step-000000000.png", "samples/step-000000004.png", "samples/step-000000008.png", "samples/step-000000011.png",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// TensorBoard gets each number of each step, and each picture once, also from a
// run that was killed at its end.
func TestEvents(t *testing.T) {
	r := newTinyRun(t, tiny())
	trainToEnd(t, r)
	want := files(t, r.Folder)
	events := string(want[record.EventsFile])
	for tag, times := range map[string]int{"g_loss": tinyGoal, "d_accuracy": tinyGoal, "samples": 3} {
		if got := strings.Count(events, tag); got != times {
			t.Errorf("%s stands %d times in the events, want %d", tag, got, times)
		}
	}
	r.report.Status = Running
	rewrite(t, r)
	trainToEnd(t, openTinyRun(t, r.Folder))
	compareFiles(t, want, files(t, r.Folder), names(want))
}

// What a step did not compute is no event.
func TestEventsOfPhases(t *testing.T) {
	r := newTinyRun(t, tiny(phases))
	trainToEnd(t, r)
	events := string(files(t, r.Folder)[record.EventsFile])
	if got := strings.Count(events, "g_loss"); got != 5 { // in steps 3, 4, 7, 8 and 11
		t.Errorf("g_loss stands %d times in the events, want 5", got)
	}
}

// A GAN of points trains like any other and leaves scatter plots of them.
func TestPointsTrain(t *testing.T) {
	gan, err := arch.Find("fredriksson-2d", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []Engine{ORT, Tape} {
		r, err := NewRun(t.Context(), filepath.Join(t.TempDir(), "run"), tinyModel(t, gan), points(40), 5, "", Options{Engine: e})
		if err != nil {
			t.Fatal(err)
		}
		trainToEnd(t, r)
		want := []string{
			"checkpoints/step-000000000.safetensors", "checkpoints/step-000000005.safetensors",
			"discriminator.onnx", record.EventsFile, "generator.onnx", "histogram.png", "losses.csv", "losses.png", "report.html", "run.json",
			"samples/real.png", "samples/samples.gif", "samples/step-000000000.png", "samples/step-000000005.png",
		}
		if diff := cmp.Diff(want, names(files(t, r.Folder))); diff != "" {
			t.Errorf("%s: files (-want +got):\n%s", e, diff)
		}
		if r.LastSamples() != r.Path("samples", "step-000000005.png") {
			t.Errorf("%s: the last samples are in %s", e, r.LastSamples())
		}
	}
}

func TestInner(t *testing.T) {
	pictures := tensor.New(tensor.WithShape(2, 1, 4, 5), tensor.WithBacking(tensor.Range(tensor.Float32, 0, 40)))
	got := inner(pictures, 1)
	if diff := cmp.Diff([]float32{6, 7, 8, 11, 12, 13, 26, 27, 28, 31, 32, 33}, floats(got)); diff != "" || fmt.Sprint(got.Shape()) != "(2, 1, 2, 3)" {
		t.Errorf("shape %v; values (-want +got):\n%s", got.Shape(), diff)
	}
}

func TestRecipesKeepTheirCheckpoints(t *testing.T) {
	r := newTinyRun(t, tiny(func(g *arch.GAN) { g.Grid.Keep = true }))
	trainToEnd(t, r)
	checkpoints, err := Checkpoints(r.Folder)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, path := range checkpoints {
		got = append(got, filepath.Base(path))
	}
	want := []string{"step-000000003.safetensors", "step-000000006.safetensors", "step-000000011.safetensors"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("checkpoints (-want +got):\n%s", diff)
	}
}

// tinyColumns are those of a discriminator's and a generator's update.
var tinyColumns = []string{"d_loss", "g_loss", "d_loss_real", "d_loss_fake", "d_accuracy", "d_real", "d_fake"}

// A report is left out where it has the name of a loss.
func TestReportsHaveNamesOfTheirOwn(t *testing.T) {
	plan, err := NewPlan(tiny(func(g *arch.GAN) {
		real := g.Recipe.Updates[0]
		real.Only = arch.Real
		g.Recipe.Updates = slices.Insert(g.Recipe.Updates, 0, real)
	}), 4, tensor.Float32)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"d_loss_real", "d_loss", "g_loss", "d_real", "d_loss_fake", "d_accuracy", "d_fake"}
	if diff := cmp.Diff(want, plan.Columns); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
}

func TestLossColumns(t *testing.T) {
	r := arch.Recipe{Updates: []arch.Update{{Trains: arch.Discriminator}, {Trains: arch.Generator}, {Trains: arch.Generator}, {Trains: arch.Discriminator}}}
	if diff := cmp.Diff([]string{"d_loss", "g_loss", "g_loss2", "d_loss2"}, lossColumns(r)); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
}

func TestTheSameSeedGivesTheSameBytes(t *testing.T) {
	for _, v := range varieties() {
		t.Run(v.name, func(t *testing.T) {
			first, second := undisturbed(t, v), undisturbed(t, v)
			if diff := cmp.Diff(names(first), names(second)); diff != "" {
				t.Errorf("files (-first +second):\n%s", diff)
			}
			compareFiles(t, first, second, names(first))
		})
	}
}

func TestAnotherSeedGivesAnotherRun(t *testing.T) {
	states := make([]*Model, 2)
	for i := range states {
		state, err := NewState(tiny(), uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		states[i] = &Model{State: state}
	}
	for _, role := range []string{"generator", "discriminator"} {
		name := role + "/dense1/weight"
		if floats(states[0].State[name])[0] == floats(states[1].State[name])[0] {
			t.Errorf("%s starts alike from seeds 0 and 1", name)
		}
	}
}

// A folder is given back as it was when a run can't start in it.
func TestFailedStartsLeaveNothing(t *testing.T) {
	start := func(folder string, m *Model) error {
		_, err := NewRun(t.Context(), folder, m, noiseImages(tinyImages), 3, "", Options{})
		return err
	}
	poisoned := tinyModel(t, tiny())
	floats(poisoned.State["generator/dense1/weight"])[5] = float32(nan())
	unequal := tinyModel(t, tiny())
	unequal.State["generator/dense1/weight"] = tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(3, 3))
	for name, m := range map[string]*Model{"a weight that is no number": poisoned, "a weight of another shape": unequal} {
		folder := t.TempDir()
		write(t, filepath.Join(folder, "notes.txt"), "mine")
		if err := start(folder, m); err == nil {
			t.Errorf("%s: the run started", name)
		}
		if diff := cmp.Diff([]string{"notes.txt"}, names(files(t, folder))); diff != "" {
			t.Errorf("%s: files (-want +got):\n%s", name, diff)
		}
		if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
			t.Errorf("%s: %d entries, error %v", name, len(entries), err)
		}
	}
}

// What stands under a run's names without being a run's is never replaced.
func TestRunsReplaceNothing(t *testing.T) {
	for _, name := range runFiles {
		folder := t.TempDir()
		write(t, filepath.Join(folder, name), "mine")
		_, err := NewRun(t.Context(), folder, tinyModel(t, tiny()), noiseImages(tinyImages), 3, "", Options{})
		if want := "train: " + filepath.Join(folder, name) + " is in the way: a run needs a folder without one"; err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
		got := files(t, folder)
		if string(got[name]) != "mine" || len(got) != 1 {
			t.Errorf("%s: the folder holds %v", name, names(got))
		}
	}
}

func TestSetAside(t *testing.T) {
	r := newTinyRun(t, tiny())
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, r.Path("notes.txt"), "mine")
	before := files(t, r.Folder)
	aside := func() (discard, restore func() error) {
		t.Helper()
		discard, restore, err := SetAside(r.Folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range runFiles {
			if _, err := os.Lstat(r.Path(name)); err == nil {
				t.Errorf("%s is in the way still", name)
			}
		}
		return discard, restore
	}
	_, restore := aside()
	if err := restore(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, files(t, r.Folder)); diff != "" {
		t.Errorf("files put back (-want +got):\n%s", diff)
	}
	discard, _ := aside()
	if err := discard(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"notes.txt"}, names(files(t, r.Folder))); diff != "" {
		t.Errorf("files left (-want +got):\n%s", diff)
	}
}

// tinyRunAside is a run that is set aside, and what puts it back.
func tinyRunAside(t *testing.T) (r *Run, restore func() error) {
	t.Helper()
	r = newTinyRun(t, tiny())
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	_, restore, err := SetAside(r.Folder)
	if err != nil {
		t.Fatal(err)
	}
	return r, restore
}

// While one process replaces a run, no other does, nor clears up after it.
func TestSetAsideOnce(t *testing.T) {
	r, restore := tinyRunAside(t)
	if _, _, err := SetAside(r.Folder); err == nil || !strings.Contains(err.Error(), "is being written by another process") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v, want a line about another process", err)
	}
	if err := restore(); err != nil {
		t.Error(err)
	}
}

// What can't be put back stays aside.
func TestRestoreInTheWay(t *testing.T) {
	r, restore := tinyRunAside(t)
	if err := os.Mkdir(r.Path("samples"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, r.Path("samples", "mine.png"), "mine")
	if err := restore(); err == nil {
		t.Error("nothing was in the way")
	}
	for _, name := range []string{"run.json", filepath.Join(aside, "samples", "real.png"), filepath.Join(aside, "checkpoints", checkpointName(0))} {
		if _, err := os.Stat(r.Path(name)); err != nil {
			t.Error(err)
		}
	}
}

// A process that is killed as it writes or replaces a run leaves files behind. The
// run is found where it was, until the one in its place has a checkpoint.
func TestRecover(t *testing.T) {
	move := func(t *testing.T, r *Run, names ...string) {
		t.Helper()
		if err := moveRun(r.Folder, r.Path(aside), names); err != nil {
			t.Fatal(err)
		}
	}
	begin := func(t *testing.T, r *Run) {
		for _, name := range []string{"run.json", "losses.csv", "samples/real.png", "checkpoints/.lock"} {
			if err := os.MkdirAll(filepath.Dir(r.Path(name)), 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, r.Path(name), `{"gan":"new","status":"running"}`)
		}
	}
	replaced := map[string]bool{"when the new one had a checkpoint": true}
	for when, killed := range map[string]func(*testing.T, *Run){
		"before it moved a file": func(*testing.T, *Run) {},
		"after the first file":   func(t *testing.T, r *Run) { move(t, r, runFiles[0]) },
		"after all but run.json": func(t *testing.T, r *Run) { move(t, r, runFiles[:len(runFiles)-1]...) },
		"after all files":        func(t *testing.T, r *Run) { move(t, r, runFiles...) },
		"as the new one began": func(t *testing.T, r *Run) {
			move(t, r, runFiles...)
			begin(t, r)
		},
		"when the new one had a checkpoint": func(t *testing.T, r *Run) {
			move(t, r, runFiles...)
			begin(t, r)
			write(t, r.Path("checkpoints", checkpointName(0)), "new")
		},
	} {
		t.Run(when, func(t *testing.T) {
			r := newTinyRun(t, tiny())
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			write(t, r.Path("notes.txt"), "mine")
			write(t, r.Path("checkpoints", ".step-000000003.safetensors.ABCDEFGHIJ.tmp"), "half")
			write(t, r.Path("samples", ".real.png.ABCDEFGHIJ.tmp"), "half")
			want := files(t, r.Folder)
			if err := os.Mkdir(r.Path(aside), 0o755); err != nil {
				t.Fatal(err)
			}
			killed(t, r)
			if replaced[when] {
				want = files(t, r.Folder)
				maps.DeleteFunc(want, func(name string, _ []byte) bool { return strings.HasPrefix(name, aside) })
			}
			if err := Recover(r.Folder); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, files(t, r.Folder)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			discard, _, err := SetAside(r.Folder)
			if err != nil {
				t.Fatal(err)
			}
			if err := discard(); err != nil {
				t.Error(err)
			}
		})
	}
}

// What no run has written is neither moved nor removed.
func TestSetAsideRefusesForeignFiles(t *testing.T) {
	run := newTinyRun(t, tiny())
	if err := run.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, run.Path("samples", "mine.png"), "mine")
	foreign := t.TempDir()
	write(t, filepath.Join(foreign, "run.json"), "{}")
	write(t, filepath.Join(foreign, "losses.csv"), "mine")
	for folder, name := range map[string]string{run.Folder: "samples/mine.png", foreign: "losses.csv"} {
		before := files(t, folder)
		if _, _, err := SetAside(folder); err == nil || !strings.Contains(err.Error(), filepath.Join(folder, name)+" is in the way") {
			t.Errorf("error %v, want one about %s", err, name)
		}
		if diff := cmp.Diff(before, files(t, folder)); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}
	}
}

func TestReadReportErrors(t *testing.T) {
	folder := t.TempDir()
	if _, err := ReadReport(folder); err == nil || !strings.HasPrefix(err.Error(), "train: "+folder+" is no run folder: ") {
		t.Errorf("no run.json: error %v", err)
	}
	for _, text := range []string{"", "{", "[]", `{"goal":"many"}`, `{"seed":-1}`, strings.Repeat(" ", maxReport) + "{}"} {
		write(t, filepath.Join(folder, "run.json"), text)
		if _, err := ReadReport(folder); err == nil || !strings.Contains(err.Error(), "run.json is no report of a run: ") {
			t.Errorf("%.20q: error %v", text, err)
		}
	}
}

func TestReportsAreJSONOfOneObject(t *testing.T) {
	folder := t.TempDir()
	if err := (Report{Status: Running, GAN: "tiny", Goal: 3}).write(folder); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(files(t, folder)["run.json"], &got); err != nil || got["status"] != "running" || got["goal"] != 3.0 {
		t.Errorf("run.json holds %v, error %v", got, err)
	}
}
