package gorgonia_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/sbinet/npyio"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/runtime/gorgonia"
)

// kerasFolder holds models that Keras exported, with inputs and what Keras itself
// computes of them.
const kerasFolder = "../../train/keras/testdata"

// fixture is an entry of Keras' list of models: which file is which input.
type fixture struct {
	route           string
	Dir, Net        string
	Inputs, Outputs []struct {
		ONNX, File string
		Shape      []int
	}
}

func (f fixture) path(name string) string { return filepath.Join(kerasFolder, f.route, f.Dir, name) }

func fixtures(t testing.TB) (all []fixture) {
	t.Helper()
	for _, route := range []string{"tf", "jax", "fresh"} {
		data, err := os.ReadFile(filepath.Join(kerasFolder, route, "models.json"))
		if err != nil {
			t.Fatal(err)
		}
		var list struct{ Files []fixture }
		if err := json.Unmarshal(data, &list); err != nil {
			t.Fatal(err)
		}
		for _, f := range list.Files {
			f.route = route
			all = append(all, f)
		}
	}
	return all
}

// Every network that Keras exported computes what Keras does.
func TestKeras(t *testing.T) {
	for _, f := range fixtures(t) {
		t.Run(f.route+"/"+f.Dir+"/"+f.Net, func(t *testing.T) {
			s, err := gorgonia.Open(t.Context(), f.path(f.Net+".onnx"))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			in := map[string]*tensor.Dense{}
			for _, p := range f.Inputs {
				in[p.ONNX] = readArray(t, f.path(p.File), p.Shape)
			}
			out, err := s.Run(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range f.Outputs {
				want := readArray(t, f.path(p.File), p.Shape)
				d := difference(t, out[p.ONNX], want)
				t.Logf("%s: %.1e from Keras", p.ONNX, d)
				if !(d <= 1e-5) {
					t.Errorf("%s differs by %.2e from Keras, want at most 1e-5", p.ONNX, d)
				}
			}
			if len(out) != len(f.Outputs) {
				t.Errorf("%d outputs, want %d", len(out), len(f.Outputs))
			}
			ort, err := runtime.Open(t.Context(), f.path(f.Net+".onnx"), runtime.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer ort.Close()
			want, err := ort.Run(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			for name := range want {
				if d := difference(t, out[name], want[name]); !(d <= 1e-5) {
					t.Errorf("%s differs by %.2e from ONNX Runtime, want at most 1e-5", name, d)
				}
			}
		})
	}
}

func readArray(t testing.TB, path string, shape []int) *tensor.Dense {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := npyio.NewReader(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	var data any
	switch r.Header.Descr.Type {
	case "<f4":
		data, err = readAs[float32](r)
	case "<i4":
		data, err = readAs[int32](r)
	case "<i8":
		data, err = readAs[int64](r)
	default:
		t.Fatalf("%s: elements of %s", path, r.Header.Descr.Type)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
}

func readAs[T any](r *npyio.Reader) ([]T, error) {
	var data []T
	err := r.Read(&data)
	return data, err
}

// difference is max|a-b| / max(1, max|b|), infinite where the shapes differ.
func difference(t testing.TB, a, b *tensor.Dense) float64 {
	t.Helper()
	if a == nil || !a.Shape().Eq(b.Shape()) || a.Dtype() != b.Dtype() {
		t.Errorf("%v, want %v %v", a, b.Dtype(), b.Shape())
		return math.Inf(1)
	}
	worst, largest := 0.0, 1.0
	for i, v := range b.Float32s() {
		worst = math.Max(worst, math.Abs(float64(a.Float32s()[i])-float64(v)))
		largest = math.Max(largest, math.Abs(float64(v)))
	}
	return worst / largest
}
