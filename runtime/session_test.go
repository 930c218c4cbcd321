package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/runtime"
)

// naiveGenerator is what scripts/runtime_fixtures.py says of generator.onnx, in
// float64.
func naiveGenerator(z []float32) []float32 {
	bias := []float64{0.5, -0.5, 0.25, -0.25}
	out := make([]float32, len(z))
	for i := range z {
		sum := bias[i%4]
		for k := range 4 {
			sum += float64(z[i/4*4+k]) * (float64(4*k+i%4) - 7.5) / 8
		}
		out[i] = float32(math.Tanh(sum))
	}
	return out
}

// ramp gives n latent values in [-1, 1).
func ramp(n int) []float32 {
	z := make([]float32, n)
	for i := range z {
		z[i] = float32(i*7%16)/8 - 1
	}
	return z
}

// agree compares within float32Tanh * max(1, largest |want|).
func agree(t *testing.T, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d values, want %d", len(got), len(want))
	}
	largest := 1.0
	for _, v := range want {
		largest = max(largest, math.Abs(float64(v)))
	}
	for i := range got {
		if !(math.Abs(float64(got[i]-want[i])) <= float32Tanh*largest) {
			t.Fatalf("value %d is %v, want %v", i, got[i], want[i])
		}
	}
}

const float32Tanh = 1e-6 // sums of five terms, then ONNX Runtime's polynomial for tanh

func TestRunGenerator(t *testing.T) {
	s, err := runtime.Open(context.Background(), "testdata/generator.onnx", runtime.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, batch := range []int{1, 5, 64} {
		z := ramp(4 * batch)
		out, err := s.Run(context.Background(), map[string]*tensor.Dense{"z": dense([]int{batch, 4}, z...)})
		if err != nil {
			t.Fatal(err)
		}
		if len(out) != 1 || out["image"] == nil {
			t.Fatalf("outputs %v, want image alone", out)
		}
		if diff := cmp.Diff([]int{batch, 1, 2, 2}, []int(out["image"].Shape())); diff != "" {
			t.Errorf("shape: -want +got\n%s", diff)
		}
		agree(t, out["image"].Data().([]float32), naiveGenerator(z))
	}
}

func TestDescription(t *testing.T) {
	s := load(t, generator(t), runtime.Options{})
	var lines []string
	for _, p := range append(s.Inputs(), s.Outputs()...) {
		lines = append(lines, p.String())
	}
	if diff := cmp.Diff([]string{"z float32 [batch, 4]", "image float32 [batch, 1, 2, 2]"}, lines); diff != "" {
		t.Errorf("ports: -want +got\n%s", diff)
	}
	if diff := cmp.Diff([]int64{-1, 1, 2, 2}, s.Outputs()[0].Shape); diff != "" {
		t.Errorf("shape: -want +got\n%s", diff)
	}
	want := map[string]string{"architecture": "fixture", "latent_size": "4", "value_range": "-1 1"}
	if diff := cmp.Diff(want, s.Metadata()); diff != "" {
		t.Errorf("metadata: -want +got\n%s", diff)
	}
	if s.Provider() != runtime.CPU || s.Note() != "" {
		t.Errorf("provider %q, note %q; want the CPU without a note", s.Provider(), s.Note())
	}
}

func TestRunLabels(t *testing.T) {
	s := load(t, embedding(t), runtime.Options{})
	out, err := s.Run(context.Background(), map[string]*tensor.Dense{"label": dense([]int{4, 1}, int64(2), 0, 2, 1)})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]float32{20, 21, 0, 1, 20, 21, 10, 11}, out["row"].Data()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	_, err = s.Run(context.Background(), map[string]*tensor.Dense{"label": dense([]int{1, 1}, int64(3))})
	if err == nil || !strings.Contains(err.Error(), "indices element out of data bounds") || strings.Contains(err.Error(), "\n") {
		t.Errorf("label 3 of 3: got %v", err)
	}
}

