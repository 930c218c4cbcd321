package runtime

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/runtime/ort"
)

// Session is an open model. Its methods may be called by several goroutines at
// once.
type Session struct {
	name   string // of the file, for errors
	header *header
	native *ort.Session
}

// Load opens a serialised model, whose bytes are not needed afterwards and hold
// all of its weights. Errors are one line.
func Load(ctx context.Context, model []byte, o Options) (*Session, error) {
	return load(ctx, "model", "", model, o)
}

func load(ctx context.Context, name, folder string, model []byte, o Options) (*Session, error) {
	if len(model) == 0 {
		return nil, fmt.Errorf("runtime: %s: empty; expected an ONNX model", name)
	}
	h, err := parseHeader(model)
	if err == nil {
		err = checkExternal(h.external, folder)
	}
	if err != nil {
		return nil, fmt.Errorf("runtime: %s: %w", name, err)
	}
	inputs := make([]string, len(h.inputs))
	for i, p := range h.inputs {
		inputs[i] = p.Name
	}
	outputs := make([]ort.Output, len(h.outputs))
	for i, p := range h.outputs {
		outputs[i].Name = p.Name
		if p.Shape != nil && len(p.Shape) == 0 {
			outputs[i].Scalar = &p.Dtype
		}
	}
	options := ort.Options{Provider: string(o.Provider), Library: o.Library, Threads: o.Threads, Waiting: o.Waiting, Profile: o.Profile}
	if len(h.external) > 0 {
		options.Folder = folder
	}
	native, err := ort.NewSession(ctx, model, inputs, outputs, options)
	if err != nil {
		return nil, fmt.Errorf("runtime: %s: %w", name, err)
	}
	if len(h.external) == 0 && o.Batch >= manyExamples && native.Provider() == string(CPU) { // which auto tells only now
		if fast, ok := batchLast(model); ok {
			if better, err := ort.NewSession(ctx, fast, inputs, outputs, options); err == nil { // else the model runs as it is
				if err := native.Close(); err != nil {
					return nil, fmt.Errorf("runtime: %s: %w", name, errors.Join(err, better.Close()))
				}
				native = better
			}
		}
	}
	return &Session{name: name, header: h, native: native}, nil
}

// Inputs lists what Run needs, in the model's order.
func (s *Session) Inputs() []Port { return slices.Clone(s.header.inputs) }

// Outputs lists what Run returns, in the model's order.
func (s *Session) Outputs() []Port { return slices.Clone(s.header.outputs) }

// Metadata returns the notes that the model's writer left in it, never nil.
func (s *Session) Metadata() map[string]string { return maps.Clone(s.header.metadata) }

// Provider is what computes: CPU or CUDA, never Auto.
func (s *Session) Provider() Provider { return Provider(s.native.Provider()) }

// Note says in one line why Auto did not choose CUDA; "" where it did or was
// not asked.
func (s *Session) Note() string { return s.native.Note() }

// Run computes the model's outputs. Every input must be there, with the type
// and shape that Inputs tells, and is read in place: it must not change until
// Run returns. The outputs are the caller's own.
//
// When ctx ends, Run stops after the operator at work, with an error that wraps
// ctx.Err().
func (s *Session) Run(ctx context.Context, in map[string]*tensor.Dense) (map[string]*tensor.Dense, error) {
	if err := CheckInputs(s.header.inputs, in); err != nil {
		return nil, fmt.Errorf("runtime: %s: %w", s.name, err)
	}
	ordered := make([]*tensor.Dense, len(s.header.inputs))
	for i, p := range s.header.inputs {
		ordered[i] = in[p.Name]
	}
	results, err := s.native.Run(ctx, ordered)
	if err != nil {
		return nil, fmt.Errorf("runtime: %s: %w", s.name, err)
	}
	out := make(map[string]*tensor.Dense, len(results))
	for i, p := range s.header.outputs {
		out[p.Name] = results[i]
	}
	return out, nil
}

// Close frees the model. It waits for the runs under way; a later Run is an
// error. Closing again does nothing.
func (s *Session) Close() error {
	if err := s.native.Close(); err != nil {
		return fmt.Errorf("runtime: %s: %w", s.name, err)
	}
	return nil
}

// Version is the version of the ONNX Runtime that this process uses, or empty
// before the first session.
func Version() string { return ort.Version() }

// ErrOutOfMemory is wrapped by the errors of opening and running a model for
// which there is no memory, the machine's or a GPU's. The session stays usable.
var ErrOutOfMemory = ort.ErrOutOfMemory
