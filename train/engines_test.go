package train

import (
	"flag"
	"math"
	"slices"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export/pass"
	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/dataset"
	"github.com/gantrain/gantrain/train/engine"
	"github.com/gantrain/gantrain/train/nn"
)

// go test ./train -run Engines -steps 20 -each-pass takes a quarter of an hour.
var (
	compared = flag.Int("steps", 3, "how many steps of each published GAN the engines are compared over")
	eachPass = flag.Bool("each-pass", false, "compare the engines without each of the passes too")
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
		t.Run(gan.Name, func(t *testing.T) { enginesAgree(t, gan, gan.Recipe.Batch, examplesFor(t, gan), *compared) })
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
	compared := []*onRuntime{newOnRuntime(t, "all passes", single)}
	if *eachPass {
		compared = append(compared, withoutEach(t, single)...)
	}
	feeder := newFeeder(gan, data, 1, single.Feeds, nil)
	images := make([]int, real*gan.Recipe.Reals())
	skip := undetermined(gan)
	for step := range steps {
		for _, o := range compared {
			o.begin(t, single.state)
		}
		for name, v := range single.state {
			for i, x := range floats(v) {
				double.state[name].Data().([]float64)[i] = float64(x)
			}
		}
		dataset.Draw(images, data.Len(), 1, orderStream, uint64(step))
		feed := feeder.fill(step, images)
		for _, o := range compared {
			o.losses = run(t, o.Program, feed)
		}
		want := run(t, tape32, feed)
		run(t, tape64, widen(feed))
		for _, o := range compared {
			if err := o.Store(); err != nil {
				t.Fatal(err)
			}
			for i := range want {
				if !(math.Abs(o.losses[i]-want[i]) <= 1e-5) {
					t.Errorf("%s, step %d: loss %d is %v, on the tape %v", o.name, step+1, i, o.losses[i], want[i])
				}
			}
			for name, v := range single.state {
				m, _ := momentNames(name)
				if _, weight := single.state[m]; skip[name] || weight && step == 0 {
					// Where a moment is one gradient alone, Adam makes a whole step of
					// what rounding left of a gradient of 0.
					continue
				}
				o.compare(name, floats(v), double.state[name].Data().([]float64), len(v.Shape()) == 1)
			}
		}
	}
	for _, o := range compared {
		t.Logf("%s, %s, %d steps: ONNX Runtime is at most %.1f times as far from float64 as the tape, in %s", gan.Name, o.name, steps, o.worst, o.where)
		if !(o.worst <= 4) { // of one size: products sum in another order on either side
			t.Errorf("%s: %s is %.1f times as far from float64 as on the tape", o.name, o.where, o.worst)
		}
	}
}

// onRuntime is a step on ONNX Runtime, its last losses, and the largest of its
// tensors' distances from float64 by those of the tape's, with its name.
type onRuntime struct {
	engine.Program
	name   string
	state  engine.State
	losses []float64
	worst  float64
	where  string
}

func newOnRuntime(t *testing.T, name string, s stepsOf) *onRuntime {
	t.Helper()
	o := &onRuntime{name: name, state: s.state.Clone()}
	var err error
	if o.Program, err = engine.NewORT(t.Context(), s.Step, o.state, runtime.Options{}); err != nil {
		t.Fatal(err)
	}
	closeAfter(t, o)
	return o
}

// withoutEach compiles a step as often as there are passes, each time without
// one of them.
func withoutEach(t *testing.T, s stepsOf) (programs []*onRuntime) {
	t.Helper()
	all := pass.All
	defer func() { pass.All = all }()
	for i, left := range all {
		pass.All = slices.Delete(slices.Clone(all), i, i+1)
		programs = append(programs, newOnRuntime(t, "without "+left.Name, s))
	}
	return programs
}

// begin takes over a state.
func (o *onRuntime) begin(t *testing.T, state engine.State) {
	t.Helper()
	for name, v := range state {
		copy(floats(o.state[name]), floats(v))
	}
	if err := o.Load(); err != nil {
		t.Fatal(err)
	}
}

// compare holds a tensor's distance from float64 against that of the tape's.
func (o *onRuntime) compare(name string, tape []float32, truth []float64, perChannel bool) {
	tapeError, largest := distance(tape, truth)
	ortError, _ := distance(floats(o.state[name]), truth)
	// Half a unit in the last place of the largest value is below either.
	ratio := ortError / (tapeError + largest*0x1p-24)
	if perChannel {
		ratio /= biasRoundings
	}
	if ratio > o.worst {
		o.worst, o.where = ratio, name
	}
}

// Left to itself, training on ONNX Runtime drifts away from the tape's: rounding
// changes the sign of a LeakyReLU's input here and there, and Adam's first steps
// are of full size whatever the gradient. The losses are the same in the first
// step, before which nothing has drifted, and close in the next two. What they
// are after twenty is told, not judged: in silva-dcgan they are 0.4 apart by then.
func TestEnginesDrift(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: -short: the published GANs")
	}
	for _, p := range arch.All() {
		t.Run(p.GAN.Name, func(t *testing.T) {
			gan := p.GAN
			gan.Recipe.Batch = 16
			if gan.Name == "silva-dcgan" {
				gan.Recipe.Batch = 4 // a minute otherwise
			}
			s := newSteps(t, gan, gan.Recipe.Batch, tensor.Float32)
			tape, err := engine.NewTape(s.Step, s.state)
			if err != nil {
				t.Fatal(err)
			}
			ort := newOnRuntime(t, "free", s)
			ort.begin(t, s.state)
			data := examplesFor(t, gan)
			feeder := newFeeder(gan, data, 1, s.Feeds, nil)
			images := make([]int, gan.Recipe.Batch*gan.Recipe.Reals())
			var drift float64
			for step := range *compared {
				dataset.Draw(images, data.Len(), 1, orderStream, uint64(step))
				feed := feeder.fill(step, images)
				got, want := run(t, ort, feed), run(t, tape, feed)
				for i := range want {
					drift = max(drift, math.Abs(got[i]-want[i]))
				}
				if step == 0 && !(drift <= 1e-5) || step < 3 && !(drift <= 1e-2) {
					t.Errorf("step %d: losses %v, on the tape %v", step+1, got, want)
				}
			}
			if err := ort.Store(); err != nil {
				t.Fatal(err)
			}
			var apart, size float64
			for _, name := range weightNames(s.state) {
				for i, x := range floats(s.state[name]) {
					d := float64(x) - float64(floats(ort.state[name])[i])
					apart, size = apart+d*d, size+float64(x)*float64(x)
				}
			}
			t.Logf("%s: after %d steps the losses have been apart by %.1e at most, and the weights are by %.1e of their norm",
				gan.Name, *compared, drift, math.Sqrt(apart/size))
		})
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
