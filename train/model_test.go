package train

import (
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export/verify"
	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/checkpoint"
)

func TestModelsSurviveACheckpoint(t *testing.T) {
	m := tinyModel(t, tiny(simultaneous))
	m.Step, m.Seed, m.Licence, m.Arguments = 1234567, math.MaxUint64, "free", "batch=64"
	path := filepath.Join(t.TempDir(), "c.safetensors")
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	back, err := LoadModel(path)
	if err != nil {
		t.Fatal(err)
	}
	if !same(m.State, back.State) {
		t.Error("the state comes back changed")
	}
	m.State, back.State = nil, nil
	if diff := cmp.Diff(m, back); diff != "" {
		t.Errorf("model (-before +after):\n%s", diff)
	}
}

// Files that are whole, with a right checksum, and still no checkpoint of ours.
func TestForeignCheckpoints(t *testing.T) {
	const weight = "generator/dense1/weight"
	array := func(dt tensor.Dtype, shape ...int) *tensor.Dense {
		return tensor.New(tensor.Of(dt), tensor.WithShape(shape...))
	}
	for want, change := range map[string]func(*checkpoint.Checkpoint){
		`not a checkpoint of this program: its format is "", want "gantrain 1"`: func(c *checkpoint.Checkpoint) { c.Metadata = nil },
		`its format is "pt"`: func(c *checkpoint.Checkpoint) { c.Metadata["format"] = "pt" },
		"its architecture can't be read: unexpected end of JSON input":                 func(c *checkpoint.Checkpoint) { delete(c.Metadata, "gan") },
		`its architecture can't be read: layer 1: unknown kind "attention"`:            func(c *checkpoint.Checkpoint) { replace(c, `{"dense"`, `{"attention"`) },
		"its architecture: tiny: generator: layer dense1: 0 units":                     func(c *checkpoint.Checkpoint) { replace(c, `"Units":32`, `"Units":0`) },
		"its architecture: tiny: recipe: batch of 9000000000000000000, want 1 to":      func(c *checkpoint.Checkpoint) { replace(c, `"Batch":4`, `"Batch":9000000000000000000`) },
		`its architecture: tiny: recipe: update 1 trains "", want "generator"`:         func(c *checkpoint.Checkpoint) { replace(c, `"Trains":"discriminator"`, `"Trains":""`) },
		"its architecture: tiny: generator: layer reshape1: makes [2 4 8] of [32]":     func(c *checkpoint.Checkpoint) { replace(c, `"Shape":[2,4,4]`, `"Shape":[2,4,8]`) },
		`array "generator/batchnorm1/beta" holds (32) float32, want [1048576] float32`: func(c *checkpoint.Checkpoint) { grow(c) },
		`its step is "-1", want a number from 0`:                                       func(c *checkpoint.Checkpoint) { c.Metadata["step"] = "-1" },
		`its step is "99999999999999999999", want`:                                     func(c *checkpoint.Checkpoint) { c.Metadata["step"] = "99999999999999999999" },
		`its seed is "-1", want a number from 0`:                                       func(c *checkpoint.Checkpoint) { c.Metadata["seed"] = "-1" },
		`its run's watch has seen can't be read`:                                       func(c *checkpoint.Checkpoint) { c.Metadata["watch"] = "[" },
		`array "generator/dense1/weight" is missing`:                                   func(c *checkpoint.Checkpoint) { delete(c.Tensors, weight) },
		`array "generator/dense1/weight" holds (32, 4) float32, want [4 32] float32`:   func(c *checkpoint.Checkpoint) { c.Tensors[weight] = array(tensor.Float32, 32, 4) },
		`array "generator/dense1/weight" holds (4, 32) float64, want [4 32] float32`:   func(c *checkpoint.Checkpoint) { c.Tensors[weight] = array(tensor.Float64, 4, 32) },
		"arrays, want ": func(c *checkpoint.Checkpoint) { c.Tensors["stranger"] = array(tensor.Float32, 1) },
	} {
		path := filepath.Join(t.TempDir(), "c.safetensors")
		if err := tinyModel(t, tiny()).Save(path); err != nil {
			t.Fatal(err)
		}
		c, err := checkpoint.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		c.Metadata = maps.Clone(c.Metadata)
		delete(c.Metadata, "sha256")
		change(&c)
		if err := checkpoint.Write(path, c); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadModel(path); err == nil || !strings.HasPrefix(err.Error(), "train: "+path+": ") || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s, with the file's name", err, want)
		}
	}
}

// replace changes the first place in the stored architecture.
func replace(c *checkpoint.Checkpoint, old, new string) {
	c.Metadata["gan"] = strings.Replace(c.Metadata["gan"], old, new, 1)
}

