package pass_test

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/export/pass"
	"github.com/gantrain/gantrain/train"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/engine"
)

// parts exports every update of a step.
func parts(t testing.TB, plan *train.Plan) []pass.Part {
	t.Helper()
	var out []pass.Part
	for i, u := range plan.Updates {
		m := export.Model{Name: "step", Inputs: u.Inputs}
		m.Outputs = []export.Port{{Name: fmt.Sprintf("loss/%d", i), Node: u.Loss}}
		writes := map[string]string{}
		for _, p := range u.New {
			m.Outputs = append(m.Outputs, export.Port{Name: p.Name + ".new", Node: p.Node})
			writes[p.Name+".new"] = p.Name
		}
		model, err := export.Graph(m)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, pass.Part{Model: model, Writes: writes})
	}
	return out
}

// join gives the step as one model, before and after Dedupe.
func join(t testing.TB, plan *train.Plan) (joined, deduped *onnxpb.ModelProto) {
	t.Helper()
	joined, err := pass.Join(parts(t, plan), !plan.Simultaneous)
	if err != nil {
		t.Fatal(err)
	}
	deduped = clone(joined)
	pass.Dedupe(deduped)
	return joined, deduped
}

// noise fills an array with numbers from lowest to lowest + width that depend
// on nothing but the seed.
func noise(v *tensor.Dense, seed uint64, lowest, width float32) {
	x := v.Data().([]float32)
	for i := range x {
		seed = seed*6364136223846793005 + 1442695040888963407
		x[i] = lowest + width*float32(seed>>40)/(1<<24)
	}
}

// midway is a state with moments, as it is some way into a run: at the start,
// where a moment is the gradient of one step alone, Adam makes a whole step of
// what rounding left of a gradient of 0.
func midway(t testing.TB, gan arch.GAN) engine.State {
	t.Helper()
	state, err := train.NewState(gan, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range state.Names() {
		switch {
		case strings.HasSuffix(name, "/m"):
			noise(state[name], uint64(i), -1e-3, 2e-3)
		case strings.HasSuffix(name, "/v"):
			noise(state[name], uint64(i), 1e-5, 1e-4)
		}
	}
	return state
}

// feeds makes what a plan wants, for the tape machine and for ONNX Runtime.
func feeds(plan *train.Plan) (engine.Feed, map[string]*tensor.Dense) {
	feed, in := engine.Feed{}, map[string]*tensor.Dense{}
	for i, f := range plan.Feeds {
		switch f.Kind {
		case train.LearningRate:
			feed[f.Name], in[f.Name] = gorgonia.NewF32(1e-3), tensor.New(tensor.FromScalar(float32(1e-3)))
			continue
		case train.DropoutMask:
			v := tensor.New(tensor.Of(tensor.Uint8), tensor.WithShape(f.Shape...))
			for j := range v.Data().([]uint8) {
				v.Data().([]uint8)[j] = uint8((j + j/7) % 3 & 1)
			}
			in[f.Name] = v
		case train.RealLabels, train.FakeLabels:
			in[f.Name] = labels(f.Shape[0])
		default:
			in[f.Name] = tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(f.Shape...))
			noise(in[f.Name], uint64(1000+i), -1, 2)
		}
		feed[f.Name] = in[f.Name]
	}
	return feed, in
}

// classes are those of a conditional GAN here.
const classes = 3

// labels are n labels, some of them equal.
func labels(n int) *tensor.Dense {
	v := tensor.New(tensor.Of(tensor.Int64), tensor.WithShape(n, 1))
	for i := range n {
		v.Data().([]int64)[i] = int64(i / 2 % classes)
	}
	return v
}

