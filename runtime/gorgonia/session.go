// Package gorgonia runs ONNX models on Gorgonia, in pure Go: no shared library
// is needed. It knows the operators of this toolkit's exports and of Keras' own,
// by TensorFlow or by JAX, and refuses a model with any other.
//
//	s, err := gorgonia.Open(ctx, "generator.onnx")
//	...
//	defer s.Close()
//	out, err := s.Run(ctx, map[string]*tensor.Dense{"z": z})
//
// onnx-go reads the graph. A model is compiled when the shapes of its inputs are
// known: what depends on shapes and weights alone is computed then, and the rest
// becomes a graph of train/op's operators.
package gorgonia

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/runtime"
)

// maxPrograms is how many compiled graphs a session keeps, each with arrays for
// a batch: a series has one size of batch, and a smaller one at its end.
const maxPrograms = 3

// Session is an open model. Its methods may be called by several goroutines at
// once; runs take turns, since each uses all cores.
type Session struct {
	name  string // of the file, for errors
	model *model
	turn  chan *state // holds the state while nobody runs; closed by Close
}

// state is what runs share.
type state struct {
	programs []*program // the last used first
}

// Open opens a model file. Weights in other files are read from its folder and
// nowhere else. Errors are one line that names the file; what can't be run is an
// error here, by node and attribute, except for what depends on the shapes of
// the inputs.
func Open(ctx context.Context, path string) (*Session, error) {
	data, err := runtime.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("gorgonia: %s: %w", path, err)
	}
	return load(ctx, path, data, filepath.Dir(path))
}

// Load opens a serialised model, whose bytes must not change while the session
// is open. Weights that it keeps in other files are read from folder; "" refuses
// them.
func Load(ctx context.Context, model []byte, folder string) (*Session, error) {
	return load(ctx, "model", model, folder)
}

func load(ctx context.Context, name string, data []byte, folder string) (*Session, error) {
	if len(data) == 0 {
		return nil, fmt.Errorf("gorgonia: %s: empty; expected an ONNX model", name)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("gorgonia: %s: %w", name, err)
	}
	m, err := read(data, folder)
	if err != nil {
		return nil, fmt.Errorf("gorgonia: %s: %w", name, err)
	}
	s := &Session{name: name, model: m, turn: make(chan *state, 1)}
	s.turn <- &state{}
	return s, nil
}

// Inputs lists what Run needs, in the model's order.
func (s *Session) Inputs() []runtime.Port { return slices.Clone(s.model.inputs) }

// Outputs lists what Run returns, in the model's order.
func (s *Session) Outputs() []runtime.Port { return slices.Clone(s.model.outputs) }

// Metadata returns the notes that the model's writer left in it, never nil.
func (s *Session) Metadata() map[string]string { return maps.Clone(s.model.metadata) }

// Run computes the model's outputs. Every input must be there, with the type
// and shape that Inputs tells, and is read in place: it must not change until
// Run returns. The outputs are the caller's own.
//
// When ctx ends, Run stops before or after the whole computation, with an error
// that wraps ctx.Err().
func (s *Session) Run(ctx context.Context, in map[string]*tensor.Dense) (map[string]*tensor.Dense, error) {
	names := make([]string, len(s.model.outputs))
	for i, p := range s.model.outputs {
		names[i] = p.Name
	}
	return s.Values(ctx, in, names)
}

// Values is Run for any values of the model, by their names in the file: inputs,
// weights, and what the nodes compute.
func (s *Session) Values(ctx context.Context, in map[string]*tensor.Dense, names []string) (map[string]*tensor.Dense, error) {
	out, err := s.values(ctx, in, names)
	if err != nil {
		return nil, fmt.Errorf("gorgonia: %s: %w", s.name, err)
	}
	return out, nil
}

func (s *Session) values(ctx context.Context, in map[string]*tensor.Dense, names []string) (map[string]*tensor.Dense, error) {
	if err := runtime.CheckInputs(s.model.inputs, in); err != nil {
		return nil, err
	}
	ordered, err := contiguous(in)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil { // select would choose at random
		return nil, err
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case st, open := <-s.turn:
		if !open {
			return nil, errors.New("the session is closed")
		}
		defer func() { s.turn <- st }()
		p, err := s.program(st, ordered)
		if err != nil {
			return nil, err
		}
		if err := p.run(ctx, s.model.inputs, ordered); err != nil {
			return nil, err
		}
		out := make(map[string]*tensor.Dense, len(names))
		for _, name := range names {
			if out[name], err = p.value(name); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
}

// program finds or compiles the program for inputs of these shapes.
func (s *Session) program(st *state, in map[string]*tensor.Dense) (*program, error) {
	shapes := make([]tensor.Shape, len(s.model.inputs))
	for i, p := range s.model.inputs {
		shapes[i] = in[p.Name].Shape()
	}
	key := fmt.Sprint(shapes)
	i := slices.IndexFunc(st.programs, func(p *program) bool { return p.key == key })
	if i >= 0 {
		p := st.programs[i]
		st.programs = slices.Insert(slices.Delete(st.programs, i, i+1), 0, p)
		return p, nil
	}
	p, err := s.model.compile(key, shapes)
	if err != nil {
		return nil, err
	}
	st.programs = slices.Insert(st.programs, 0, p)
	if len(st.programs) > maxPrograms {
		st.programs[maxPrograms].close()
		st.programs = st.programs[:maxPrograms]
	}
	return p, nil
}

func (p *program) close() {
	if p.machine != nil {
		p.machine.Close()
	}
}

// Close lets go of the model. It waits for the runs under way; a later Run is an
// error. Closing again does nothing.
func (s *Session) Close() error {
	st, open := <-s.turn
	if !open {
		return nil
	}
	close(s.turn)
	for _, p := range st.programs {
		p.close()
	}
	return nil
}

// contiguous returns arrays whose elements lie row by row.
func contiguous(in map[string]*tensor.Dense) (map[string]*tensor.Dense, error) {
	out := make(map[string]*tensor.Dense, len(in))
	for name, d := range in {
		shape, strides := []int(d.Shape()), d.Strides()
		if d.IsScalar() || slices.Equal(strides, stridesOf(shape)) && d.DataSize() == tensor.Shape(shape).TotalSize() {
			out[name] = d
			continue
		}
		last := 0
		for i, s := range strides {
			last += (shape[i] - 1) * s
		}
		if len(strides) != len(shape) || last >= d.DataSize() {
			return nil, fmt.Errorf("input %s: an array with shape %v and strides %v cannot be read", quoted(name), shape, strides)
		}
		x := array{dtype: d.Dtype(), shape: shape, data: d.Data()}
		y, err := newArray(x.dtype, shape)
		if err != nil {
			return nil, fmt.Errorf("input %s: %w", quoted(name), err)
		}
		gatherStrided(y, x, 0, strides)
		if out[name], err = y.dense(); err != nil {
			return nil, fmt.Errorf("input %s: %w", quoted(name), err)
		}
	}
	return out, nil
}
