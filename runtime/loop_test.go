package runtime_test

import (
	"context"
	"errors"
	"os"
	goruntime "runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/runtime"
)

// counter adds one to a scalar and a step to an array, and tells twice the sum
// of that array and the number.
func counter(t testing.TB) []byte {
	return serialise(t, &onnxpb.GraphProto{
		Input: []*onnxpb.ValueInfoProto{
			array("n", onnxpb.TensorProto_FLOAT), array("step", onnxpb.TensorProto_FLOAT, 3), array("x", onnxpb.TensorProto_FLOAT, 3),
		},
		Output: []*onnxpb.ValueInfoProto{
			array("x_next", onnxpb.TensorProto_FLOAT, 3), array("loss", onnxpb.TensorProto_FLOAT),
			array("n_next", onnxpb.TensorProto_FLOAT), array("each", onnxpb.TensorProto_FLOAT, 3),
		},
		Initializer: []*onnxpb.TensorProto{floats("one", nil, 1), floats("two", nil, 2)},
		Node: []*onnxpb.NodeProto{
			node("Add", []string{"n", "one"}, "n_next"),
			node("Add", []string{"x", "step"}, "x_next"),
			node("Mul", []string{"n_next", "two"}, "loss"),
			node("Add", []string{"x_next", "n_next"}, "each"),
		},
	})
}

var counterFeedback = map[string]string{"n_next": "n", "x_next": "x"}

// waiting adds one to n and then takes as many rounds of a loop as it is told.
func waiting(t testing.TB) []byte {
	const real, whole, truth = onnxpb.TensorProto_FLOAT, onnxpb.TensorProto_INT64, onnxpb.TensorProto_BOOL
	rounds := node("Loop", []string{"rounds", "", "n_next"}, "y")
	rounds.Attribute = []*onnxpb.AttributeProto{{Name: "body", Type: onnxpb.AttributeProto_GRAPH, G: &onnxpb.GraphProto{
		Name:   "body",
		Input:  []*onnxpb.ValueInfoProto{array("round", whole), array("go_on", truth), array("v", real, 2)},
		Output: []*onnxpb.ValueInfoProto{array("still", truth), array("w", real, 2)},
		Node:   []*onnxpb.NodeProto{node("Identity", []string{"go_on"}, "still"), node("Neg", []string{"v"}, "w")},
	}}}
	return serialise(t, &onnxpb.GraphProto{
		Input:       []*onnxpb.ValueInfoProto{array("n", real, 2), array("rounds", whole)},
		Output:      []*onnxpb.ValueInfoProto{array("n_next", real, 2), array("y", real, 2)},
		Initializer: []*onnxpb.TensorProto{floats("one", nil, 1)},
		Node:        []*onnxpb.NodeProto{node("Add", []string{"n", "one"}, "n_next"), rounds},
	})
}

const endless = int64(1) << 62

