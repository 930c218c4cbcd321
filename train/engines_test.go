package train

import (
	"math"
	"slices"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/dataset"
	"github.com/gantrain/gantrain/train/engine"
	"github.com/gantrain/gantrain/train/nn"
)

// Steps on ONNX Runtime against steps on the tape, each from the tape's state
// with the same numbers fed. What rounding may do is measured, not guessed: the
// tape runs the same step in float64, and the root mean square distance of
// either engine's tensors from it must be of one size. Single values may lie
// further apart: where a rounding error changes the sign of a LeakyReLU's
// input, a whole gradient changes, and Adam divides small gradients by
// themselves.
func TestEnginesAgree(t *testing.T) {
	const steps = 5
	for _, c := range stepCases() {
		t.Run(c.name, func(t *testing.T) { enginesAgree(t, c.gan, c.real, noiseImages(40), steps) })
	}
	if testing.Short() {
		t.Skip("skipped: -short: the published GANs")
	}
	for _, p := range arch.All() {
		gan := withoutKinks(p.GAN)
		gan.Recipe.Batch = 16 // the sums over a batch are short, those over channels as in earnest
		if gan.Name == "silva-dcgan" {
			gan.Recipe.Batch = 4 // a minute otherwise
		}
		for role, a := range gan.Recipe.Adam {
			// With 1e-8, gradients that are nearly rounding alone move weights by
			// more than what either engine's rounding is told by.
			a.Epsilon = max(a.Epsilon, 1e-7)
			gan.Recipe.Adam[role] = a
		}
		t.Run(gan.Name, func(t *testing.T) { enginesAgree(t, gan, gan.Recipe.Batch, examplesFor(t, gan), 3) })
	}
}

// withoutKinks lets every LeakyReLU and ReLU pass all through. In a published network at
// full size one of its millions of inputs comes close enough to zero for a
// rounding error to change its sign within some steps, and then the gradients
// of all layers before it: two of the first twenty steps of michelucci-dcgan did
// so, by 1e-4 of the largest moment, where the others agreed to 1e-7.
func withoutKinks(gan arch.GAN) arch.GAN {
	for _, net := range []*arch.Network{&gan.Generator, &gan.Discriminator} {
		net.Layers = slices.Clone(net.Layers)
		for i, l := range net.Layers {
			switch l.(type) {
			case arch.LeakyReLU, arch.ReLU:
				net.Layers[i] = arch.LeakyReLU{Slope: 1}
			}
		}
	}
	return gan
}

// undetermined names the biases right before a BatchNorm, their moments, and the
// running mean behind them: what such a bias adds the mean takes away, so its
// gradient is rounding alone, which Adam makes steps of full size of.
func undetermined(gan arch.GAN) map[string]bool {
	names := map[string]bool{}
	for _, p := range parts(gan) {
		rows, err := p.net.Rows()
		if err != nil {
			continue
		}
		before := ""
		for _, r := range rows {
			switch l := r.Layer.(type) {
			case arch.Dense, arch.Conv2D, arch.ConvTranspose2D:
				before = r.Name
				continue
			case arch.LeakyReLU:
				if l.Slope == 1 {
					continue
				}
			case arch.BatchNorm:
				if before != "" {
					bias := nn.ParamName(p.role, before, "bias")
					m, v := momentNames(bias)
					names[bias], names[m], names[v] = true, true, true
					names[nn.ParamName(p.role, r.Name, "mean")] = true
				}
			}
			before = ""
		}
	}
	return names
}

// biasRoundings is how much larger the error of what belongs to a channel may
// be: the tape adds up such a gradient in float64, ONNX Runtime in float32, over
// 16 pictures of 14x14, which is some sqrt(3136) roundings.
const biasRoundings = 56

