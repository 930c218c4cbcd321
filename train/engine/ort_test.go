package engine_test

import (
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train/engine"
)

// What a step is not made for is not fed to it in part.
func TestORTErrors(t *testing.T) {
	state := engine.State{"a": vector[float32](1, 2)}
	step := engine.Step{Updates: []engine.Update{halfway(t, "a", "x", tensor.Float32)}}
	p, err := engine.NewORT(t.Context(), step, state, runtime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := p.Load(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		feed gorgonia.Value
		want string
	}{
		{"nothing", nil, `engine: nothing is fed to input "x"`},
		{"another size", vector[float32](1, 2, 3), `engine: input "x" is fed float32 of (3), takes float32 of (2)`},
		{"another type", vector(1.0, 2), `engine: input "x" is fed float64 of (2), takes float32 of (2)`},
		{"a scalar", gorgonia.NewF32(1), `engine: input "x" is fed float32 of (), takes float32 of (2)`},
	} {
		feed := engine.Feed{"x": c.feed}
		if c.feed == nil {
			feed = nil
		}
		if _, err := p.Run(feed); err == nil || err.Error() != c.want {
			t.Errorf("%s: error %v, want %s", c.name, err, c.want)
		}
	}
	if _, err := p.Run(engine.Feed{"x": vector[float32](3, 4)}); err != nil {
		t.Fatal(err)
	}
	if err := p.Store(); err != nil {
		t.Fatal(err)
	}
	if got := state["a"].Float32s(); got[0] != 2 || got[1] != 3 {
		t.Errorf("a is %v, want [2 3]", got)
	}
}
