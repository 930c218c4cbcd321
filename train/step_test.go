package train

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export/pass"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/engine"
	"github.com/gantrain/gantrain/train/nn"
)

// stepCase is a recipe, and how many real images there are for its batch of 4.
type stepCase struct {
	name string
	gan  arch.GAN
	real int
}

func stepCases() []stepCase {
	first := func(change func(*arch.Update)) func(*arch.GAN) {
		return func(g *arch.GAN) { change(&g.Recipe.Updates[0]) }
	}
	joined := first(func(u *arch.Update) { u.Joined, u.RealLabel = true, 0.9 })
	predicted := first(func(u *arch.Update) { u.Predicted = true })
	epsilon := func(g *arch.GAN) {
		for i := range g.Recipe.Updates {
			g.Recipe.Updates[i].Epsilon = 1e-2
		}
	}
	probability := func(g *arch.GAN) {
		g.Discriminator.Layers = append(g.Discriminator.Layers, arch.Sigmoid{})
	}
	twice := func(g *arch.GAN) {
		g.Recipe.Updates = append(g.Recipe.Updates, arch.Update{Trains: arch.Generator, Noise: 1, FakeLabel: 1})
	}
	return []stepCase{
		{"alternating", tiny(), 4},
		{"alternating, joined, predicted", tiny(joined, predicted), 4},
		{"alternating, joined, fewer real images", tiny(joined, probability), 3},
		{"alternating, predicted, epsilon", tiny(predicted, epsilon), 4},
		{"alternating, generator twice, epsilon on a probability", tiny(twice, epsilon, probability), 4},
		{"simultaneous", tiny(simultaneous), 4},
		{"simultaneous, fewer real images", tiny(simultaneous, probability), 2},
		{"simultaneous, joined", tiny(simultaneous, joined), 4},
		{"simultaneous, predicted, epsilon", tiny(simultaneous, predicted, epsilon), 4},
		{"alternating, discriminator twice, average", tiny(average, func(g *arch.GAN) { g.Recipe.Repeat(arch.Discriminator, 2) }), 3},
		{"simultaneous, average", tiny(simultaneous, average), 4},
		{"joined, epsilon on a probability, fewer real images", tiny(joined, epsilon, probability), 3},
		{"alternating, conditional, joined, fewer real images", tiny(conditional, joined), 3},
		{"alternating, conditional, half batches", tiny(conditional, halves), 3},
		{"simultaneous, conditional", tiny(simultaneous, conditional), 4},
	}
}

// program64 compiles some updates of a recipe in float64, each time on graphs
// of their own.
func program64(t *testing.T, c stepCase, state engine.State, updates ...int) (engine.Program, []FeedSpec) {
	t.Helper()
	plan, err := NewPlan(c.gan, c.real, tensor.Float64)
	if err != nil {
		t.Fatal(err)
	}
	step := engine.Step{Simultaneous: plan.Simultaneous}
	for _, i := range updates {
		step.Updates = append(step.Updates, plan.Updates[i])
	}
	p, err := engine.NewTape(step, state)
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, p)
	return p, plan.Feeds
}

// feed64 is what a trainer would feed, in float64.
func feed64(c stepCase, specs []FeedSpec, step int) engine.Feed {
	images := make([]int, c.real*c.gan.Recipe.Reals())
	for i := range images {
		images[i] = i
	}
	return widen(newFeeder(c.gan, noiseImages(len(images)), 1, specs, nil).fill(step, images))
}

func run(t *testing.T, p engine.Program, feed engine.Feed) []float64 {
	t.Helper()
	losses, err := p.Run(feed)
	if err != nil {
		t.Fatal(err)
	}
	return losses
}

