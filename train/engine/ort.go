package engine

import (
	"context"
	"fmt"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/export/pass"
	"github.com/gantrain/gantrain/runtime"
)

// ort runs the whole step as one ONNX model on ONNX Runtime. The state stays in
// the runtime's buffers until it is asked for. One of the two that each array
// has there is the state's own: a third less for weights and moments.
type ort struct {
	session *runtime.Session
	loop    *runtime.Loop
	state   State
	kept    []string // state that the model reads
	written []string // state that it writes as well
	fed     []string // inputs that are not state
	losses  []string
}

// NewORT exports a step with its gradients and its optimiser as one ONNX model
// and compiles it for ONNX Runtime. Load gives the program its first state.
func NewORT(ctx context.Context, step Step, state State, o runtime.Options) (Program, error) {
	if err := step.check(state); err != nil {
		return nil, err
	}
	model, err := Model(step)
	if err != nil {
		return nil, err
	}
	o.Waiting = runtime.SpinDuringRun // between steps the cores make noise and masks
	session, err := load(ctx, model, o)
	if err != nil {
		return nil, fmt.Errorf("engine: the step on ONNX Runtime: %w", err)
	}
	e := &ort{session: session, state: state}
	feedback, own := map[string]string{}, map[string]*tensor.Dense{}
	for i, u := range step.Updates {
		e.losses = append(e.losses, lossName(i))
		for _, p := range u.New {
			if _, twice := feedback[p.Name+newSuffix]; !twice {
				feedback[p.Name+newSuffix] = p.Name
				e.written = append(e.written, p.Name)
			}
		}
	}
	for _, p := range session.Inputs() {
		if v, ok := state[p.Name]; ok {
			e.kept = append(e.kept, p.Name)
			own[p.Name] = v
		} else {
			e.fed = append(e.fed, p.Name)
		}
	}
	if e.loop, err = session.NewLoop(feedback, own); err != nil {
		session.Close()
		return nil, fmt.Errorf("engine: %w", err)
	}
	return e, nil
}

// load compiles a model, which is first made faster where a CPU runs it.
func load(ctx context.Context, model *onnxpb.ModelProto, o runtime.Options) (*runtime.Session, error) {
	onCPU := o.Provider == "" || o.Provider == runtime.CPU
	if onCPU {
		if err := pass.Fast(model); err != nil {
			return nil, err
		}
	}
	data, err := export.Marshal(model)
	if err != nil {
		return nil, err
	}
	session, err := runtime.Load(ctx, data, o)
	if err != nil || onCPU || session.Provider() != runtime.CPU {
		return session, err
	}
	if err := session.Close(); err != nil { // Auto came to the CPU
		return nil, err
	}
	o.Provider = runtime.CPU
	return load(ctx, model, o)
}

// newSuffix marks the output that holds a state's next value.
const newSuffix = ".new"

func lossName(update int) string { return fmt.Sprintf("loss/%d", update) }

// Model joins the updates of a step into one ONNX model, in which equal
// computations stand once. It reads the state and what is fed by name, and
// gives the losses as loss/0, loss/1 and so on, and each new value under its
// name with ".new" behind it.
func Model(step Step) (*onnxpb.ModelProto, error) {
	var parts []pass.Part
	for i, u := range step.Updates {
		outputs := []export.Port{{Name: lossName(i), Node: u.Loss}}
		writes := map[string]string{}
		for _, p := range u.New {
			outputs = append(outputs, export.Port{Name: p.Name + newSuffix, Node: p.Node})
			writes[p.Name+newSuffix] = p.Name
		}
		m, err := export.Graph(export.Model{Name: "step", Inputs: u.Inputs, Outputs: outputs})
		if err != nil {
			return nil, fmt.Errorf("engine: %s: %w", u.Name, err)
		}
		parts = append(parts, pass.Part{Model: m, Writes: writes})
	}
	joined, err := pass.Join(parts, !step.Simultaneous)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	pass.Dedupe(joined)
	return joined, nil
}

// Load implements Program.
func (e *ort) Load() error {
	return e.each(e.kept, func(state, buffer *tensor.Dense) { copyValues(buffer, state) })
}

// Store implements Program.
func (e *ort) Store() error {
	return e.each(e.written, func(state, buffer *tensor.Dense) { copyValues(state, buffer) })
}

// each visits the runtime's buffers of some of the state.
func (e *ort) each(names []string, f func(state, buffer *tensor.Dense)) error {
	for _, name := range names {
		buffer, err := e.loop.Input(name)
		if err != nil {
			return fmt.Errorf("engine: %w", err)
		}
		if state := e.state[name]; state != buffer {
			f(state, buffer)
		}
	}
	return nil
}

// Run implements Program.
func (e *ort) Run(feed Feed) ([]float64, error) {
	for _, name := range e.fed {
		v, ok := feed[name]
		if !ok {
			return nil, fmt.Errorf("engine: nothing is fed to input %q", name)
		}
		buffer, err := e.loop.Input(name)
		if err != nil {
			return nil, fmt.Errorf("engine: %w", err)
		}
		if rate, ok := v.Data().(float32); ok {
			buffer.Set(0, rate)
		} else {
			copyValues(buffer, v)
		}
	}
	// A step that has begun is finished, whatever is asked meanwhile.
	if err := e.loop.Run(context.Background()); err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	losses := make([]float64, len(e.losses))
	for i, name := range e.losses {
		v, err := e.loop.Output(name)
		if err != nil {
			return nil, fmt.Errorf("engine: %w", err)
		}
		if losses[i], err = scalar(v); err != nil {
			return nil, fmt.Errorf("engine: %s: %w", name, err)
		}
	}
	return losses, nil
}

// Close implements Program.
func (e *ort) Close() error {
	if err := e.loop.Close(); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	if err := e.session.Close(); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	return nil
}