// grow makes the architecture larger than its arrays: nothing of that size must
// be allocated before it is noticed.
func grow(c *checkpoint.Checkpoint) {
	replace(c, `{"Units":32,`, `{"Units":1048576,`)
	replace(c, `"Shape":[2,4,4]`, `"Shape":[1048576,1,1]`)
	replace(c, `{"deconv":{"Filters":3,"Kernel":3,"Stride":1,`, `{"deconv":{"Filters":3,"Kernel":3,"Stride":4,`)
}

func TestCheckpointsOfARun(t *testing.T) {
	folder := t.TempDir()
	if _, err := Checkpoints(folder); err == nil || !strings.HasPrefix(err.Error(), "train: "+folder+" is no run folder: ") {
		t.Errorf("error %v", err)
	}
	checkpoints := filepath.Join(folder, "checkpoints")
	if err := os.Mkdir(checkpoints, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(checkpoints, "notes.txt"), "")
	if _, err := Checkpoints(folder); err == nil || err.Error() != "train: "+checkpoints+" holds no checkpoint" {
		t.Errorf("error %v", err)
	}
	for _, step := range []int{12, 3, 100000} {
		write(t, filepath.Join(checkpoints, checkpointName(step)), "")
	}
	got, err := Checkpoints(folder)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, step := range []int{3, 12, 100000} {
		want = append(want, filepath.Join(checkpoints, checkpointName(step)))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("checkpoints, oldest first (-want +got):\n%s", diff)
	}
}

// No model is written that ONNX Runtime does not run as the graph does, and
// what stood there before stays.
func TestExportWritesNothingUnproven(t *testing.T) {
	for _, role := range []arch.Role{arch.Generator, arch.Discriminator} {
		m := tinyModel(t, tiny())
		path := filepath.Join(t.TempDir(), "model.onnx")
		report, err := m.Export(t.Context(), role, path, ExportOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Stages) != 6 || len(report.Stages[4].Found) != 3 || report.Largest > 1e-5 {
			t.Errorf("%s: report %+v, want six stages, and three cases within 1e-5", role, report)
		}
		good := files(t, filepath.Dir(path))
		floats(m.State[string(role)+"/dense1/weight"])[0] = float32(math.NaN())
		if _, err := m.Export(t.Context(), role, path, ExportOptions{}); err == nil || !strings.HasPrefix(err.Error(), "train: "+path+" is not written: verify: ") {
			t.Errorf("%s: error %v", role, err)
		}
		compareFiles(t, good, files(t, filepath.Dir(path)), []string{"model.onnx"})
		if got := names(files(t, filepath.Dir(path))); len(got) != 1 {
			t.Errorf("%s: files %v", role, got)
		}
	}
}

func TestExportedModelsSayWhatTheyAre(t *testing.T) {
	m := tinyModel(t, tiny())
	m.Step, m.Seed, m.Licence, m.Arguments = 7, 3, "free", "batch=4"
	data, err := m.ONNX(arch.Generator)
	if err != nil {
		t.Fatal(err)
	}
	session, err := runtime.Load(t.Context(), data, runtime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if diff := cmp.Diff(m.info(arch.Generator).Map(), session.Metadata()); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	for key, value := range session.Metadata() {
		if strings.ContainsAny(value, "/\\") {
			t.Errorf("%s: %q looks like a path", key, value)
		}
	}
}

// With its weights beside it a network gives the same numbers.
func TestExportExternalData(t *testing.T) {
	m := tinyModel(t, tiny(func(g *arch.GAN) { // a weight that is worth a place in another file
		g.Latent.Size, g.Generator.Input = 100, arch.Shape{100}
	}))
	folder := t.TempDir()
	var sessions []*runtime.Session
	for name, external := range map[string]bool{"plain.onnx": false, "apart.onnx": true} {
		path := filepath.Join(folder, name)
		if _, err := m.Export(t.Context(), arch.Generator, path, ExportOptions{ExternalData: external}); err != nil {
			t.Fatal(err)
		}
		s, err := runtime.Open(t.Context(), path, runtime.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		sessions = append(sessions, s)
	}
	if got := names(files(t, folder)); len(got) != 3 {
		t.Errorf("files %v, want two models and the weights of one", got)
	}
	in := map[string]*tensor.Dense{"z": m.Inputs(arch.Generator, 3)[0]}
	pairs, err := verify.Pairs(t.Context(), sessions[0], sessions[1], in)
	if err != nil {
		t.Fatal(err)
	}
	if len(pairs) != 1 || pairs[0].Max != 0 {
		t.Errorf("differences %+v, want one of 0", pairs)
	}
}