// small is a GAN in a few layers, with whatever a recipe can ask for.
func small(updates []arch.Update, simultaneous bool) arch.GAN {
	image := arch.Shape{1, 8, 8}
	norm, leaky := arch.BatchNorm{Momentum: 0.9, Epsilon: 1e-3}, arch.LeakyReLU{Slope: 0.2}
	adam := arch.Adam{Rate: 1e-3, Beta1: 0.5, Beta2: 0.999, Epsilon: 1e-7}
	return arch.GAN{
		Name: "small", Dataset: "mnist", Image: image, Min: -1, Max: 1,
		Latent: arch.Latent{Size: 5, Distribution: "normal"},
		Generator: arch.Network{Input: arch.Shape{5}, Layers: arch.Layers{
			// No bias: the mean that norm takes off makes its gradient 0, of
			// which a machine gives its own rounding.
			arch.Dense{Units: 48, NoBias: true, Init: arch.Glorot}, norm, leaky, arch.Reshape{Shape: arch.Shape{3, 4, 4}},
			arch.ConvTranspose2D{Filters: 1, Kernel: 5, Stride: 2, Init: arch.Glorot}, arch.Tanh{},
		}},
		Discriminator: arch.Network{Input: image, Layers: arch.Layers{
			arch.Conv2D{Filters: 4, Kernel: 5, Stride: 2, Init: arch.Glorot}, leaky, arch.Dropout{Rate: 0.3},
			arch.Flatten{}, arch.Dense{Units: 1, Init: arch.Glorot},
		}},
		Recipe: arch.Recipe{
			Batch: 4, Epochs: 1, Sampling: arch.Shuffled, Updates: updates, Simultaneous: simultaneous,
			Adam: map[arch.Role]arch.Adam{arch.Generator: adam, arch.Discriminator: adam},
		},
	}
}

func published(t testing.TB, name string) arch.GAN {
	t.Helper()
	gan, err := arch.Find(name, "")
	if err != nil {
		t.Fatal(err)
	}
	gan.Recipe.Batch = 4
	return gan
}

// TestStep: a step as one model gives what the tape machine gives, in every
// order of updates, and its outputs are the same bits before and after Dedupe.
func TestStep(t *testing.T) {
	d := arch.Update{Trains: arch.Discriminator, RealLabel: 1}
	g := arch.Update{Trains: arch.Generator, FakeLabel: 1}
	later := arch.Update{Trains: arch.Generator, FakeLabel: 1, Noise: 1}
	joined := arch.Update{Trains: arch.Discriminator, RealLabel: 0.9, Joined: true, Predicted: true}
	logarithm := arch.Update{Trains: arch.Discriminator, RealLabel: 1, Epsilon: 1e-3}
	for _, c := range []struct {
		name string
		gan  arch.GAN
	}{
		{"simultaneous", small([]arch.Update{d, g}, true)},
		{"alternating", small([]arch.Update{d, g}, false)},
		{"generator twice", small([]arch.Update{d, g, later}, false)},
		{"joined batch", small([]arch.Update{joined, later}, false)},
		{"logarithm", small([]arch.Update{logarithm, g}, false)},
		{"guo-mlp", published(t, "guo-mlp")},
		{"michelucci-dcgan", published(t, "michelucci-dcgan")},
		{"michelucci-cgan", published(t, "michelucci-cgan")},
	} {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() && c.gan.Name != "small" {
				t.Skip("skipped: large networks")
			}
			plan, err := train.NewPlan(c.gan, 3, tensor.Float32)
			if err != nil {
				t.Fatal(err)
			}
			whole, deduped := join(t, plan)
			state := midway(t, c.gan)
			feed, in := feeds(plan)
			maps.Copy(in, state.Clone())
			got := run(t, deduped, only(deduped, in))
			before := values(run(t, whole, only(whole, in)))
			for name, bits := range values(got) {
				for i, b := range bits {
					if b != before[name][i] {
						t.Errorf("%s: Dedupe changes element %d from %v to %v", name, i, math.Float32frombits(before[name][i]), math.Float32frombits(b))
						break
					}
				}
			}

			tape, err := engine.NewTape(plan.Step, state)
			if err != nil {
				t.Fatal(err)
			}
			defer tape.Close()
			losses, err := tape.Run(feed) // and reports behind them, which join leaves out
			if err != nil {
				t.Fatal(err)
			}
			losses = losses[:len(plan.Updates)]
			for i, want := range losses {
				loss := got[fmt.Sprintf("loss/%d", i)]
				if loss.Dims() != 0 || math.Abs(float64(loss.ScalarValue().(float32))-want) > 1e-5*want {
					t.Errorf("loss %d is %v of shape %v, on the tape machine %v", i, loss, loss.Shape(), want)
				}
			}
			written := 0
			for _, name := range state.Names() {
				v, ok := got[name+".new"]
				if !ok {
					t.Errorf("%s is not written", name)
					continue
				}
				written++
				if d := difference(v, state[name]); !(d <= 1e-5) { // float32, sums of up to 6272 terms
					t.Errorf("%s differs by %.1e of its largest", name, d)
				}
			}
			if written+len(losses) != len(got) {
				t.Errorf("%d outputs, of which %d are state and %d losses", len(got), written, len(losses))
			}
		})
	}
}

