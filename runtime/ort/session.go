package ort

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	onnx "github.com/yalue/onnxruntime_go"
	"gorgonia.org/tensor"
)

// Options say how a session is to run. The zero value is the CPU with ONNX
// Runtime's own settings.
type Options struct {
	Provider string // one of Providers; "" means cpu
	Library  string // path of the shared library; "" means as Load has it
	Threads  int    // for one operator; 0 means one for each physical core that the program may use
	Waiting  Waiting
	Profile  string // folder for a profile, written by Close; "" means none
	Folder   string // of what the model keeps in other files; "" means nothing
}

// Output names one output of a model.
type Output struct {
	Name string
	// Scalar is the element type of an output of shape (), nil for all others.
	// The binding can't receive such a value unless it is told beforehand.
	Scalar *tensor.Dtype
}

// ErrClosed is returned by Run on a session that has been closed.
var ErrClosed = errors.New("the session is closed")

// Session is a model, ready to run. Its methods may be called concurrently.
type Session struct {
	provider, note string
	outputs        []Output

	mu     sync.RWMutex // held for reading by every run, so that Close waits
	native *onnx.DynamicAdvancedSession
}

// NewSession prepares a serialised model. inputs and outputs are its names, at
// least one of each, in the order that Run takes and returns them.
func NewSession(ctx context.Context, model []byte, inputs []string, outputs []Output, o Options) (*Session, error) {
	choice, err := candidates(o.Provider)
	if err != nil {
		return nil, err
	}
	if o.Threads < 0 {
		return nil, fmt.Errorf("ort: %d threads: expected 0 or more", o.Threads)
	}
	if o.Waiting < 0 || int(o.Waiting) >= len(waitings) {
		return nil, fmt.Errorf("ort: waiting %d: expected 0 to %d", o.Waiting, len(waitings)-1)
	}
	if err := Load(ctx, o.Library); err != nil {
		return nil, err
	}
	outputNames := make([]string, len(outputs))
	for i, out := range outputs {
		outputNames[i] = out.Name
	}

	var refused []string
	for i, p := range choice {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("ort: %w", err)
		}
		native, err := open(p, model, inputs, outputNames, o)
		if err == nil {
			return &Session{provider: p.name, note: strings.Join(refused, "; "), outputs: outputs, native: native}, nil
		}
		if i == len(choice)-1 {
			return nil, err
		}
		refused = append(refused, err.Error())
	}
	panic("unreachable: a choice has at least one provider")
}

// open makes a session on one provider. Some of the reasons why a provider
// can't work show only when it is given a model.
func open(p provider, model []byte, inputs, outputs []string, o Options) (*onnx.DynamicAdvancedSession, error) {
	options, err := onnx.NewSessionOptions()
	if err != nil {
		return nil, oneLine(err)
	}
	defer options.Destroy()
	if threads := cmp.Or(o.Threads, fewer()); threads > 0 {
		if err := options.SetIntraOpNumThreads(threads); err != nil {
			return nil, oneLine(err)
		}
	}
	w := waitings[o.Waiting]
	if err := options.AddSessionConfigEntry(w.key, w.value); err != nil {
		return nil, oneLine(err)
	}
	if err := lessMemory(options); err != nil {
		return nil, oneLine(err)
	}
	if o.Folder != "" {
		if err := options.AddSessionConfigEntry("session.model_external_initializers_file_folder_path", o.Folder); err != nil {
			return nil, oneLine(err)
		}
	}
	if o.Profile != "" {
		if err := options.EnableProfiling(filepath.Join(o.Profile, "profile")); err != nil {
			return nil, oneLine(err)
		}
	}
	if err := p.enable(options); err != nil {
		return nil, p.failure(err)
	}
	native, err := onnx.NewDynamicAdvancedSessionWithONNXData(model, inputs, outputs, options)
	if err != nil {
		return nil, p.failure(err)
	}
	return native, nil
}

// lessMemory leaves out ONNX Runtime's memory pattern: one block for all arrays
// of a run, planned from the run before.
//
// Two cores (Intel, AVX-512), ONNX Runtime 1.24.4, medians of runs taken
// in turn, with the pattern and without it:
//
//	                                ms a step      peak MB
//	guo-mlp, batch 128              29.6, 29.8     181, 159
//	michelucci-dcgan, batch 256     905,  912      629, 394
//	its generator, 256 pictures     154,  156      125, 98
//
// No arena, with it or without it: 31.9 and 36.7 ms, 252 and 222 MB; 985 and
// 926 ms, 612 and 753 MB. An arena that grows by what is asked for instead of by
// powers of two: no difference.
//
// session.set_denormal_as_zero is no choice. It saved nothing (30.6, 30.9 ms), and
// sets the processor's mode in the thread that makes the first session: Go's own
// arithmetic then differs with the thread that a goroutine happens to be on.
func lessMemory(options *onnx.SessionOptions) error { return options.SetMemPattern(false) }

func (p provider) failure(err error) error {
	if p.remedy == "" {
		return oneLine(err)
	}
	return fmt.Errorf("provider %s: %w; %s", p.name, oneLine(err), p.remedy)
}

// Provider is the name of the provider in use.
func (s *Session) Provider() string { return s.provider }

// Note says why Auto passed over the providers before this one; "" if it did
// not.
func (s *Session) Note() string { return s.note }

// Run computes the outputs, in the order given to NewSession, in memory of
// their own. The inputs are read in place and must not change meanwhile.
//
// When ctx ends, the run stops after the operator at work, and the error wraps
// ctx.Err().
func (s *Session) Run(ctx context.Context, inputs []*tensor.Dense) ([]*tensor.Dense, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.native == nil {
		return nil, ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	in := make([]onnx.Value, len(inputs))
	defer destroy(in)
	out := make([]onnx.Value, len(s.outputs))
	defer destroy(out)
	var err error
	for i, d := range inputs {
		if in[i], err = toValue(d); err != nil {
			return nil, err
		}
	}
	for i, o := range s.outputs {
		if o.Scalar == nil {
			continue // ONNX Runtime allocates what it finds empty
		}
		if out[i], err = emptyScalar(*o.Scalar); err != nil {
			return nil, err
		}
	}
	if err := s.run(ctx, in, out); err != nil {
		return nil, err
	}
	results := make([]*tensor.Dense, len(out))
	for i, v := range out {
		if results[i], err = fromValue(v); err != nil {
			return nil, fmt.Errorf("output %q: %w", s.outputs[i].Name, err)
		}
	}
	return results, nil
}

func (s *Session) run(ctx context.Context, in, out []onnx.Value) error {
	if ctx.Done() == nil {
		if err := s.native.Run(in, out); err != nil {
			return oneLine(err)
		}
		return nil
	}
	options, err := onnx.NewRunOptions()
	if err != nil {
		return oneLine(err)
	}
	defer options.Destroy()
	terminated := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(terminated)
		_ = options.Terminate() // fails only on options that were destroyed
	})
	err = s.native.RunWithOptions(in, out, options)
	if !stop() {
		<-terminated // before the options are destroyed
	}
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("stopped: %w", ctx.Err())
	}
	return oneLine(err)
}

// Close frees the model after waiting for the runs under way. Later runs return
// ErrClosed; closing again does nothing.
func (s *Session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.native == nil {
		return nil
	}
	err := s.native.Destroy()
	s.native = nil
	if err != nil {
		return oneLine(err)
	}
	return nil
}

func destroy(values []onnx.Value) {
	for _, v := range values {
		if v != nil {
			_ = v.Destroy() // never fails
		}
	}
}
