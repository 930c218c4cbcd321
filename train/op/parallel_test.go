package op

import (
	goruntime "runtime"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestPanicInWorker: a kernel that fails on another goroutine is an error of
// the operator, as it is on the caller's own, and not the end of the program.
func TestPanicInWorker(t *testing.T) {
	defer goruntime.GOMAXPROCS(goruntime.GOMAXPROCS(4))
	x := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(2, 8))
	for from, want := range map[int]string{0: "range of 0", 2: "range of 2", 6: "range of 6"} {
		kernel := func(y array[float32], _ []array[float32]) {
			parallel(len(y.data), 1, func(f, to int) {
				if f == from && to == f+2 { // one of the four workers
					panic(want)
				}
			})
		}
		o := &channelSum{newOperator("ChannelSum", struct{}{}, rank(1), rank(2))}
		y, err := run(o, []gorgonia.Value{x}, kernel, nil)
		if err == nil || y != nil || !strings.HasPrefix(err.Error(), "op: ChannelSum") || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("a panic in the range from %d: value %v, error %v", from, y, err)
		}
	}
}

// TestPanicsInAllWorkers: the first range's is passed on, whichever came first,
// once all have ended.
func TestPanicsInAllWorkers(t *testing.T) {
	defer goruntime.GOMAXPROCS(goruntime.GOMAXPROCS(4))
	ended := make([]bool, 4)
	defer func() {
		if r := recover(); r != 0 {
			t.Errorf("recovered %v, want 0", r)
		}
		for w, e := range ended {
			if !e {
				t.Errorf("worker %d has not ended", w)
			}
		}
	}()
	parallel(4, 1, func(from, _ int) {
		defer func() { ended[from] = true }()
		panic(from)
	})
	t.Error("no panic")
}
