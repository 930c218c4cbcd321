package export_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/runtime"
)

var large = flag.Bool("large", false, "write, read and run a model of 2.1 GB (6 GB of memory, 3 GB of disk)")

// multiplied is x [n, size] times some square matrices.
func multiplied(g *gorgonia.ExprGraph, size, matrices int) (x, y *gorgonia.Node) {
	x = gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(2, size), gorgonia.WithName("x"))
	y = x
	r := rand.New(rand.NewPCG(1, 2))
	for i := range matrices {
		v := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(size, size))
		for j, data := 0, v.Data().([]float32); j < len(data); j += 1 + r.IntN(len(data)/size) {
			data[j] = r.Float32()
		}
		y = gorgonia.Must(gorgonia.Mul(y, gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(size, size),
			gorgonia.WithName(fmt.Sprintf("w%d", i)), gorgonia.WithValue(v))))
	}
	return x, y
}

func products(t *testing.T, size, matrices int) (export.Model, *onnxpb.ModelProto) {
	x, y := multiplied(gorgonia.NewGraph(), size, matrices)
	m := export.Model{
		Name: "products", Inputs: []export.Port{{Name: "x", Node: x}}, Outputs: []export.Port{{Name: "y", Node: y}}, BatchAxis: "batch",
	}
	return m, exported(t, m)
}

func opened(t *testing.T, path string) *runtime.Session {
	t.Helper()
	s, err := runtime.Open(t.Context(), path, runtime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestExternal: weights in a file of their own change nothing but the files.
func TestExternal(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "a[1]*.onnx")
	m, p := products(t, 40, 3)
	in := map[string]*tensor.Dense{"x": pattern(tensor.Float32, -0.5, 2, 40)}
	want := run(t, load(t, p), in)
	if _, err := export.WriteExternal(path, p); err != nil {
		t.Fatal(err)
	}
	first := contents(t, folder)
	if len(first) != 2 {
		t.Errorf("there are %d files, want a model and its weights", len(first))
	}
	for name, data := range first {
		if data := len(data); name == filepath.Base(path) && data > 2000 || strings.HasSuffix(name, ".data") && data != 2*8192+6400 {
			t.Errorf("%s has %d bytes", name, data)
		}
	}
	compare(t, run(t, opened(t, path), in), want, 0)

	// Again: the same bytes. With other weights: these alone are left.
	if _, err := export.WriteExternal(path, p); err != nil {
		t.Fatal(err)
	}
	for name, data := range contents(t, folder) {
		if !bytes.Equal(first[name], data) {
			t.Errorf("%s differs the second time", name)
		}
	}
	for _, n := range m.Outputs[0].Node.Graph().AllNodes() {
		if strings.HasPrefix(n.Name(), "w") {
			n.Value().Data().([]float32)[0]++
		}
	}
	if _, err := export.WriteExternal(path, exported(t, m)); err != nil {
		t.Fatal(err)
	}
	if now := contents(t, folder); len(now) != 2 || first[""] != nil {
		t.Errorf("there are %d files after other weights, want 2", len(now))
	}
	compare(t, run(t, opened(t, path), in), onTape(t, m, in), 1e-6)
}

// TestExternalKeepsOthers: only the weights of the model that is replaced go away.
func TestExternalKeepsOthers(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a[b]")
	check(t, os.Mkdir(folder, 0o755))
	path := filepath.Join(folder, "g.onnx")
	_, first := products(t, 40, 1)
	_, second := products(t, 40, 2)
	_, err := export.WriteExternal(path, first)
	check(t, err)
	renamed := filepath.Join(folder, "first.onnx")
	check(t, os.Rename(path, renamed))
	strange := filepath.Join(folder, "g.onnx.12345678.data")
	check(t, os.WriteFile(strange, []byte("precious"), 0o644))
	data, err := export.WriteExternal(path, second)
	check(t, err)
	if got := contents(t, folder); len(got) != 5 || string(got["g.onnx.12345678.data"]) != "precious" {
		t.Errorf("files %v, want two models, their weights and a strange file", slices.Sorted(maps.Keys(got)))
	}
	opened(t, renamed)

	// In one file again: its own weights go.
	check(t, export.Write(path, second))
	got := contents(t, folder)
	if _, there := got[data]; there || len(got) != 4 {
		t.Errorf("files %v, want %s gone", slices.Sorted(maps.Keys(got)), data)
	}

	// Nothing large: nothing beside it.
	_, small := products(t, 4, 1)
	if data, err := export.WriteExternal(path, small); err != nil || data != "" || len(contents(t, folder)) != 4 {
		t.Errorf("weights in %q, error %v, %d files, want no weights and 4 files", data, err, len(contents(t, folder)))
	}
}

// TestExternalWholeOrNot: where the model can't be written, its weights don't stay.
func TestExternalWholeOrNot(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "g.onnx")
	check(t, os.Mkdir(path, 0o755))
	_, p := products(t, 40, 1)
	if _, err := export.WriteExternal(path, p); err == nil || len(contents(t, folder)) != 0 {
		t.Errorf("error %v, files %v, want an error and none", err, contents(t, folder))
	}
}

