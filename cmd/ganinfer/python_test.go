package main

import (
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gantrain/gantrain/cmd/internal/command"
	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/runtime/latent"
	"github.com/gantrain/gantrain/train"
	"github.com/gantrain/gantrain/train/arch"
)

// Every published GAN at full size, with weights and statistics of no network in
// particular: Python's onnx accepts the files and infers their shapes, and
// Python's onnxruntime makes of --save-z what ganinfer kept with --npy.
func TestPythonAgrees(t *testing.T) {
	if exec.Command("python3", "-c", "import numpy, onnx, onnxruntime").Run() != nil {
		t.Skip("skipped: no python3 with numpy, onnx and onnxruntime")
	}
	for _, p := range arch.All() {
		t.Run(p.Name, func(t *testing.T) {
			dir := t.TempDir()
			path := func(name string) string { return filepath.Join(dir, name) }
			m := scrambled(t, p.GAN)
			for _, role := range []arch.Role{arch.Generator, arch.Discriminator} {
				data, err := m.ONNX(role)
				if err != nil {
					t.Fatal(err)
				}
				if err := export.WriteFile(path(string(role)+".onnx"), data); err != nil {
					t.Fatal(err)
				}
			}
			var stderr strings.Builder
			code := command.Run(app(), []string{
				"ganinfer", "generate", path("generator.onnx"), "-n", "10", "--batch", "4",
				"--npy", path("images.npy"), "--save-z", path("z.npy"),
			}, io.Discard, &stderr)
			if code != 0 {
				t.Fatalf("generate: exit code %d: %s", code, stderr.String())
			}
			out, err := exec.Command("python3", filepath.Join("testdata", "check_export.py"),
				path("generator.onnx"), path("z.npy"), path("images.npy"), path("discriminator.onnx")).CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			difference, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s: Python's onnxruntime departs by %g", p.Name, difference)
			if !(difference <= 1e-6) { // another version of the same kernels
				t.Errorf("Python's onnxruntime departs by %g", difference)
			}
		})
	}
}

// scrambled is a model whose statistics, shifts and scales are not those of an
// untrained one.
func scrambled(t *testing.T, gan arch.GAN) *train.Model {
	t.Helper()
	state, err := train.NewState(gan, 5)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range state.Names() {
		values := state[name].Data().([]float32)
		noise := make([]float32, len(values))
		latent.Fill(noise, latent.Uniform, 5, 900, uint64(i))
		if len(state[name].Shape()) > 1 {
			continue // a kernel is random already
		}
		for j := range values {
			values[j] += 0.3 * noise[j]
		}
	}
	return &train.Model{GAN: gan, State: state, Seed: 5, Dataset: "noise"}
}