func enginesAgree(t *testing.T, gan arch.GAN, real int, data Examples, steps int) {
	single, double := newSteps(t, gan, real, tensor.Float32), newSteps(t, gan, real, tensor.Float64)
	tape32, err := engine.NewTape(single.Step, single.state)
	if err != nil {
		t.Fatal(err)
	}
	tape64, err := engine.NewTape(double.Step, double.state)
	if err != nil {
		t.Fatal(err)
	}
	ortState := single.state.Clone()
	ort, err := engine.NewORT(t.Context(), single.Step, ortState, runtime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, ort)
	feeder := newFeeder(gan, data, 1, single.Feeds, nil)
	images := make([]int, real*gan.Recipe.Reals())
	skip := undetermined(gan)
	worst, where := 0.0, ""
	for step := range steps {
		for name, v := range single.state {
			copy(floats(ortState[name]), floats(v))
			for i, x := range floats(v) {
				double.state[name].Data().([]float64)[i] = float64(x)
			}
		}
		dataset.Draw(images, data.Len(), 1, orderStream, uint64(step))
		feed := feeder.fill(step, images)
		if err := ort.Load(); err != nil {
			t.Fatal(err)
		}
		got, err := ort.Run(feed)
		if err != nil {
			t.Fatal(err)
		}
		if err := ort.Store(); err != nil {
			t.Fatal(err)
		}
		want, err := tape32.Run(feed)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tape64.Run(widen(feed)); err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if !(math.Abs(got[i]-want[i]) <= 1e-5) {
				t.Errorf("step %d: loss %d is %v, on the tape %v", step+1, i, got[i], want[i])
			}
		}
		for name, v := range single.state {
			m, _ := momentNames(name)
			if _, weight := single.state[m]; skip[name] || weight && step == 0 {
				// Where a moment is one gradient alone, Adam makes a whole step of
				// what rounding left of a gradient of 0.
				continue
			}
			truth := double.state[name].Data().([]float64)
			tapeError, largest := distance(floats(v), truth)
			ortError, _ := distance(floats(ortState[name]), truth)
			// Half a unit in the last place of the largest value is below either.
			ratio := ortError / (tapeError + largest*0x1p-24)
			if len(v.Shape()) == 1 {
				ratio /= biasRoundings
			}
			if ratio > worst {
				worst, where = ratio, name
			}
		}
	}
	t.Logf("%s: ONNX Runtime is at most %.1f times as far from float64 as the tape, in %s", gan.Name, worst, where)
	if !(worst <= 4) { // of one size: products sum in another order on either side
		t.Errorf("%s is %.1f times as far from float64 as on the tape", where, worst)
	}
}

// stepsOf is a plan and a state in one precision.
type stepsOf struct {
	*Plan
	state engine.State
}

func newSteps(t *testing.T, gan arch.GAN, real int, dt tensor.Dtype) stepsOf {
	t.Helper()
	plan, err := NewPlan(gan, real, dt)
	if err != nil {
		t.Fatal(err)
	}
	state, err := NewState(gan, 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range state {
		if dt == tensor.Float64 {
			state[name] = tensor.New(tensor.Of(dt), tensor.WithShape(v.Shape()...))
		}
	}
	return stepsOf{plan, state}
}

// widen copies a feed with its floats in float64.
func widen(feed engine.Feed) engine.Feed {
	out := engine.Feed{}
	for name, v := range feed {
		switch x := v.Data().(type) {
		case float32:
			out[name] = gorgonia.NewF64(float64(x))
		case []float32:
			wide := make([]float64, len(x))
			for i := range x {
				wide[i] = float64(x[i])
			}
			out[name] = tensor.New(tensor.WithShape(v.Shape()...), tensor.WithBacking(wide))
		default:
			out[name] = v
		}
	}
	return out
}

// distance is the root mean square difference, and the largest magnitude of
// the truth.
func distance(x []float32, truth []float64) (rms, largest float64) {
	for i := range x {
		d := float64(x[i]) - truth[i]
		rms += d * d
		largest = math.Max(largest, math.Abs(truth[i]))
	}
	return math.Sqrt(rms / float64(len(x))), largest
}
