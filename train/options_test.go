package train

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/engine"
)

// linear is a GAN of points whose networks are one layer each, so that its
// training can be written in a few lines: G(z) = z·V + u, D(x) = x·w + c.
func linear(changes ...func(*arch.GAN)) arch.GAN {
	gan := tiny(changes...)
	dense := func(units int) arch.Dense { return arch.Dense{Units: units, Init: arch.Glorot} }
	gan.Image, gan.Min, gan.Max = arch.Shape{2}, 0, 0
	gan.Latent.Size = 2
	gan.Generator = arch.Network{Input: arch.Shape{2}, Layers: arch.Layers{dense(2)}}
	gan.Discriminator = arch.Network{Input: arch.Shape{2}, Layers: arch.Layers{dense(1), arch.Sigmoid{}}}
	return gan
}

// naiveGAN trains the linear GAN in plain loops over float64.
type naiveGAN struct {
	recipe arch.Recipe
	state  map[string][]float64
	counts map[arch.Role]int // updates
}

// step makes the updates of a step and returns what is recorded of it.
func (n *naiveGAN) step(number int, fed engine.Feed) map[string]float64 {
	out, updates := map[string]float64{}, n.recipe.Updates
	var alone arch.Role
	if p := n.recipe.Phases; len(p) > 0 {
		alone = slices.Concat(slices.Repeat([]arch.Role{p[0].Trains}, p[0].Steps), slices.Repeat([]arch.Role{p[1].Trains}, p[1].Steps))[number%(p[0].Steps+p[1].Steps)]
	}
	losses := map[string]int{}
	var late []func()
	for _, u := range updates {
		if alone != "" && u.Trains != alone {
			continue
		}
		name := string(u.Trains[0]) + "_loss"
		if u.Only != "" {
			name += "_" + string(u.Only)
		}
		losses[name]++
		if losses[name] > 1 {
			name += fmt.Sprint(losses[name])
		}
		gradients, said := n.gradients(u, fed)
		out[name] = said["loss"]
		delete(said, "loss")
		for k, v := range said {
			if _, ok := out[k]; !ok {
				out[k] = v
			}
		}
		late = append(late, func() { n.apply(u.Trains, gradients) })
		if !n.recipe.Simultaneous {
			late[0]()
			late = nil
		}
	}
	for _, apply := range late {
		apply()
	}
	return out
}

func (n *naiveGAN) gradients(u arch.Update, fed engine.Feed) (gradients map[string][]float64, said map[string]float64) {
	v, shift := n.state["generator/dense1/weight"], n.state["generator/dense1/bias"]
	w, c := n.state["discriminator/dense1/weight"], n.state["discriminator/dense1/bias"]
	part := ""
	if u.Half {
		part = "/half"
	}
	var z []float64
	if u.Only != arch.Real {
		z = fed[fmt.Sprint("noise/", u.Noise, part)].Data().([]float64)
	}
	fake := make([]float64, len(z))
	for i := range fake {
		row, column := i/2*2, i%2
		fake[i] = z[row]*v[column] + z[row+1]*v[2+column] + shift[column]
	}
	dV, du, dw, dc := make([]float64, 4), make([]float64, 2), make([]float64, 2), make([]float64, 1)
	// judge adds the gradients of one point and returns its loss and probability.
	judge := func(x []float64, label, sign, share float64) (loss, p float64) {
		p = 1 / (1 + math.Exp(-(x[0]*w[0] + x[1]*w[1] + c[0])))
		loss = sign * (-label*math.Log(p+u.Epsilon) - (1-label)*math.Log(1-p+u.Epsilon))
		slope := sign * share * (-label/(p+u.Epsilon) + (1-label)/(1-p+u.Epsilon)) * p * (1 - p)
		for k := range 2 {
			dw[k] += slope * x[k]
			du[k] += slope * w[k]
		}
		dc[0] += slope
		return loss, p
	}
	said = map[string]float64{}
	m := float64(len(fake) / 2)
	if u.Trains == arch.Generator {
		sign := 1.0
		if u.Minimax {
			sign = -1
		}
		for i := 0; i < len(fake); i += 2 {
			before := slices.Clone(du)
			loss, _ := judge(fake[i:i+2], u.FakeLabel, sign, 1/m)
			said["loss"] += loss / m
			for k := range 2 {
				dV[k] += z[i] * (du[k] - before[k])
				dV[2+k] += z[i+1] * (du[k] - before[k])
			}
		}
		return map[string][]float64{"generator/dense1/weight": dV, "generator/dense1/bias": du}, said
	}
	name := "real"
	if u.Real > 0 {
		name = fmt.Sprint("real/", u.Real)
	}
	said["d_accuracy"] = 0
	var real []float64
	if u.Only != arch.Fake {
		real = fed[name+part].Data().([]float64)
	}
	r := float64(len(real) / 2)
	shareReal, shareFake := 1/r, 1/m
	if u.Joined {
		shareReal, shareFake = 1/(r+m), 1/(r+m)
	}
	for i := 0; i < len(real); i += 2 {
		loss, p := judge(real[i:i+2], u.RealLabel, 1, shareReal)
		said["loss"] += loss * shareReal
		said["d_loss_real"] += loss / r
		said["d_real"] += p / r
		if p > 0.5 {
			said["d_accuracy"] += 1 / (r + m)
		}
	}
	for i := 0; i < len(fake); i += 2 {
		loss, p := judge(fake[i:i+2], u.FakeLabel, 1, shareFake)
		said["loss"] += loss * shareFake
		said["d_loss_fake"] += loss / m
		said["d_fake"] += p / m
		if p < 0.5 {
			said["d_accuracy"] += 1 / (r + m)
		}
	}
	if u.Only != "" { // its loss is one of these, and it tells nothing apart
		delete(said, "d_loss_real")
		delete(said, "d_loss_fake")
		delete(said, "d_accuracy")
	}
	return map[string][]float64{"discriminator/dense1/weight": dw, "discriminator/dense1/bias": dc}, said
}