// difference is the largest difference by the largest value.
func difference(got, want *tensor.Dense) float64 {
	largest, worst := 0.0, 0.0
	a, b := floats(got), floats(want)
	for i := range a {
		worst = math.Max(worst, math.Abs(float64(a[i])-float64(b[i])))
		largest = math.Max(largest, math.Abs(float64(b[i])))
	}
	return worst / largest
}

// floats gives the numbers of an array, of which one alone comes as such.
func floats(v *tensor.Dense) []float32 {
	if x, ok := v.Data().(float32); ok {
		return []float32{x}
	}
	return v.Data().([]float32)
}

func count(m *onnxpb.ModelProto, opType string) int {
	n := 0
	for _, node := range m.Graph.Node {
		if node.OpType == opType {
			n++
		}
	}
	return n
}

// TestSharedForward: the generator's images are computed once for both losses,
// in a simultaneous step and also where the discriminator is trained first, which
// leaves the generator's weights alone; twice where the generator is.
func TestSharedForward(t *testing.T) {
	d, g := arch.Update{Trains: arch.Discriminator, RealLabel: 1}, arch.Update{Trains: arch.Generator, FakeLabel: 1}
	for _, c := range []struct {
		name         string
		updates      []arch.Update
		simultaneous bool
		forward      int
	}{
		{"as published", published(t, "michelucci-dcgan").Recipe.Updates, true, 1},
		{"discriminator first", []arch.Update{d, g}, false, 1},
		{"generator first", []arch.Update{g, d}, false, 2},
	} {
		gan := published(t, "michelucci-dcgan")
		gan.Recipe.Updates, gan.Recipe.Simultaneous = c.updates, c.simultaneous
		plan, err := train.NewPlan(gan, 3, tensor.Float32)
		if err != nil {
			t.Fatal(err)
		}
		whole, deduped := join(t, plan)
		// Three are layers of the generator, in each update. The gradient of a
		// convolution is one as well: of the discriminator's second layer for
		// its own update, real and generated; of both layers for the generator's.
		const gradients = 2 + 2
		before, after := 2*3+gradients, c.forward*3+gradients
		if b, a := count(whole, "ConvTranspose"), count(deduped, "ConvTranspose"); b != before || a != after {
			t.Errorf("%s: %d ConvTranspose nodes before and %d after, want %d and %d", c.name, b, a, before, after)
		}
		once := marshal(t, deduped)
		pass.Dedupe(deduped)
		if string(marshal(t, deduped)) != string(once) {
			t.Errorf("%s: Dedupe changes what it made", c.name)
		}
		if plan, err = train.NewPlan(gan, 3, tensor.Float32); err != nil {
			t.Fatal(err)
		}
		if _, again := join(t, plan); string(marshal(t, again)) != string(once) {
			t.Errorf("%s: built again, the step has other bytes", c.name)
		}
	}
}