func TestElementTypes(t *testing.T) {
	tests := []struct {
		dtype         onnxpb.TensorProto_DataType
		array, scalar *tensor.Dense
	}{
		{onnxpb.TensorProto_FLOAT, dense([]int{2, 1}, float32(1.5), -2), tensor.New(tensor.FromScalar(float32(1.5)))},
		{onnxpb.TensorProto_DOUBLE, dense([]int{2, 1}, 1e-300, -2), tensor.New(tensor.FromScalar(1e-300))},
		{onnxpb.TensorProto_INT64, dense([]int{2, 1}, int64(1)<<40, -2), tensor.New(tensor.FromScalar(int64(1) << 40))},
		{onnxpb.TensorProto_INT32, dense([]int{2, 1}, int32(1)<<30, -2), tensor.New(tensor.FromScalar(int32(-7)))},
		{onnxpb.TensorProto_UINT8, dense([]int{2, 1}, uint8(255), 0), tensor.New(tensor.FromScalar(uint8(200)))},
		{onnxpb.TensorProto_BOOL, dense([]int{2, 1}, true, false), tensor.New(tensor.FromScalar(true))},
	}
	for _, tt := range tests {
		t.Run(tt.dtype.String(), func(t *testing.T) {
			for _, c := range []struct {
				x     *tensor.Dense
				model []byte
			}{{tt.array, identity(t, tt.dtype, "n", 1)}, {tt.scalar, identity(t, tt.dtype)}} {
				s := load(t, c.model, runtime.Options{})
				out, err := s.Run(context.Background(), map[string]*tensor.Dense{"x": c.x})
				if err != nil {
					t.Fatal(err)
				}
				y := out["y"]
				if !y.Shape().Eq(c.x.Shape()) || y.Dtype() != c.x.Dtype() || !cmp.Equal(y.Data(), c.x.Data()) {
					t.Errorf("got %v %v %v, want %v %v %v", y.Dtype(), y.Shape(), y.Data(), c.x.Dtype(), c.x.Shape(), c.x.Data())
				}
			}
		})
	}
}

func TestTransposedInput(t *testing.T) {
	x := dense([]int{2, 3}, float32(0), 1, 2, 3, 4, 5)
	if err := x.T(); err != nil {
		t.Fatal(err)
	}
	s := load(t, identity(t, onnxpb.TensorProto_FLOAT, 3, 2), runtime.Options{})
	out, err := s.Run(context.Background(), map[string]*tensor.Dense{"x": x})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]float32{0, 3, 1, 4, 2, 5}, out["y"].Data()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestOutputsOutliveTheSession(t *testing.T) {
	s := load(t, generator(t), runtime.Options{})
	z := ramp(8)
	out, err := s.Run(context.Background(), map[string]*tensor.Dense{"z": dense([]int{2, 4}, z...)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Run(context.Background(), map[string]*tensor.Dense{"z": dense([]int{2, 4}, make([]float32, 8)...)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	agree(t, out["image"].Data().([]float32), naiveGenerator(z))
}

func TestWrongInputs(t *testing.T) {
	z := dense([]int{2, 4}, ramp(8)...)
	tests := []struct {
		name  string
		model []byte
		in    map[string]*tensor.Dense
		want  string
	}{
		{"none", generator(t), nil, `input "z" is missing: expected z float32 [batch, 4]`},
		{"nil", generator(t), map[string]*tensor.Dense{"z": nil}, `input "z" is missing: expected z float32 [batch, 4]`},
		{"other name", generator(t), map[string]*tensor.Dense{"z": z, "y": z, "x": z}, `no input is called "x": expected "z"`},
		{"type", generator(t), map[string]*tensor.Dense{"z": dense([]int{2, 4}, make([]float64, 8)...)}, `input "z" is of type float64: expected z float32 [batch, 4]`},
		{"rank", generator(t), map[string]*tensor.Dense{"z": dense([]int{8}, ramp(8)...)}, `input "z" has shape [8]: expected z float32 [batch, 4]`},
		{"size", generator(t), map[string]*tensor.Dense{"z": dense([]int{4, 2}, ramp(8)...)}, `input "z" has shape [4 2]: expected z float32 [batch, 4]`},
		{"scalar", generator(t), map[string]*tensor.Dense{"z": tensor.New(tensor.FromScalar(float32(1)))}, `input "z" has shape []: expected z float32 [batch, 4]`},
		{"batches differ", sum(t), map[string]*tensor.Dense{"a": dense([]int{3, 2}, ramp(6)...), "b": dense([]int{1, 2}, ramp(2)...)}, `input "b" has batch 1, but "a" has 3`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := load(t, tt.model, runtime.Options{})
			_, err := s.Run(context.Background(), tt.in)
			if err == nil || err.Error() != "runtime: model: "+tt.want {
				t.Errorf("got  %v\nwant runtime: model: %s", err, tt.want)
			}
		})
	}
}

func TestConcurrentRuns(t *testing.T) {
	s := load(t, generator(t), runtime.Options{})
	ctx := t.Context()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for batch := 1; batch < 20; batch++ {
				z := ramp(4 * (batch + g))
				out, err := s.Run(ctx, map[string]*tensor.Dense{"z": dense([]int{batch + g, 4}, z...)})
				if err != nil {
					t.Error(err)
					return
				}
				if diff := cmp.Diff(naiveGenerator(z), out["image"].Data(), near); diff != "" {
					t.Errorf("-want +got\n%s", diff)
				}
			}
		})
	}
	wg.Wait()
}