// contents are the files of a folder by name.
func contents(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		if out[e.Name()], err = os.ReadFile(filepath.Join(folder, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestExternalDamaged: weights that aren't where they should be are told of
// before anything reads them.
func TestExternalDamaged(t *testing.T) {
	_, p := products(t, 40, 2)
	for want, damage := range map[string]func(t *testing.T, data string){
		"no such file or directory": func(t *testing.T, data string) { check(t, os.Remove(data)) },
		"it is damaged, or another model's": func(t *testing.T, data string) {
			b, err := os.ReadFile(data)
			check(t, err)
			b[9000]++
			check(t, os.WriteFile(data, b, 0o644))
		},
		"has 100 bytes, want 6400 from 0 on": func(t *testing.T, data string) {
			check(t, os.Truncate(data, 100))
		},
		"is a link to nothing in the model's folder: copy the file there": func(t *testing.T, data string) {
			other := filepath.Join(t.TempDir(), "weights")
			check(t, os.Rename(data, other))
			check(t, os.Symlink(other, data))
		},
	} {
		path := filepath.Join(t.TempDir(), "model.onnx")
		_, err := export.WriteExternal(path, p)
		check(t, err)
		files, err := filepath.Glob(path + ".*.data")
		if err != nil || len(files) != 1 {
			t.Fatal(files, err)
		}
		damage(t, files[0])
		_, err = runtime.Open(t.Context(), path, runtime.Options{})
		if err == nil || !strings.HasPrefix(err.Error(), "runtime: "+path+`: weight "w`) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one of %q", err, want)
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestLarge writes a model that no single file can hold, from weights in memory,
// and runs it.
func TestLarge(t *testing.T) {
	if !*large {
		t.Skip("skipped: needs -large, 6 GB of memory and 3 GB of disk")
	}
	const size, matrices = 13_300, 3
	path := filepath.Join(t.TempDir(), "large.onnx")
	m, p := products(t, size, matrices)
	check(t, export.Write(path, p))
	bytes := 4.0 * size * size * matrices
	if peak := peakMemory(t); peak > 0 {
		t.Logf("written: %.2f GB, peak memory %.2f GB, %.2f times", bytes/1e9, peak/1e9, peak/bytes)
		if peak > 1.2*bytes {
			t.Errorf("peak memory is %.2f times the weights', want 1.2 at most", peak/bytes)
		}
	}
	in := map[string]*tensor.Dense{"x": pattern(tensor.Float32, -0.5, 2, size)}
	compare(t, run(t, opened(t, path), in), onTape(t, m, in), 1e-5)
}

// peakMemory is the most that the process has held, in bytes, or 0 where it isn't
// told.
func peakMemory(t *testing.T) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Logf("peak memory not measured: %v", err)
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kB float64
	if _, err := fmt.Sscan(rest, &kB); err != nil {
		t.Fatal(err)
	}
	return kB * 1024
}
