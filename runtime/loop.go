package runtime

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/runtime/ort"
)

// maxLoop bounds the bytes of a loop's arrays together: a damaged model may
// claim any shape.
const maxLoop = 16 << 30

// Loop runs a model again and again, feeding some of its outputs back, as a
// training step wants it whose weights go in and come out. Its arrays are made
// once; on a CPU, a run copies none of them, on a GPU it brings them there and
// back.
//
//	l, err := s.NewLoop(map[string]string{"weight_next": "weight"}, nil)
//	...
//	defer l.Close()
//	weight, err := l.Input("weight") // set the start
//	...
//	for range steps {
//		batch, err := l.Input("batch") // fill it
//		...
//		if err := l.Run(ctx); err != nil {
//
// A Loop is not for concurrent use, Close excepted. Loops of one Session are
// independent of each other.
type Loop struct {
	name    string // of the model, for errors
	inputs  []Port
	outputs []Port
	fed     map[string]string // from an output to its input
	native  *ort.Loop
}

// NewLoop makes arrays, filled with zeros, for the model's inputs and outputs.
// feedback maps an output's name to that of the input whose next value it is;
// both have one type and shape. All shapes of the model must be static.
//
// offered, by the name of an input, are arrays of the caller that the loop may
// use instead of making its own, to save memory; whether it does, Input tells.
// With feedback, runs overwrite them.
//
// inPlace are outputs with feedback that a run may write where their inputs lie,
// instead of into arrays of their own: nothing in the graph may read such an
// input once the output is computed. A run that fails may then have changed it.
func (s *Session) NewLoop(feedback map[string]string, offered map[string]*tensor.Dense, inPlace ...string) (*Loop, error) {
	l, err := s.newLoop(feedback, offered, inPlace)
	if err != nil {
		return nil, fmt.Errorf("runtime: %s: %w", s.name, err)
	}
	return l, nil
}

func (s *Session) newLoop(feedback map[string]string, offered map[string]*tensor.Dense, inPlace []string) (*Loop, error) {
	pairs, err := s.header.feedback(feedback)
	if err != nil {
		return nil, err
	}
	for _, name := range inPlace {
		i := slices.IndexFunc(pairs, func(f ort.Feedback) bool { return s.header.outputs[f.Output].Name == name })
		if i < 0 {
			return nil, fmt.Errorf("output %q, to be written in place, feeds no input", name)
		}
		pairs[i].InPlace = true
	}
	free := int64(maxLoop)
	inputs, err := static("input", s.header.inputs, &free)
	if err != nil {
		return nil, err
	}
	for name, d := range offered {
		i, err := position("input", s.header.inputs, name)
		if err != nil {
			return nil, err
		}
		if p := s.header.inputs[i]; d.Dtype() != p.Dtype || !slices.Equal(d.Shape(), inputs[i].Shape) {
			return nil, fmt.Errorf("the array offered for input %q is of type %v and shape %v: expected %v", name, d.Dtype(), []int(d.Shape()), p)
		}
		inputs[i].Offered = d
	}
	outputs, err := static("output", s.header.outputs, &free)
	if err != nil {
		return nil, err
	}
	native, err := s.native.NewLoop(inputs, outputs, pairs)
	if err != nil {
		return nil, err
	}
	return &Loop{name: s.name, inputs: s.header.inputs, outputs: s.header.outputs, fed: maps.Clone(feedback), native: native}, nil
}

// feedback turns names into positions.
func (h *header) feedback(names map[string]string) ([]ort.Feedback, error) {
	var pairs []ort.Feedback
	source := map[string]string{} // of an input
	for _, from := range slices.Sorted(maps.Keys(names)) {
		to := names[from]
		o, err := position("output", h.outputs, from)
		if err != nil {
			return nil, err
		}
		i, err := position("input", h.inputs, to)
		if err != nil {
			return nil, err
		}
		if other, ok := source[to]; ok {
			return nil, fmt.Errorf("input %q is fed by the outputs %q and %q: expected one", to, other, from)
		}
		source[to] = from
		out, in := h.outputs[o], h.inputs[i]
		if out.Dtype != in.Dtype || !slices.Equal(out.Shape, in.Shape) {
			return nil, fmt.Errorf("output %v cannot feed input %v: expected one type and shape", out, in)
		}
		pairs = append(pairs, ort.Feedback{Output: o, Input: i})
	}
	return pairs, nil
}

func position(side string, ports []Port, name string) (int, error) {
	i := slices.IndexFunc(ports, func(p Port) bool { return p.Name == name })
	if i < 0 {
		return 0, fmt.Errorf("no %s is called %q: expected one of %s", side, name, names(ports))
	}
	return i, nil
}

// static describes arrays of fixed size and takes their bytes from free.
func static(side string, ports []Port, free *int64) ([]ort.Array, error) {
	arrays := make([]ort.Array, len(ports))
	for i, p := range ports {
		if p.Shape == nil || slices.ContainsFunc(p.Shape, func(n int64) bool { return n < 1 }) {
			return nil, fmt.Errorf("%s %v has no static shape: expected a positive size for every axis", side, p)
		}
		shape, size := make([]int, len(p.Shape)), int64(p.Dtype.Size())
		for axis, n := range p.Shape {
			if n > *free/size {
				return nil, fmt.Errorf("%s %v is too large: expected %d bytes at most for all inputs and outputs together", side, p, int64(maxLoop))
			}
			shape[axis], size = int(n), size*n
		}
		*free -= size
		arrays[i] = ort.Array{Dtype: p.Dtype, Shape: shape}
	}
	return arrays, nil
}

// Input returns the array that the next Run reads, to be filled or, the state of
// a feedback, to be set or read out. It is valid until Close, with a feedback
// only until the next Run, after which another array is the input. A scalar is
// set with Set(0, v).
func (l *Loop) Input(name string) (*tensor.Dense, error) {
	i, err := position("input", l.inputs, name)
	if err != nil {
		return nil, l.failure(err)
	}
	d, err := l.native.Input(i)
	return d, l.failure(err)
}

// Output returns the array that the last Run wrote, such as a loss; the next one
// overwrites it. What is fed back is no longer an output but an input.
func (l *Loop) Output(name string) (*tensor.Dense, error) {
	i, err := position("output", l.outputs, name)
	if err != nil {
		return nil, l.failure(err)
	}
	if to, ok := l.fed[name]; ok {
		return nil, l.failure(fmt.Errorf("output %q is fed back: read it as input %q", name, to))
	}
	d, err := l.native.Output(i)
	return d, l.failure(err)
}

// Run computes the model once; the outputs with feedback are then the inputs.
// When it fails the inputs are as they were before, unless written in place. When ctx ends, it stops
// after the operator at work, with an error that wraps ctx.Err().
func (l *Loop) Run(ctx context.Context) error { return l.failure(l.native.Run(ctx)) }

// Close lets go of the arrays after waiting for the run under way; any later
// call but Close is an error. The session stays open.
func (l *Loop) Close() error {
	l.native.Close()
	return nil
}

// failure names the model in an error.
func (l *Loop) failure(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("runtime: %s: %w", l.name, err)
}