// Every update of every recipe: the gradient that reaches the moments against
// central differences of the loss, by every weight of the network that it
// trains, and the rest of the new state against Adam's formulas. From moments
// of zero, m' is (1 - beta1) times the gradient.
func TestStepFollowsTheLoss(t *testing.T) {
	for _, c := range stepCases() {
		t.Run(c.name, func(t *testing.T) {
			base := double(tinyModel(t, c.gan).State)
			for i, u := range c.gan.Recipe.Updates {
				state := base.Clone()
				p, specs := program64(t, c, state, i)
				feed := feed64(c, specs, 2)
				loss := func() float64 { return run(t, p, feed)[0] }
				loss()
				after := state.Clone()
				worst := 0.0
				for _, name := range weightNames(state) {
					if !strings.HasPrefix(name, string(u.Trains)) {
						if diff := cmp.Diff(base[name].Float64s(), after[name].Float64s()); diff != "" {
							t.Errorf("update %d trains the %s and changes %s", i, u.Trains, name)
						}
						continue
					}
					worst = math.Max(worst, gradientError(base, state, after, name, c.gan.Recipe.Adam[u.Trains].Beta1, loss))
					checkAdam(t, name, base, after, c.gan.Recipe.Adam[u.Trains], feed[rateName(specs, i)].Data().(float64))
				}
				if !(worst <= 1e-6) { // float64; the differences themselves are good to about 1e-8
					t.Errorf("update %d: the gradient is %.1e away from central differences", i, worst)
				}
				t.Logf("update %d (%s): gradient within %.1e of central differences", i, u.Trains, worst)
			}
		})
	}
}

// weightNames lists what is trained, without moments and statistics.
func weightNames(state engine.State) []string {
	return slices.DeleteFunc(state.Names(), func(name string) bool {
		_, trained := state[name+"/m"]
		return !trained
	})
}

func rateName(specs []FeedSpec, update int) string {
	return specs[slices.IndexFunc(specs, func(s FeedSpec) bool { return s.Kind == LearningRate && s.Update == update })].Name
}

// gradientError is the largest difference between the gradient by a weight and
// central differences, divided by the larger of 0.01 and the largest gradient.
func gradientError(base, state, after engine.State, name string, beta1 float64, loss func() float64) float64 {
	const step = 1e-6 // so short that no LeakyReLU passes its kink
	worst, largest := 0.0, 0.01
	stride := 1
	if testing.Short() {
		stride = 7
	}
	for k := 0; k < base[name].Size(); k += stride {
		at := func(offset float64) float64 {
			set(state, base)
			state[name].Float64s()[k] += offset
			return loss()
		}
		want := (at(step) - at(-step)) / (2 * step)
		got := after[name+"/m"].Float64s()[k] / (1 - beta1)
		worst, largest = math.Max(worst, math.Abs(got-want)), math.Max(largest, math.Abs(want))
	}
	return worst / largest
}

func checkAdam(t *testing.T, name string, before, after engine.State, a arch.Adam, rate float64) {
	t.Helper()
	for k, m := range after[name+"/m"].Float64s() {
		g := m / (1 - a.Beta1)
		v := (1 - a.Beta2) * g * g
		w := before[name].Float64s()[k] - rate*m/(math.Sqrt(v)+a.Epsilon)
		if dv, dw := after[name+"/v"].Float64s()[k]-v, after[name].Float64s()[k]-w; math.Abs(dv) > 1e-15 || math.Abs(dw) > 1e-15 { // float64, values below 10
			t.Fatalf("%s[%d]: second moment off by %g, weight by %g", name, k, dv, dw)
		}
	}
}

// A step is its updates, each of which is known from the test above: from the
// same state where they are simultaneous, one after the other where not.
func TestStepIsItsUpdates(t *testing.T) {
	for _, c := range stepCases() {
		t.Run(c.name, func(t *testing.T) {
			base := double(tinyModel(t, c.gan).State)
			var all []int
			for i := range c.gan.Recipe.Updates {
				all = append(all, i)
			}
			got := base.Clone()
			whole, specs := program64(t, c, got, all...)
			feed := feed64(c, specs, 0)
			losses := run(t, whole, feed)

			want := base.Clone()
			for i, u := range c.gan.Recipe.Updates {
				state := want.Clone()
				if c.gan.Recipe.Simultaneous {
					state = base.Clone()
				}
				single, _ := program64(t, c, state, i)
				if loss := run(t, single, feed)[0]; loss != losses[i] {
					t.Errorf("update %d: loss %g, by itself %g", i, losses[i], loss)
				}
				for name, v := range state {
					if !c.gan.Recipe.Simultaneous || strings.HasPrefix(name, string(u.Trains)) {
						copy(want[name].Float64s(), v.Float64s())
					}
				}
			}
			for _, name := range got.Names() {
				if !slices.Equal(got[name].Float64s(), want[name].Float64s()) {
					t.Errorf("%s differs from what its updates make of it", name)
				}
			}
		})
	}
}

