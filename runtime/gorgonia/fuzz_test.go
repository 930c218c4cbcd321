package gorgonia_test

import (
	"context"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/runtime/gorgonia"
)

// FuzzOpen gives any bytes as a model: it is opened or refused in one line,
// without a panic and in memory that its own size bounds, and so is a run of it.
func FuzzOpen(f *testing.F) {
	for _, x := range fixtures(f) {
		data, err := os.ReadFile(x.path(x.Net + ".onnx"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(withoutWeights(f, data))
		if len(data) < 4096 {
			f.Add(data)
		}
	}
	for _, m := range hostile(f) {
		f.Add(m.model)
	}
	folder := f.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "weights"), make([]byte, 64), 0o644); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after goruntime.MemStats
		goruntime.ReadMemStats(&before)
		s, err := gorgonia.Load(context.Background(), data, folder)
		goruntime.ReadMemStats(&after)
		if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(8<<20+400*len(data)); got > limit {
			t.Fatalf("opening %d bytes allocates %d, want at most %d", len(data), got, limit)
		}
		if oneLine(t, err) {
			return
		}
		defer s.Close()
		in, shapes, ok := anyInputs(s.Inputs())
		if !ok {
			return
		}
		if n, err := s.Numbers(shapes...); oneLine(t, err) || n > 1<<16 {
			return
		}
		_, err = s.Run(context.Background(), in)
		oneLine(t, err)
	})
}

// oneLine tells whether there is an error, which has one line.
func oneLine(t *testing.T, err error) bool {
	t.Helper()
	if err != nil && (strings.ContainsAny(err.Error(), "\n\r") || len(err.Error()) > 4000) {
		t.Fatalf("an error of several lines or endless: %q", err)
	}
	return err != nil
}

// anyInputs are zeros of the sizes that a model asks for, 2 where it leaves one
// open.
func anyInputs(ports []runtime.Port) (map[string]*tensor.Dense, []tensor.Shape, bool) {
	in, shapes := map[string]*tensor.Dense{}, []tensor.Shape{}
	for _, p := range ports {
		shape, size := tensor.Shape{}, 1
		for _, d := range p.Shape {
			if d < 0 {
				d = 2
			}
			if d == 0 || d > 1<<12 || size*int(d) > 1<<14 {
				return nil, nil, false
			}
			shape, size = append(shape, int(d)), size*int(d)
		}
		if len(shape) == 0 {
			return nil, nil, false
		}
		in[p.Name] = tensor.New(tensor.Of(p.Dtype), tensor.WithShape(shape...))
		shapes = append(shapes, shape)
	}
	return in, shapes, true
}

// withoutWeights is a model small enough to be varied: long initialisers are
// cut, and what they were is left to the fuzzer.
func withoutWeights(t testing.TB, data []byte) []byte {
	t.Helper()
	m := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(data, m); err != nil {
		t.Fatal(err)
	}
	for _, w := range m.Graph.Initializer {
		if len(w.RawData) > 64 {
			w.Dims, w.RawData, w.FloatData = []int64{1, 1}, w.RawData[:4], nil
		}
	}
	return serialise(t, m)
}