// apply makes an update of Adam's, and moves the running averages.
func (n *naiveGAN) apply(role arch.Role, gradients map[string][]float64) {
	n.counts[role]++
	a, t := n.recipe.Adam[role], float64(n.counts[role])
	b1, b2 := float64(float32(a.Beta1)), float64(float32(a.Beta2))
	rate := float64(float32(a.Rate * math.Sqrt(1-math.Pow(b2, t)) / (1 - math.Pow(b1, t))))
	share := float64(float32(1 - min(n.recipe.EMA, t/(9+t)))) // t - 1 were before
	for name, g := range gradients {
		m, v := n.state[name+"/m"], n.state[name+"/v"]
		for i := range g {
			m[i] = a.Beta1*m[i] + (1-a.Beta1)*g[i]
			v[i] = a.Beta2*v[i] + (1-a.Beta2)*g[i]*g[i]
			n.state[name][i] -= rate * m[i] / (math.Sqrt(v[i]) + a.Epsilon)
			if average, ok := n.state[name+"/average"]; ok {
				average[i] = (1-share)*average[i] + share*n.state[name][i]
			}
		}
	}
}

// optionCases are the changes that documents discuss, alone and together.
func optionCases() map[string]arch.GAN {
	recipe := func(changes ...func(r *arch.Recipe)) arch.GAN {
		return linear(func(g *arch.GAN) {
			for _, change := range changes {
				change(&g.Recipe)
			}
		})
	}
	first := func(change func(u *arch.Update)) func(r *arch.Recipe) {
		return func(r *arch.Recipe) { change(&r.Updates[0]) }
	}
	joined := first(func(u *arch.Update) { u.Joined = true })
	epsilon := func(r *arch.Recipe) { r.Updates[0].Epsilon, r.Updates[1].Epsilon = 1e-2, 1e-3 }
	minimax := func(r *arch.Recipe) { r.SetMinimax(true) }
	smooth := func(r *arch.Recipe) { r.Smooth(0.9) }
	simultaneous := func(r *arch.Recipe) { r.SetSimultaneous(true) }
	repeat := func(role arch.Role, n int) func(r *arch.Recipe) {
		return func(r *arch.Recipe) { r.Repeat(role, n) }
	}
	phases := func(r *arch.Recipe) {
		r.Phases = []arch.Phase{{Trains: arch.Discriminator, Steps: 3}, {Trains: arch.Generator, Steps: 2}}
	}
	ema := func(r *arch.Recipe) { r.EMA = 0.4 } // below (1 + t)/(10 + t) from t = 5 on
	halved := func(r *arch.Recipe) {
		r.Updates = []arch.Update{
			{Trains: arch.Discriminator, Only: arch.Real, Half: true, RealLabel: 1},
			{Trains: arch.Discriminator, Only: arch.Fake, Half: true},
			{Trains: arch.Generator, Noise: 1, FakeLabel: 1},
		}
	}
	fixed := func(r *arch.Recipe) { r.Sampling = arch.Fixed }
	return map[string]arch.GAN{
		"as it is":                     recipe(),
		"joined":                       recipe(joined),
		"minimax":                      recipe(minimax),
		"minimax, epsilon":             recipe(minimax, epsilon),
		"smoothed":                     recipe(smooth),
		"smoothed, epsilon, joined":    recipe(smooth, epsilon, joined),
		"D three times":                recipe(repeat(arch.Discriminator, 3)),
		"G twice":                      recipe(repeat(arch.Generator, 2)),
		"D twice, joined, G twice":     recipe(joined, repeat(arch.Discriminator, 2), repeat(arch.Generator, 2)),
		"simultaneous":                 recipe(simultaneous),
		"simultaneous, minimax":        recipe(simultaneous, minimax),
		"phases":                       recipe(phases),
		"average":                      recipe(ema),
		"average, simultaneous":        recipe(ema, simultaneous),
		"average, phases, G twice":     recipe(ema, phases, repeat(arch.Generator, 2)),
		"fixed batches":                recipe(fixed),
		"D twice, all in fixed groups": recipe(repeat(arch.Discriminator, 2), fixed),
		"half batches":                 recipe(halved),
		"half batches, minimax, average, G twice": recipe(halved, minimax, ema, repeat(arch.Generator, 2)),
		"half batches, fixed, smoothed, phases":   recipe(halved, fixed, smooth, phases),
	}
}