// With a last layer of zeros, every logit is the bias, and the loss a formula
// of labels alone.
func TestLossIsTheRecipes(t *testing.T) {
	const b = 0.7
	p := 1 / (1 + math.Exp(-b))
	for _, c := range stepCases() {
		epsilon := c.gan.Recipe.Updates[0].Epsilon
		cross := func(label float64) float64 { return -label*math.Log(p+epsilon) - (1-label)*math.Log(1-p+epsilon) }
		base := double(tinyModel(t, c.gan).State)
		clear(base["discriminator/dense1/weight"].Float64s())
		base["discriminator/dense1/bias"].Float64s()[0] = b
		for i, u := range c.gan.Recipe.Updates {
			prog, specs := program64(t, c, base.Clone(), i)
			got := run(t, prog, feed64(c, specs, 0))[0]
			var want float64
			switch {
			case u.Trains == arch.Generator:
				want = cross(u.FakeLabel)
			case u.Only == arch.Real:
				want = cross(u.RealLabel)
			case u.Only == arch.Fake:
				want = cross(u.FakeLabel)
			case u.Joined:
				want = (float64(c.real)*cross(u.RealLabel) + 4*cross(u.FakeLabel)) / float64(c.real+4)
			default:
				want = cross(u.RealLabel) + cross(u.FakeLabel)
			}
			if math.Abs(got-want) > 1e-14 { // float64, values of about 1
				t.Errorf("%s: update %d: loss %.17g, want %.17g", c.name, i, got, want)
			}
		}
	}
}

// movedStatistics lists the networks whose running statistics a step changes.
func movedStatistics(t *testing.T, c stepCase, update int) []arch.Role {
	t.Helper()
	base := double(tinyModel(t, c.gan).State)
	state := base.Clone()
	p, specs := program64(t, c, state, update)
	run(t, p, feed64(c, specs, 0))
	var moved []arch.Role
	for _, role := range []arch.Role{arch.Generator, arch.Discriminator} {
		name := nn.ParamName(role, "batchnorm1", "mean")
		if !slices.Equal(base[name].Float64s(), state[name].Float64s()) {
			moved = append(moved, role)
		}
	}
	return moved
}

func TestPredictedImagesLeaveStatisticsAlone(t *testing.T) {
	both := []arch.Role{arch.Generator, arch.Discriminator}
	for _, c := range []struct {
		name      string
		predicted bool
		update    int
		want      []arch.Role
	}{
		{"a discriminator's update", false, 0, both},
		{"a discriminator's update on predicted images", true, 0, both[1:]},
		{"a generator's update", true, 1, both},
	} {
		gan := tiny(func(g *arch.GAN) { g.Recipe.Updates[0].Predicted = c.predicted })
		if diff := cmp.Diff(c.want, movedStatistics(t, stepCase{gan: gan, real: 4}, c.update)); diff != "" {
			t.Errorf("%s moves the statistics of (-want +got):\n%s", c.name, diff)
		}
	}
}

// The weights of a network that a phase leaves alone are no batch: convolutions by
// them have a fast form.
func TestModelDenotesTheBatch(t *testing.T) {
	gan := tiny(phases)
	gan.Recipe = gan.Recipe.Alone(arch.Generator)
	plan, err := NewPlan(gan, 4, tensor.Float32)
	if err != nil {
		t.Fatal(err)
	}
	state, err := NewState(gan, 1)
	if err != nil {
		t.Fatal(err)
	}
	model, err := engine.Model(plan.Step, state)
	if err != nil {
		t.Fatal(err)
	}
	frozen := 0
	for _, v := range model.Graph.Input {
		dims := v.Type.GetTensorType().GetShape().GetDim()
		if strings.HasPrefix(v.Name, "discriminator/") {
			frozen++
		}
		if denoted := len(dims) > 0 && dims[0].Denotation == pass.DataBatch; denoted != (state[v.Name] == nil && len(dims) > 1) {
			t.Errorf("%s: its first axis is denoted as the batch: %v", v.Name, denoted)
		}
	}
	if frozen == 0 {
		t.Error("no weights of the discriminator are read")
	}
}
