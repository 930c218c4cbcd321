package train

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/export/verify"
	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/engine"
)

// ExportStep writes a whole training step of the model, its gradients and its
// optimiser, as one ONNX model: the one of [engine.Model], for the recipe's
// batch, with notes that say what each input is. Before it is written, one step
// of it is run on ONNX Runtime, whose losses must be those of the tape engine.
func (m *Model) ExportStep(ctx context.Context, path string, o runtime.Options) error {
	data, err := m.verifiedStep(ctx, o)
	if err != nil {
		return fmt.Errorf("train: %s is not written: %w", path, err)
	}
	return export.WriteFile(path, data)
}

func (m *Model) verifiedStep(ctx context.Context, o runtime.Options) ([]byte, error) {
	if len(m.GAN.Recipe.Phases) > 0 {
		return nil, fmt.Errorf("its steps train one network or the other: they are no single model")
	}
	plan, err := NewPlan(m.GAN, m.GAN.Recipe.Batch, tensor.Float32)
	if err != nil {
		return nil, err
	}
	model, err := engine.Model(plan.Step, m.State)
	if err != nil {
		return nil, err
	}
	if err := m.annotate(model, plan); err != nil {
		return nil, err
	}
	data, err := export.Marshal(model)
	if err != nil {
		return nil, err
	}
	feed := m.exampleFeed(plan)
	got, err := m.runStep(ctx, data, feed, o)
	if err != nil {
		return nil, err
	}
	want, err := m.runTape(plan, feed)
	if err != nil {
		return nil, err
	}
	for i := range got { // the reports come behind the losses
		if !(math.Abs(got[i]-want[i]) <= verify.Tolerance*max(1, math.Abs(want[i]))) {
			return nil, fmt.Errorf("loss %d of the step is %v on ONNX Runtime, %v on the tape engine", i, got[i], want[i])
		}
	}
	return data, nil
}

// annotate writes down what a script must know to feed a step.
func (m *Model) annotate(model *onnxpb.ModelProto, plan *Plan) error {
	model.ProducerName, model.ProducerVersion = "gantrain", Version()
	info := m.info(arch.Generator)
	info.Network, info.Average = "", 0 // both, and the weights themselves too
	notes := info.Map()
	for _, p := range model.Graph.Input {
		about := map[string]any{"kind": "state"}
		for _, f := range plan.Feeds {
			if f.Name == p.Name {
				about = f.about(m.GAN)
			}
		}
		text, err := json.Marshal(about)
		if err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		notes["gan.input."+p.Name] = string(text)
	}
	model.MetadataProps = nil
	for _, key := range slices.Sorted(maps.Keys(notes)) {
		model.MetadataProps = append(model.MetadataProps, &onnxpb.StringStringEntryProto{Key: key, Value: notes[key]})
	}
	return nil
}

// about says what an input holds.
func (f FeedSpec) about(gan arch.GAN) map[string]any {
	switch f.Kind {
	case RealImages:
		about := map[string]any{"kind": "real", "number": f.Real}
		if gan.Image.Picture() {
			about["min"], about["max"] = gan.Min, gan.Max
		}
		return about
	case Noise:
		return map[string]any{"kind": "noise", "distribution": gan.Latent.Distribution}
	case DropoutMask:
		return map[string]any{"kind": "mask", "keep": 1 - f.Rate}
	case RealLabels:
		return map[string]any{"kind": "real_label", "number": f.Real}
	case FakeLabels:
		return map[string]any{"kind": "label", "classes": gan.Classes}
	}
	a := gan.Recipe.Adam[gan.Recipe.Updates[f.Update].Trains]
	perStep, number := turns(gan.Recipe, f.Update)
	if f.Kind == AverageShare {
		return map[string]any{"kind": "share", "decay": gan.Recipe.EMA, "per_step": perStep, "number": number}
	}
	return map[string]any{"kind": "rate", "rate": a.Rate, "beta1": a.Beta1, "beta2": a.Beta2, "per_step": perStep, "number": number}
}

// exampleFeed is what a step of the model may be fed with.
func (m *Model) exampleFeed(plan *Plan) engine.Feed {
	feed := newFeeder(m.GAN, nil, m.Seed, plan.Feeds, nil).fill(m.Step, nil)
	for _, f := range plan.Feeds {
		switch f.Kind {
		case RealImages:
			feed[f.Name] = m.example(arch.Discriminator, f.Shape[0])
		case RealLabels:
			feed[f.Name] = m.exampleLabels(f.Shape[0])
		}
	}
	return feed
}

// runStep gives the losses of a serialised step.
func (m *Model) runStep(ctx context.Context, data []byte, feed engine.Feed, o runtime.Options) ([]float64, error) {
	session, err := runtime.Load(ctx, data, o)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	inputs := map[string]*tensor.Dense{}
	for _, p := range session.Inputs() {
		if v, ok := m.State[p.Name]; ok {
			inputs[p.Name] = v
		} else if v, ok := feed[p.Name].(*tensor.Dense); ok {
			inputs[p.Name] = v
		} else {
			inputs[p.Name] = tensor.New(tensor.FromScalar(feed[p.Name].Data()))
		}
	}
	out, err := session.Run(ctx, inputs)
	if err != nil {
		return nil, err
	}
	losses := make([]float64, len(m.GAN.Recipe.Updates))
	for i := range losses {
		loss, ok := out[fmt.Sprintf("loss/%d", i)].Data().(float32)
		if !ok {
			return nil, fmt.Errorf("the step's loss %d is no number", i)
		}
		losses[i] = float64(loss)
	}
	return losses, nil
}

// runTape gives the losses of the step on the tape engine.
func (m *Model) runTape(plan *Plan, feed engine.Feed) ([]float64, error) {
	program, err := engine.NewTape(plan.Step, m.State.Clone()) // it writes into its state
	if err != nil {
		return nil, err
	}
	defer program.Close()
	return program.Run(feed)
}