// Every option over ten steps on 13 points, in float64, against the naive GAN:
// what is recorded and all of the state, after each step.
func TestOptionsAreTheirFormulas(t *testing.T) {
	for name, gan := range optionCases() {
		t.Run(name, func(t *testing.T) {
			trainer := tinyTrainerOn(t, gan, points(13))
			state := double(trainer.Model.State)
			naive := &naiveGAN{recipe: gan.Recipe, state: map[string][]float64{}, counts: map[arch.Role]int{}}
			for name, v := range state {
				naive.state[name] = slices.Clone(v.Float64s())
			}
			programs := map[kind]engine.Program{}
			for step := range 10 {
				k := trainer.kind(step)
				alone := gan
				alone.Recipe = gan.Recipe.Alone(k.alone)
				plan, err := NewPlan(alone, k.size, tensor.Float64)
				if err != nil {
					t.Fatal(err)
				}
				if programs[k] == nil {
					if programs[k], err = engine.NewTape(plan.Step, state); err != nil {
						t.Fatal(err)
					}
					closeAfter(t, programs[k])
				}
				feed := widen(newFeeder(alone, points(13), 1, plan.Feeds, nil).fill(step, trainer.draw(step)))
				got, want := run(t, programs[k], feed), naive.step(step, feed)
				if len(got) != len(want) {
					t.Fatalf("step %d: %v, want %d values", step, plan.Columns, len(want))
				}
				for i, column := range plan.Columns {
					if !(math.Abs(got[i]-want[column]) <= 1e-12) { // float64, values of about 1, logits up to 100
						t.Errorf("step %d: %s is %g, want %g", step, column, got[i], want[column])
					}
				}
				for name, v := range state {
					for i, x := range v.Float64s() {
						if !(math.Abs(x-naive.state[name][i]) <= 1e-12*max(1, math.Abs(x))) {
							t.Fatalf("step %d: %s[%d] is %g, want %g", step, name, i, x, naive.state[name][i])
						}
					}
				}
			}
		})
	}
}

// Both engines make the same of every option.
func TestEnginesAgreeOnOptions(t *testing.T) {
	for name, gan := range optionCases() {
		var all [][]float64
		for _, e := range []Engine{Tape, ORT} {
			trainer := tinyTrainerOn(t, gan, points(13))
			trainer.o.Engine = e
			var values []float64
			for range 7 {
				step, err := trainer.Step()
				if err != nil {
					t.Fatal(err)
				}
				values = append(values, step...)
			}
			if err := trainer.Store(); err != nil {
				t.Fatal(err)
			}
			for _, name := range trainer.Model.State.Names() {
				for _, v := range floats(trainer.Model.State[name]) {
					values = append(values, float64(v))
				}
			}
			all = append(all, values)
		}
		for i, want := range all[0] {
			got := all[1][i]
			same := math.Abs(got-want) <= 1e-5*max(1, math.Abs(want)) || math.IsNaN(got) && math.IsNaN(want)
			if !same {
				t.Errorf("%s: value %d is %g on ONNX Runtime, %g on the tape", name, i, got, want)
			}
		}
	}
}
