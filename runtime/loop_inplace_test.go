package runtime_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gantrain/gantrain/runtime"
)

// In place, a state has one array from run to run; a scalar goes by value as
// ever.
func TestLoopInPlace(t *testing.T) {
	l, err := load(t, counter(t), runtime.Options{}).NewLoop(counterFeedback, nil, "x_next", "n_next")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	x := input(t, l, "x")
	copy(x.Float32s(), []float32{0, 100, 200})
	copy(input(t, l, "step").Float32s(), []float32{1, 2, 3})
	for range 3 {
		if err := l.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]float32{3, 106, 209}, x.Data()); diff != "" || input(t, l, "x") != x {
		t.Errorf("another array: %v; -want +got\n%s", input(t, l, "x") != x, diff)
	}
	if n := input(t, l, "n").ScalarValue(); n != float32(3) {
		t.Errorf("n is %v after three runs", n)
	}
	if _, err := load(t, counter(t), runtime.Options{}).NewLoop(counterFeedback, nil, "each"); err == nil {
		t.Error("an output that feeds nothing may be in place")
	}
}