// near is agree for use outside the test's own goroutine.
var near = cmp.Comparer(func(a, b float32) bool { return math.Abs(float64(a-b)) <= float32Tanh })

func TestCancel(t *testing.T) {
	s, err := runtime.Open(context.Background(), "testdata/slow.onnx", runtime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	in := map[string]*tensor.Dense{"x": dense([]int{16, 16}, make([]float32, 256)...)}

	// The model never ends by itself, so returning at all is what is tested.
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Run(ctx, in); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("deadline: got %v", err)
	}
	ctx, cancel = context.WithCancel(context.Background())
	cancel()
	if _, err := s.Run(ctx, in); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: got %v", err)
	}
}

func TestClose(t *testing.T) {
	s, err := runtime.Open(context.Background(), "testdata/slow.onnx", runtime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	in := map[string]*tensor.Dense{"x": dense([]int{16, 16}, make([]float32, 256)...)}
	ran := make(chan error)
	go func() {
		_, err := s.Run(ctx, in)
		ran <- err
	}()
	closed := make(chan error)
	time.AfterFunc(20*time.Millisecond, func() { closed <- s.Close() })
	time.AfterFunc(60*time.Millisecond, cancel)
	// In either order: a slow machine may close before the run has begun.
	for range 2 {
		select {
		case err := <-ran:
			if err == nil {
				t.Error("the endless run ended")
			}
		case err := <-closed:
			if err != nil {
				t.Errorf("close: %v", err)
			}
		}
	}
	if _, err := s.Run(context.Background(), in); err == nil || !strings.Contains(err.Error(), "the session is closed") {
		t.Errorf("run after close: got %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func TestProviders(t *testing.T) {
	for _, name := range []string{"cpu", "cuda", "auto"} {
		if p, err := runtime.ParseProvider(name); err != nil || string(p) != name {
			t.Errorf("%s: got %q, %v", name, p, err)
		}
	}
	_, err := runtime.ParseProvider("gpu")
	if want := `runtime: provider "gpu" is not one of cpu, cuda, auto`; fmt.Sprint(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := runtime.Load(context.Background(), generator(t), runtime.Options{Provider: "gpu"}); err == nil {
		t.Error("an unknown provider was accepted")
	}
	if _, err := runtime.Load(context.Background(), generator(t), runtime.Options{Threads: -1}); err == nil {
		t.Error("-1 threads were accepted")
	}
}

// However threads wait, the numbers are the same.
func TestWaiting(t *testing.T) {
	const size = 1 << 15 // enough for ONNX Runtime to share an operator's work
	in := map[string]*tensor.Dense{"a": dense([]int{size, 2}, ramp(2*size)...), "b": dense([]int{size, 2}, ramp(2*size)...)}
	want := make([]float32, 2*size)
	for i, v := range ramp(2 * size) {
		want[i] = 2 * v
	}
	for _, w := range []runtime.Waiting{runtime.Spin, runtime.SpinDuringRun, runtime.Sleep} {
		s := load(t, sum(t), runtime.Options{Threads: 2, Waiting: w})
		for range 3 {
			out, err := s.Run(context.Background(), in)
			if err != nil {
				t.Fatal(err)
			}
			if !cmp.Equal(want, out["y"].Data()) {
				t.Errorf("waiting %d: the sum is wrong", w)
			}
		}
	}
	for _, w := range []runtime.Waiting{-1, runtime.Sleep + 1} {
		if _, err := runtime.Load(context.Background(), generator(t), runtime.Options{Waiting: w}); err == nil {
			t.Errorf("waiting %d was accepted", w)
		}
	}
}
