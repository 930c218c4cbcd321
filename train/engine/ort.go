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
	kept    []string         // state that the model reads
	written []string         // state that it writes as well
	fed     []string         // inputs that are not state
	scalars []string         // outputs that are not state: losses and reports
	rows    map[string][]int // the orders of Rows
	note    string           // why the provider is not the first choice
}

// NewORT exports a step with its gradients and its optimiser as one ONNX model
// and compiles it for ONNX Runtime. Load gives the program its first state.
func NewORT(ctx context.Context, step Step, state State, o runtime.Options) (Program, error) {
	if err := step.check(state); err != nil {
		return nil, err
	}
	model, err := Model(step, state)
	if err != nil {
		return nil, err
	}
	e := &ort{state: state}
	feedback, own := map[string]string{}, map[string]*tensor.Dense{}
	for i := range step.Updates {
		e.scalars = append(e.scalars, lossName(i))
	}
	for _, u := range step.Updates {
		for _, p := range u.Report {
			e.scalars = append(e.scalars, p.Name)
		}
		for _, p := range u.New {
			if _, twice := feedback[p.Name+newSuffix]; !twice {
				feedback[p.Name+newSuffix] = p.Name
				e.written = append(e.written, p.Name)
			}
		}
	}
	o.Waiting = runtime.SpinDuringRun // between steps the cores make noise and masks
	inPlace, err := e.load(ctx, model, feedback, o)
	if err != nil {
		return nil, fmt.Errorf("engine: the step on ONNX Runtime: %w", err)
	}
	for _, p := range e.session.Inputs() {
		if v, ok := state[p.Name]; ok {
			e.kept = append(e.kept, p.Name)
			own[p.Name] = v
		} else {
			e.fed = append(e.fed, p.Name)
		}
	}
	if e.loop, err = e.session.NewLoop(feedback, own, inPlace...); err != nil {
		e.session.Close()
		return nil, fmt.Errorf("engine: %w", err)
	}
	return e, nil
}

// load compiles a model, which is first made faster where a CPU runs it. Of next,
// from outputs to the inputs whose next values they are, it returns the outputs
// that may be written over their inputs.
func (e *ort) load(ctx context.Context, model *onnxpb.ModelProto, next map[string]string, o runtime.Options) (inPlace []string, err error) {
	onCPU := o.Provider == "" || o.Provider == runtime.CPU
	if onCPU {
		if e.rows, err = pass.ForCPU(model, masks(model)...); err != nil {
			return nil, err
		}
		inPlace = pass.InPlace(model, next)
	}
	data, err := export.Marshal(model)
	if err != nil {
		return nil, err
	}
	if e.session, err = runtime.Load(ctx, data, o); err != nil {
		return nil, err
	}
	if onCPU || e.session.Provider() != runtime.CPU {
		return inPlace, nil
	}
	e.note = e.session.Note() // Auto came to the CPU
	if err := e.session.Close(); err != nil {
		return nil, err
	}
	o.Provider = runtime.CPU
	return e.load(ctx, model, next, o)
}

// masks names the inputs that hold whole numbers: they come from a generator of
// random numbers, which can write them in any order. Of a square one Run could not
// tell in which it was written.
func masks(m *onnxpb.ModelProto) (names []string) {
	for _, v := range m.Graph.Input {
		t := v.Type.GetTensorType()
		dims := t.GetShape().GetDim()
		square := len(dims) == 2 && dims[0].GetDimValue() == dims[1].GetDimValue()
		if onnxpb.TensorProto_DataType(t.GetElemType()) == onnxpb.TensorProto_UINT8 && !square {
			names = append(names, v.Name)
		}
	}
	return names
}

// newSuffix marks the output that holds a state's next value.
const newSuffix = ".new"

func lossName(update int) string { return fmt.Sprintf("loss/%d", update) }

// Model joins the updates of a step into one ONNX model, in which equal
// computations stand once. It reads the state and what is fed by name, and
// gives the losses as loss/0, loss/1 and so on, reports under their names, and
// each new value under its name with ".new" behind it. The first axis of what is not
// state is denoted as the batch.
func Model(step Step, state State) (*onnxpb.ModelProto, error) {
	var parts []pass.Part
	for i, u := range step.Updates {
		outputs := append([]export.Port{{Name: lossName(i), Node: u.Loss}}, u.Report...)
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
	for _, v := range joined.Graph.Input {
		if dims := v.Type.GetTensorType().GetShape().GetDim(); state[v.Name] == nil && len(dims) > 1 {
			dims[0].Denotation = pass.DataBatch
		}
	}
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
		if v.Dtype() != buffer.Dtype() || v.Shape().TotalSize() != buffer.Shape().TotalSize() {
			return nil, fmt.Errorf("engine: input %q is fed %v of %v, takes %v of %v", name, v.Dtype(), v.Shape(), buffer.Dtype(), buffer.Shape())
		}
		switch rows := e.rows[name]; {
		case v.Shape().IsScalar():
			buffer.Set(0, v.Data())
		case rows != nil && !v.Shape().Eq(buffer.Shape()):
			turn(buffer.Data().([]uint8), v.Data().([]uint8), rows)
		default:
			copyValues(buffer, v)
		}
	}
	// A step that has begun is finished, whatever is asked meanwhile.
	if err := e.loop.Run(context.Background()); err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	values := make([]float64, len(e.scalars))
	for i, name := range e.scalars {
		v, err := e.loop.Output(name)
		if err != nil {
			return nil, fmt.Errorf("engine: %w", err)
		}
		if values[i], err = scalar(v); err != nil {
			return nil, fmt.Errorf("engine: %s: %w", name, err)
		}
	}
	return values, nil
}

// Rows implements Program.
func (e *ort) Rows(input string) []int { return e.rows[input] }

// turn writes examples of features as rows of features in the given order.
func turn(to, from []uint8, rows []int) {
	batch := len(to) / len(rows)
	for i, feature := range rows {
		for b := range batch {
			to[i*batch+b] = from[b*len(rows)+feature]
		}
	}
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
