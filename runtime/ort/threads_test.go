package ort

import (
	"runtime"
	"testing"
)

func TestFewer(t *testing.T) {
	all := runtime.NumCPU()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(all))
	if all > 1 {
		runtime.GOMAXPROCS(all - 1)
		if got := fewer(); got != all-1 {
			t.Errorf("%d of %d processors: %d threads, want as many", all-1, all, got)
		}
	}
	runtime.GOMAXPROCS(all + 1000) // more than any machine that runs this has
	if got := fewer(); got != 0 {
		t.Errorf("all processors: %d threads, want ONNX Runtime's own number", got)
	}
}