// loop opens a model and loops it for the length of the test.
func loop(t testing.TB, model []byte, feedback map[string]string) *runtime.Loop {
	t.Helper()
	l, err := load(t, model, runtime.Options{Threads: 1}).NewLoop(feedback, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func input(t testing.TB, l *runtime.Loop, name string) *tensor.Dense {
	t.Helper()
	d, err := l.Input(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func output(t testing.TB, l *runtime.Loop, name string) *tensor.Dense {
	t.Helper()
	d, err := l.Output(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestLoopCounts(t *testing.T) {
	l := loop(t, counter(t), counterFeedback)
	input(t, l, "n").Set(0, float32(10))
	copy(input(t, l, "x").Data().([]float32), []float32{0, 100, 200})
	step := input(t, l, "step").Data().([]float32) // found once, valid for all runs
	for i := range 5 {
		step[1] = float32(i)
		if err := l.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]any{"n": float32(15), "x": []float32{0, 110, 200}} {
		if diff := cmp.Diff(want, input(t, l, name).Data()); diff != "" {
			t.Errorf("input %s: -want +got\n%s", name, diff)
		}
	}
	for name, want := range map[string]any{"loss": float32(30), "each": []float32{15, 125, 215}} {
		if diff := cmp.Diff(want, output(t, l, name).Data()); diff != "" {
			t.Errorf("output %s: -want +got\n%s", name, diff)
		}
	}

	// Setting the state between runs counts too.
	input(t, l, "n").Set(0, float32(-1))
	input(t, l, "x").Zero()
	if err := l.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]float32{0, 4, 0}, input(t, l, "x").Data()); diff != "" || input(t, l, "n").Data() != float32(0) {
		t.Errorf("after setting: n %v, x -want +got\n%s", input(t, l, "n").Data(), diff)
	}
}

// Each input gets what was the other's, in every type, as array and scalar.
func TestLoopSwaps(t *testing.T) {
	tests := []struct {
		dtype onnxpb.TensorProto_DataType
		a, b  any
	}{
		{onnxpb.TensorProto_FLOAT, float32(1.5), float32(-2)},
		{onnxpb.TensorProto_DOUBLE, 1e-300, -2.0},
		{onnxpb.TensorProto_INT64, int64(1) << 40, int64(-2)},
		{onnxpb.TensorProto_INT32, int32(1) << 30, int32(-2)},
		{onnxpb.TensorProto_UINT8, uint8(255), uint8(1)},
		{onnxpb.TensorProto_BOOL, true, false},
	}
	for _, tt := range tests {
		for name, axes := range map[string][]any{"array": {2, 1}, "scalar": nil} {
			t.Run(tt.dtype.String()+"/"+name, func(t *testing.T) {
				l := loop(t, serialise(t, &onnxpb.GraphProto{
					Input:  []*onnxpb.ValueInfoProto{array("a", tt.dtype, axes...), array("b", tt.dtype, axes...)},
					Output: []*onnxpb.ValueInfoProto{array("was_a", tt.dtype, axes...), array("was_b", tt.dtype, axes...)},
					Node:   []*onnxpb.NodeProto{node("Identity", []string{"a"}, "was_a"), node("Identity", []string{"b"}, "was_b")},
				}), map[string]string{"was_a": "b", "was_b": "a"})
				for name, v := range map[string]any{"a": tt.a, "b": tt.b} {
					if err := input(t, l, name).Memset(v); err != nil {
						t.Fatal(err)
					}
				}
				a, b := tt.a, tt.b
				for i := range 4 {
					if gotA, gotB := input(t, l, "a").Get(0), input(t, l, "b").Get(0); gotA != a || gotB != b {
						t.Fatalf("after %d runs: %v and %v, want %v and %v", i, gotA, gotB, a, b)
					}
					if err := l.Run(context.Background()); err != nil {
						t.Fatal(err)
					}
					a, b = b, a
				}
			})
		}
	}
}

// A loop uses the arrays that it is offered where they are aligned, and computes
// the same in its own where they are not.
func TestLoopInOfferedArrays(t *testing.T) {
	memory := make([]float32, 64)
	start := 0
	for uintptr(unsafe.Pointer(&memory[start]))%64 != 0 {
		start++
	}
	for offset, used := range []bool{true, false} {
		x := dense([]int{3}, memory[start+offset:][:3]...)
		l, err := load(t, counter(t), runtime.Options{}).NewLoop(counterFeedback, map[string]*tensor.Dense{"x": x})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if got := input(t, l, "x") == x; got != used {
			t.Errorf("%d values after an aligned one: used is %v, want %v", offset, got, used)
		}
		copy(input(t, l, "x").Float32s(), []float32{0, 100, 200})
		copy(input(t, l, "step").Float32s(), []float32{1, 2, 3})
		for range 3 {
			if err := l.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff([]float32{3, 106, 209}, input(t, l, "x").Data()); diff != "" {
			t.Errorf("%d values after an aligned one: -want +got\n%s", offset, diff)
		}
	}
	for want, offered := range map[string]map[string]*tensor.Dense{
		`no input is called "z": expected one of `:                                                 {"z": dense([]int{3}, memory[:3]...)},
		`the array offered for input "x" is of type float32 and shape [4]: expected x float32 [3]`: {"x": dense([]int{4}, memory[:4]...)},
		`the array offered for input "x" is of type int64 and shape [3]: expected x float32 [3]`:   {"x": dense([]int{3}, make([]int64, 3)...)},
	} {
		_, err := load(t, counter(t), runtime.Options{}).NewLoop(counterFeedback, offered)
		if err == nil || !strings.HasPrefix(err.Error(), "runtime: model: "+want) {
			t.Errorf("got  %v\nwant runtime: model: %s", err, want)
		}
	}
}

func TestNewLoopRefusals(t *testing.T) {
	add := func(out *onnxpb.ValueInfoProto) []byte { // y = a + b
		return serialise(t, &onnxpb.GraphProto{
			Input:  []*onnxpb.ValueInfoProto{array("a", onnxpb.TensorProto_FLOAT, 1), array("b", onnxpb.TensorProto_FLOAT, 2)},
			Output: []*onnxpb.ValueInfoProto{out},
			Node:   []*onnxpb.NodeProto{node("Add", []string{"a", "b"}, "y")},
		})
	}
	y := array("y", onnxpb.TensorProto_FLOAT, 2)
	compare := serialise(t, &onnxpb.GraphProto{
		Input:  []*onnxpb.ValueInfoProto{array("a", onnxpb.TensorProto_FLOAT, 2), array("b", onnxpb.TensorProto_FLOAT, 2)},
		Output: []*onnxpb.ValueInfoProto{array("less", onnxpb.TensorProto_BOOL, 2)},
		Node:   []*onnxpb.NodeProto{node("Less", []string{"a", "b"}, "less")},
	})
	noShape := array("y", onnxpb.TensorProto_FLOAT)
	noShape.GetType().GetTensorType().Shape = nil
	const many = 1 << 33
	tests := []struct {
		name     string
		model    []byte
		feedback map[string]string
		want     string
	}{
		{"no such output", add(y), map[string]string{"z": "a"}, `no output is called "z": expected one of "y"`},
		{"no such input", add(y), map[string]string{"y": "z"}, `no input is called "z": expected one of "a", "b"`},
		{"shapes differ", add(y), map[string]string{"y": "a"}, `output y float32 [2] cannot feed input a float32 [1]: expected one type and shape`},
		{"types differ", compare, map[string]string{"less": "a"}, `output less bool [2] cannot feed input a float32 [2]: expected one type and shape`},
		{"fed twice", counter(t), map[string]string{"x_next": "x", "each": "x"}, `input "x" is fed by the outputs "each" and "x_next": expected one`},
		{"named axis", generator(t), nil, `input z float32 [batch, 4] has no static shape: expected a positive size for every axis`},
		{"open axis", add(array("y", onnxpb.TensorProto_FLOAT, nil)), nil, `output y float32 [?] has no static shape: expected a positive size for every axis`},
		{"no shape", add(noShape), nil, `output y float32 of any shape has no static shape: expected a positive size for every axis`},
		{"empty", identity(t, onnxpb.TensorProto_FLOAT, 0, 2), nil, `input x float32 [0, 2] has no static shape: expected a positive size for every axis`},
		{"large", identity(t, onnxpb.TensorProto_FLOAT, many), nil, `input x float32 [8589934592] is too large: expected 17179869184 bytes at most for all inputs and outputs together`},
		{"overflow", identity(t, onnxpb.TensorProto_FLOAT, many, many), nil, `input x float32 [8589934592, 8589934592] is too large: expected 17179869184 bytes at most for all inputs and outputs together`},
		{"large together", identity(t, onnxpb.TensorProto_FLOAT, 3<<30), nil, `output y float32 [3221225472] is too large: expected 17179869184 bytes at most for all inputs and outputs together`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load(t, tt.model, runtime.Options{}).NewLoop(tt.feedback, nil)
			if err == nil || err.Error() != "runtime: model: "+tt.want {
				t.Errorf("got  %v\nwant runtime: model: %s", err, tt.want)
			}
		})
	}
}

func TestLoopNames(t *testing.T) {
	l := loop(t, counter(t), counterFeedback)
	_, noInput := l.Input("loss")
	_, noOutput := l.Output("n")
	_, fed := l.Output("n_next")
	for _, tt := range []struct {
		err  error
		want string
	}{
		{noInput, `runtime: model: no input is called "loss": expected one of "n", "step", "x"`},
		{noOutput, `runtime: model: no output is called "n": expected one of "x_next", "loss", "n_next", "each"`},
		{fed, `runtime: model: output "n_next" is fed back: read it as input "n"`},
	} {
		if tt.err == nil || tt.err.Error() != tt.want {
			t.Errorf("got  %v\nwant %s", tt.err, tt.want)
		}
	}
}

// A run that fails after it has written a state's next value leaves the state.
func TestLoopCancelKeepsState(t *testing.T) {
	l := loop(t, waiting(t), map[string]string{"n_next": "n"})
	copy(input(t, l, "n").Data().([]float32), []float32{5, 7})
	input(t, l, "rounds").Set(0, int64(1))
	if err := l.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	input(t, l, "rounds").Set(0, endless)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	for range 2 { // cancelled at work, and before
		if err := l.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("deadline: got %v", err)
		}
		if diff := cmp.Diff([]float32{6, 8}, input(t, l, "n").Data()); diff != "" {
			t.Errorf("state: -want +got\n%s", diff)
		}
	}
	input(t, l, "rounds").Set(0, int64(1))
	if err := l.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]float32{7, 9}, input(t, l, "n").Data()); diff != "" {
		t.Errorf("state: -want +got\n%s", diff)
	}
	if diff := cmp.Diff([]float32{-7, -9}, output(t, l, "y").Data()); diff != "" {
		t.Errorf("y: -want +got\n%s", diff)
	}
}

// Closing the loop, or the session below it, while it runs waits for its end.
func TestLoopClose(t *testing.T) {
	for _, what := range []string{"loop", "session"} {
		t.Run(what, func(t *testing.T) {
			s := load(t, waiting(t), runtime.Options{})
			l, err := s.NewLoop(map[string]string{"n_next": "n"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			end, want := l.Close, "the loop is closed"
			if what == "session" {
				defer l.Close()
				end, want = s.Close, "the session is closed"
			}
			state := input(t, l, "n")
			input(t, l, "rounds").Set(0, endless)
			ctx, cancel := context.WithCancel(context.Background())
			ran, closed := make(chan error), make(chan error)
			go func() { ran <- l.Run(ctx) }()
			time.AfterFunc(20*time.Millisecond, func() { closed <- end() })
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
			if err := l.Run(context.Background()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("run after close: got %v, want %s", err, want)
			}
			if _, err := l.Input("n"); what == "loop" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("input after close: got %v, want %s", err, want)
			}
			if _, err := l.Output("y"); what == "loop" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("output after close: got %v, want %s", err, want)
			}
			goruntime.GC()
			if diff := cmp.Diff([]float32{0, 0}, state.Data()); diff != "" {
				t.Errorf("the array that was handed out: -want +got\n%s", diff)
			}
			for range 2 {
				if err := end(); err != nil {
					t.Errorf("second close: %v", err)
				}
			}
		})
	}
}

func TestLoopEqualsSession(t *testing.T) {
	const size = 1000
	s := load(t, adam(t, 3, size), runtime.Options{})
	l, err := s.NewLoop(adamFeedback(3), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	in := map[string]*tensor.Dense{}
	for k, p := range s.Inputs() {
		d := input(t, l, p.Name)
		if d.IsScalar() {
			d.Set(0, float32(1e-3))
		} else {
			for i, v := range ramp(size) {
				d.Set(i, (v+1)/float32(k+1))
			}
		}
		in[p.Name] = d.Clone().(*tensor.Dense)
	}
	for i := range 10 {
		out, err := s.Run(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		for from, to := range adamFeedback(3) {
			in[to] = out[from]
			if diff := cmp.Diff(out[from].Data(), input(t, l, to).Data()); diff != "" {
				t.Fatalf("run %d, %s: -session +loop\n%s", i, to, diff)
			}
		}
	}
}

// Two loops of one session do not meet.
func TestLoopsApart(t *testing.T) {
	s := load(t, counter(t), runtime.Options{})
	var loops [2]*runtime.Loop
	for i := range loops {
		var err error
		if loops[i], err = s.NewLoop(counterFeedback, nil); err != nil {
			t.Fatal(err)
		}
		defer loops[i].Close()
		input(t, loops[i], "n").Set(0, float32(100*i))
	}
	done := make(chan error)
	for _, l := range loops {
		go func() {
			var err error
			for range 50 {
				err = errors.Join(err, l.Run(context.Background()))
			}
			done <- err
		}()
	}
	for range loops {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if a, b := input(t, loops[0], "n").Data(), input(t, loops[1], "n").Data(); a != float32(50) || b != float32(150) {
		t.Errorf("counted to %v and %v, want 50 and 150", a, b)
	}
}

func TestLoopMemoryStays(t *testing.T) {
	const size = 1 << 16
	l := loop(t, adam(t, 1, size), adamFeedback(1))
	run := func(n int) {
		ctx, cancel := context.WithCancel(context.Background()) // a context that can end costs the most
		defer cancel()
		for range n {
			if err := l.Run(ctx); err != nil {
				t.Fatal(err)
			}
		}
		goruntime.GC()
	}
	run(100) // ONNX Runtime's own arena is full-grown by then
	before := resident(t)
	run(1000)
	// One array kept at every tenth run would be 26 MB.
	if grown := resident(t) - before; grown > 8<<20 {
		t.Errorf("1000 runs took %d bytes", grown)
	}
}

// resident is the memory of this process in bytes.
func resident(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("skipped: /proc/self/statm tells the memory in use on Linux alone")
	}
	pages, err := strconv.Atoi(strings.Fields(string(b))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// adam is a training step's shape without its networks: layers weights with two
// moments each, float32 [size], moved by Kingma and Ba's algorithm 1 (without
// the corrections of its start) along the weight itself as the gradient.
func adam(t testing.TB, layers, size int) []byte {
	const real = onnxpb.TensorProto_FLOAT
	g := &onnxpb.GraphProto{
		Input: []*onnxpb.ValueInfoProto{array("rate", real)},
		Initializer: []*onnxpb.TensorProto{
			floats("beta1", nil, 0.5), floats("rest1", nil, 0.5),
			floats("beta2", nil, 0.999), floats("rest2", nil, 0.001), floats("epsilon", nil, 1e-7),
		},
	}
	for i := range layers {
		name := func(s string) string { return s + strconv.Itoa(i) }
		for _, state := range []string{"w", "m", "v"} {
			g.Input = append(g.Input, array(name(state), real, size))
			g.Output = append(g.Output, array(name(state+"_next"), real, size))
		}
		for _, op := range [][4]string{
			{"Mul", "m", "beta1", "old1"}, {"Mul", "w", "rest1", "new1"}, {"Add", "old1", "new1", "m_next"},
			{"Mul", "v", "beta2", "old2"}, {"Mul", "w", "w", "square"}, {"Mul", "square", "rest2", "new2"}, {"Add", "old2", "new2", "v_next"},
			{"Sqrt", "v_next", "", "root"}, {"Add", "root", "epsilon", "scale"}, {"Div", "m_next", "scale", "direction"},
			{"Mul", "direction", "rate", "change"}, {"Sub", "w", "change", "w_next"},
		} {
			var in []string
			for _, s := range op[1:3] {
				switch s {
				case "":
				case "rate", "beta1", "beta2", "rest1", "rest2", "epsilon":
					in = append(in, s)
				default:
					in = append(in, name(s))
				}
			}
			g.Node = append(g.Node, node(op[0], in, name(op[3])))
		}
	}
	return serialise(t, g)
}

func adamFeedback(layers int) map[string]string {
	feedback := map[string]string{}
	for i := range layers {
		for _, state := range []string{"w", "m", "v"} {
			feedback[state+"_next"+strconv.Itoa(i)] = state + strconv.Itoa(i)
		}
	}
	return feedback
}

// 36 MB of state in 18 arrays, as a GAN of two small networks has it.
func BenchmarkLoop(b *testing.B) {
	const layers, size = 6, 1 << 19
	model, feedback := adam(b, layers, size), adamFeedback(layers)
	b.Run("Loop", func(b *testing.B) {
		l := loop(b, model, feedback)
		b.ReportAllocs()
		for b.Loop() {
			if err := l.Run(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Session", func(b *testing.B) {
		s, l := load(b, model, runtime.Options{Threads: 1}), loop(b, model, feedback)
		in := map[string]*tensor.Dense{}
		for _, p := range s.Inputs() {
			in[p.Name] = input(b, l, p.Name)
		}
		b.ReportAllocs()
		for b.Loop() {
			out, err := s.Run(b.Context(), in)
			if err != nil {
				b.Fatal(err)
			}
			for from, to := range feedback {
				in[to] = out[from]
			}
		}
	})
}
