package engine_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/train/engine"
	"github.com/gantrain/gantrain/train/nn"
	"github.com/gantrain/gantrain/train/op"
)

// halfway is an update that moves the array called to half of the way to the
// one called from, with the sum of from as its loss.
func halfway(t *testing.T, to, from string, dt tensor.Dtype) engine.Update {
	t.Helper()
	g := gorgonia.NewGraph()
	a, b := nn.Input(g, to, dt, 2), nn.Input(g, from, dt, 2)
	moved, err := op.MovingAverage(a, b, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	loss, err := gorgonia.Sum(b)
	if err != nil {
		t.Fatal(err)
	}
	return engine.Update{
		Name:   to + " towards " + from,
		Inputs: []export.Port{{Name: to, Node: a}, {Name: from, Node: b}},
		Loss:   loss,
		New:    []export.Port{{Name: to, Node: moved}},
	}
}

func vector[F float32 | float64](values ...F) *tensor.Dense {
	return tensor.New(tensor.WithShape(len(values)), tensor.WithBacking(values))
}

// a and b start at 0 and 8 and move towards each other: at once, or b after a.
// Two steps, so that the second starts where the first ended.
func TestUpdatesReadTheStateOfTheirTime(t *testing.T) {
	for _, c := range []struct {
		simultaneous bool
		losses       [][]float64 // of b, then of a, before each update
		a, b         []float64
	}{
		{true, [][]float64{{16, 0}, {8, 8}}, []float64{4, 4}, []float64{4, 4}},
		{false, [][]float64{{16, 8}, {12, 10}}, []float64{5, 5}, []float64{5.5, 5.5}},
	} {
		state := engine.State{"a": vector(0.0, 0), "b": vector(8.0, 8)}
		a, b := state["a"], state["b"]
		step := engine.Step{
			Updates:      []engine.Update{halfway(t, "a", "b", tensor.Float64), halfway(t, "b", "a", tensor.Float64)},
			Simultaneous: c.simultaneous,
		}
		p, err := engine.NewTape(step, state)
		if err != nil {
			t.Fatal(err)
		}
		var losses [][]float64
		for range c.losses {
			l, err := p.Run(nil)
			if err != nil {
				t.Fatal(err)
			}
			losses = append(losses, l)
		}
		if diff := cmp.Diff(c.losses, losses); diff != "" {
			t.Errorf("simultaneous %v: losses (-want +got):\n%s", c.simultaneous, diff)
		}
		got, want := [][]float64{a.Float64s(), b.Float64s()}, [][]float64{c.a, c.b}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("simultaneous %v: the state's own arrays (-want +got):\n%s", c.simultaneous, diff)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What is fed may be another array at each step; the state may be changed from
// outside between two.
func TestFeedsAndStateAreReadAtEachStep(t *testing.T) {
	state := engine.State{"a": vector[float32](0, 0)}
	p, err := engine.NewTape(engine.Step{Updates: []engine.Update{halfway(t, "a", "x", tensor.Float32)}}, state)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, c := range []struct {
		x    float32
		loss float64
		a    float32
	}{{4, 8, 2}, {10, 20, 6}, {2, 4, 4}} {
		losses, err := p.Run(engine.Feed{"x": vector(c.x, c.x), "not asked for": vector(c.x)})
		if err != nil {
			t.Fatal(err)
		}
		if a := state["a"].Float32s(); losses[0] != c.loss || a[0] != c.a || a[1] != c.a {
			t.Errorf("x %g: loss %g and a %v, want %g and %g", c.x, losses[0], a, c.loss, c.a)
		}
	}
	state["a"].Float32s()[0] = 100
	if _, err := p.Run(engine.Feed{"x": vector[float32](0, 0)}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]float32{50, 2}, state["a"].Float32s()); diff != "" {
		t.Errorf("after a change from outside (-want +got):\n%s", diff)
	}
}

// What two updates compute alike is computed once, but only where both read the
// same state.
func TestUpdatesShareWhatTheyHaveInCommon(t *testing.T) {
	for _, simultaneous := range []bool{true, false} {
		state := engine.State{"a": vector(0.0, 0), "b": vector(8.0, 8)}
		var common, apart []interface{ Last() gorgonia.Value }
		update := func(to string) engine.Update {
			g := gorgonia.NewGraph()
			a, b := nn.Input(g, "a", tensor.Float64, 2), nn.Input(g, "b", tensor.Float64, 2)
			half, err := op.MovingAverage(a, b, 0.5)
			if err != nil {
				t.Fatal(err)
			}
			moved, err := op.MovingAverage(map[string]*gorgonia.Node{"a": a, "b": b}[to], half, 0.5)
			if err != nil {
				t.Fatal(err)
			}
			common, apart = append(common, half.Op().(interface{ Last() gorgonia.Value })), append(apart, moved.Op().(interface{ Last() gorgonia.Value }))
			loss, err := gorgonia.Sum(half)
			if err != nil {
				t.Fatal(err)
			}
			return engine.Update{
				Name: to, Inputs: []export.Port{{Name: "a", Node: a}, {Name: "b", Node: b}},
				Loss: loss, New: []export.Port{{Name: to, Node: moved}},
			}
		}
		p, err := engine.NewTape(engine.Step{Updates: []engine.Update{update("a"), update("b")}, Simultaneous: simultaneous}, state)
		if err != nil {
			t.Fatal(err)
		}
		want := map[bool][]float64{true: {2, 6, 3, 5}, false: {2, 6.5, 3.125, 5.65625}}[simultaneous]
		var got []float64
		for range 2 {
			if _, err := p.Run(nil); err != nil {
				t.Fatal(err)
			}
			got = append(got, state["a"].Float64s()[0], state["b"].Float64s()[0])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("simultaneous %t: a and b after each step (-want +got):\n%s", simultaneous, diff)
		}
		if shared := common[0].Last() == common[1].Last(); shared != simultaneous || apart[0].Last() == apart[1].Last() {
			t.Errorf("simultaneous %t: shared %t", simultaneous, shared)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestTapeErrors(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*engine.Update)
		state  engine.State
		feed   engine.Feed
		want   string
	}{
		{"no place", nil, engine.State{}, nil, `engine: a towards x: writes "a", which is not part of the state`},
		{"other shape", nil, engine.State{"a": vector[float32](1, 2, 3)}, nil, `engine: a towards x: writes "a" with shape (2), the state has (3)`},
		{
			"an operator that forgets", func(u *engine.Update) { u.New[0].Node = gorgonia.Must(gorgonia.Neg(u.Inputs[0].Node)) },
			engine.State{"a": vector[float32](1, 2)}, nil, "engine: a towards x: a is computed by gorgonia.elemUnaryOp, which does not keep its output",
		},
		{"nothing fed", nil, engine.State{"a": vector[float32](1, 2)}, nil, `engine: a towards x: nothing is fed to input "x"`},
		{"wrong shape fed", nil, engine.State{"a": vector[float32](1, 2)}, engine.Feed{"x": vector[float32](1, 2, 3)}, "engine: a towards x: "},
		{"wrong type fed", nil, engine.State{"a": vector[float32](1, 2)}, engine.Feed{"x": vector(1.0, 2)}, "engine: a towards x: "},
	} {
		u := halfway(t, "a", "x", tensor.Float32)
		if c.change != nil {
			c.change(&u)
		}
		p, err := engine.NewTape(engine.Step{Updates: []engine.Update{u}}, c.state)
		if err == nil {
			_, err = p.Run(c.feed)
		}
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want %s, on one line", c.name, err, c.want)
		}
	}
}

// A failed update leaves the state as it was, and the program usable.
func TestFailureChangesNothing(t *testing.T) {
	state := engine.State{"a": vector[float32](2, 2), "b": vector[float32](4, 4)}
	step := engine.Step{
		Updates:      []engine.Update{halfway(t, "a", "b", tensor.Float32), halfway(t, "b", "x", tensor.Float32)},
		Simultaneous: true,
	}
	p, err := engine.NewTape(step, state)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	before := state.Clone()
	if _, err := p.Run(nil); err == nil {
		t.Fatal("no error without a feed")
	}
	for _, name := range before.Names() {
		if diff := cmp.Diff(before[name].Float32s(), state[name].Float32s()); diff != "" {
			t.Errorf("%s after a failure (-before +after):\n%s", name, diff)
		}
	}
	if _, err := p.Run(engine.Feed{"x": vector[float32](8, 8)}); err != nil {
		t.Fatal(err)
	}
	if got := []float32{state["a"].Float32s()[0], state["b"].Float32s()[0]}; !cmp.Equal(got, []float32{3, 6}) {
		t.Errorf("the step after a failure gives %v, want 3 and 6", got)
	}
}

func TestState(t *testing.T) {
	s := engine.State{"b": vector[float32](1, 2), "a": vector(3.0)}
	c := s.Clone()
	s["b"].Float32s()[0] = 9
	if c["b"].Float32s()[0] != 1 || c["a"].Float64s()[0] != 3 {
		t.Errorf("a clone holds %v", c)
	}
	if diff := cmp.Diff([]string{"a", "b"}, s.Names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}
