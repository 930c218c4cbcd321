package keras

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/internal/nearest"
	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/engine"
)

// ParityOptions say what repeats the recorded steps.
type ParityOptions struct {
	Engine  train.Engine // ORT or Tape
	Float64 bool         // compute in float64, on Tape alone
	Runtime runtime.Options
}

// Parity sets the trainer's steps beside Keras'.
type Parity struct {
	GAN     arch.GAN
	Variant string
	// NotFollowed says why the trainer does not train so; empty if it does, and
	// then there are losses and tensors.
	NotFollowed string
	Losses      []LossParity // by step, then by update
	Tensors     []TensorParity
}

// LossParity is the loss of one update: that of its own forward pass.
type LossParity struct {
	Step        int // from 1
	Name        string
	Ours, Keras float64 // Keras' of its float64 run
	Tolerance   float64
}

// Difference is how far the losses are apart.
func (l LossParity) Difference() float64 { return math.Abs(l.Ours - l.Keras) }

// Holds reports whether the losses agree.
func (l LossParity) Holds() bool { return l.Difference() <= l.Tolerance }

// TensorParity is a tensor after the last step.
type TensorParity struct {
	Name, Keras string // "generator/dense1/weight", "G.dense.kernel"
	Shape       []int  // ours
	Difference  float64
	Tolerance   float64
	// Excepted: a bias before a BatchNorm, or the running mean behind it. The
	// bias has no gradient but rounding errors, of which Adam makes steps.
	Excepted bool
}

// Holds reports whether the tensors agree, or need not.
func (t TensorParity) Holds() bool { return t.Excepted || t.Difference <= t.Tolerance }

// Holds reports whether all losses and tensors agree.
func (p *Parity) Holds() bool {
	return p.NotFollowed == "" &&
		!slices.ContainsFunc(p.Losses, func(l LossParity) bool { return !l.Holds() }) &&
		!slices.ContainsFunc(p.Tensors, func(t TensorParity) bool { return !t.Holds() })
}

// The least tolerances of losses. In float64 what remains is Keras' own: it has
// LeakyReLU's slope in float32 even then.
const (
	lossTolerance   = 1e-5
	lossTolerance64 = 3e-6
)

// Parity repeats the steps of a variant: it trains from the recorded start on
// the recorded batches, noise, labels and masks, and compares every loss and, at
// the end, every tensor with those of Keras' float64 run.
func (f *Fixture) Parity(ctx context.Context, variant string, o ParityOptions) (*Parity, error) {
	p, err := f.parity(ctx, variant, o)
	if err != nil {
		return nil, fmt.Errorf("keras: %w", err)
	}
	return p, nil
}

func (f *Fixture) parity(ctx context.Context, variant string, o ParityOptions) (*Parity, error) {
	if _, ok := f.variants[variant]; !ok {
		known := f.Variants()
		return nil, fmt.Errorf("%s: no variant %q: it has %s%s", f.archive.path, variant, strings.Join(known, ", "), nearest.Hint(variant, known))
	}
	gan, unfollowed, err := f.recipe(variant)
	if err != nil {
		return nil, fmt.Errorf("%s: variant %s: %w", f.archive.path, variant, err)
	}
	p := &Parity{GAN: gan, Variant: variant, NotFollowed: unfollowed}
	if unfollowed != "" {
		p.GAN = f.gan
		return p, nil
	}
	r, err := f.newReplay(ctx, gan, o)
	if err != nil {
		return nil, err
	}
	defer r.program.Close()
	if p.Losses, err = r.losses(ctx, variant, o.Float64); err != nil {
		return nil, err
	}
	p.Tensors, err = r.tensors(variant)
	return p, err
}

// replay is a fixture's steps on an engine.
type replay struct {
	*Fixture
	gan     arch.GAN
	params  []param
	plan    *train.Plan
	state   engine.State
	program engine.Program
	dt      tensor.Dtype
	fed     map[string]array // of the archive, once read
}

func (f *Fixture) newReplay(ctx context.Context, gan arch.GAN, o ParityOptions) (*replay, error) {
	r := &replay{Fixture: f, gan: gan, dt: tensor.Float32, fed: map[string]array{}}
	if o.Float64 {
		r.dt = tensor.Float64
	}
	var err error
	if r.params, err = allParams(gan); err != nil {
		return nil, err
	}
	if r.plan, err = train.NewPlan(gan, f.batch, r.dt); err != nil {
		return nil, err
	}
	if r.state, err = r.start(); err != nil {
		return nil, err
	}
	switch {
	case o.Engine == train.Tape:
		r.program, err = engine.NewTape(r.plan.Step, r.state)
	case o.Engine == train.ORT && !o.Float64:
		r.program, err = engine.NewORT(ctx, r.plan.Step, r.state, o.Runtime)
	default:
		return nil, fmt.Errorf("engine %q computes no steps in %v", o.Engine, r.dt)
	}
	if err != nil {
		return nil, err
	}
	if err := r.program.Load(); err != nil {
		r.program.Close()
		return nil, err
	}
	return r, nil
}

// start is the recorded state, with moments of zero.
func (r *replay) start() (engine.State, error) {
	state, err := train.NewState(r.gan, 0) // for its names and shapes
	if err != nil {
		return nil, err
	}
	for name, v := range state {
		state[name] = tensor.New(tensor.Of(r.dt), tensor.WithShape(v.Shape()...))
	}
	for _, p := range r.params {
		data, err := r.recorded("init", p)
		if err != nil {
			return nil, err
		}
		fill(state[p.ours], data)
	}
	return state, nil
}

// recorded is a tensor of one of the recorded sets, arranged as ours.
func (r *replay) recorded(set string, p param) ([]float64, error) {
	name := set + "." + p.keras
	a, err := r.archive.read(name)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(a.shape, p.shape) {
		return nil, fmt.Errorf("%s: array %q has shape %v, want %v", r.archive.path, name, a.shape, p.shape)
	}
	return p.layout.ours(a.data), nil
}

// fill copies numbers into an array of floats.
func fill(to *tensor.Dense, data []float64) {
	switch dst := to.Data().(type) {
	case []float64:
		copy(dst, data)
	case []float32:
		for i, v := range data {
			dst[i] = float32(v)
		}
	}
}

// losses trains and sets the losses beside Keras'.
func (r *replay) losses(ctx context.Context, name string, float64s bool) ([]LossParity, error) {
	v := r.variants[name]
	tolerance := max(lossTolerance, 4*v.LossNoise)
	if float64s {
		tolerance = lossTolerance64
	}
	updates := r.gan.Recipe.Updates
	keras, err := r.kerasLosses(name)
	if err != nil {
		return nil, err
	}
	var all []LossParity
	for step := range r.steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		feed := engine.Feed{}
		for _, s := range r.plan.Feeds {
			if feed[s.Name], err = r.feed(s, step); err != nil {
				return nil, err
			}
		}
		ours, err := r.program.Run(feed)
		if err != nil {
			return nil, fmt.Errorf("step %d: %w", step+1, err)
		}
		for i := range updates {
			all = append(all, LossParity{step + 1, r.plan.Columns[i], ours[i], keras[i][step], tolerance})
		}
	}
	return all, nil
}

// kerasLosses gives the losses of each update in each step.
func (r *replay) kerasLosses(variant string) ([][]float64, error) {
	out := make([][]float64, len(r.gan.Recipe.Updates))
	for _, role := range []arch.Role{arch.Discriminator, arch.Generator} {
		var of []int // the role's updates
		for i, u := range r.gan.Recipe.Updates {
			if u.Trains == role {
				of = append(of, i)
			}
		}
		name := fmt.Sprintf("%s.%c_loss64", variant, role[0])
		a, err := r.archive.read(name)
		if err != nil {
			return nil, err
		}
		want := []int{r.steps}
		if len(of) > 1 {
			want = append(want, len(of))
		}
		if !slices.Equal(a.shape, want) {
			return nil, fmt.Errorf("%s: array %q has shape %v, want %v", r.archive.path, name, a.shape, want)
		}
		for k, i := range of {
			for step := range r.steps {
				out[i] = append(out[i], a.data[step*len(of)+k])
			}
		}
	}
	return out, nil
}

// feed is an input of a step.
func (r *replay) feed(s train.FeedSpec, step int) (gorgonia.Value, error) {
	of := map[arch.Role]string{arch.Discriminator: "d", arch.Generator: "g"}
	switch s.Kind {
	case train.LearningRate:
		rate := train.Rate(r.gan.Recipe, s.Update, step)
		if r.dt == tensor.Float64 {
			return gorgonia.NewF64(rate), nil
		}
		return gorgonia.NewF32(float32(rate)), nil
	case train.RealImages:
		return r.floats(s.Shape, picture(r.gan.Image), step, "real")
	case train.Noise:
		name := "z"
		if r.noises() > 1 {
			name += "_" + of[r.drawnFor(s.Noise)]
		}
		return r.floats(s.Shape, nil, step, name)
	case train.RealLabels:
		return r.labels(s.Shape, step, "labels_real")
	case train.FakeLabels:
		return r.labels(s.Shape, step, "labels_"+of[r.drawnFor(s.Noise)])
	case train.DropoutMask:
		return r.mask(s, step)
	}
	return nil, fmt.Errorf("a recorded step has nothing for input %s", s.Name)
}

// noises is the number of sets of latent vectors in a step.
func (r *replay) noises() int {
	n := 0
	for _, u := range r.gan.Recipe.Updates {
		n = max(n, u.Noise+1)
	}
	return n
}

// drawnFor is the network whose update sees the latent vectors of a number
// first.
func (r *replay) drawnFor(noise int) arch.Role {
	for _, u := range r.gan.Recipe.Updates {
		if u.Noise == noise && u.Only != arch.Real {
			return u.Trains
		}
	}
	return ""
}

// rows are the first rows of what a step was fed, of examples of so many values
// which are a picture, or none if that is nil.
func (r *replay) rows(shape tensor.Shape, picture arch.Shape, step int, name string) ([]float64, error) {
	name = "batch." + name
	a, ok := r.fed[name]
	if !ok {
		var err error
		if a, err = r.archive.read(name); err != nil {
			return nil, err
		}
		r.fed[name] = a
	}
	n, each := shape[0], shape[1:].TotalSize()
	if len(a.shape) < 2 || a.shape[0] != r.steps || a.shape[1] < n || arch.Shape(a.shape[2:]).Size() != each {
		return nil, fmt.Errorf("%s: array %q has shape %v, want [%d %d ...] with %d values in an example",
			r.archive.path, name, a.shape, r.steps, r.batch, each)
	}
	size := len(a.data) / r.steps
	return plain(n).and(features(each, picture)).ours(a.data[step*size:][:n*each]), nil
}

func (r *replay) floats(shape tensor.Shape, picture arch.Shape, step int, name string) (gorgonia.Value, error) {
	data, err := r.rows(shape, picture, step, name)
	if err != nil {
		return nil, err
	}
	v := tensor.New(tensor.Of(r.dt), tensor.WithShape(shape...))
	fill(v, data)
	return v, nil
}

func (r *replay) labels(shape tensor.Shape, step int, name string) (gorgonia.Value, error) {
	data, err := r.rows(shape, nil, step, name)
	if err != nil {
		return nil, err
	}
	labels := make([]int64, len(data))
	for i, v := range data {
		labels[i] = int64(v)
		if v != float64(labels[i]) || labels[i] < 0 || labels[i] >= int64(r.gan.Classes) {
			return nil, fmt.Errorf("%s: array %q: a label of %g, want one of %d classes", r.archive.path, "batch."+name, v, r.gan.Classes)
		}
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(labels)), nil
}

// mask is a dropout mask. What is shown to D in its own update is called real
// and fake, in the generator's g.
func (r *replay) mask(s train.FeedSpec, step int) (gorgonia.Value, error) {
	rows, err := r.gan.Discriminator.Rows()
	if err != nil {
		return nil, err
	}
	number, picture := 0, arch.Shape(nil)
	pictures := pictures(rows)
	for i, row := range rows {
		if _, ok := row.Layer.(arch.Dropout); ok {
			number++
		}
		if row.Name == s.Layer {
			picture = pictures[i]
			break
		}
	}
	passes := []string{s.Pass}
	switch {
	case r.gan.Recipe.Updates[s.Update].Trains == arch.Generator:
		passes = []string{"g"}
	case s.Pass == "joined":
		passes = []string{"real", "fake"}
	}
	var mask []uint8
	part := s.Shape.Clone()
	part[0] /= len(passes)
	for _, pass := range passes {
		data, err := r.rows(part, picture, step, fmt.Sprintf("mask%d_%s", number, pass))
		if err != nil {
			return nil, err
		}
		for _, v := range data {
			if v != 0 && v != 1 {
				return nil, fmt.Errorf("%s: array batch.mask%d_%s holds %g, want 0 or 1", r.archive.path, number, pass, v)
			}
			mask = append(mask, uint8(v))
		}
	}
	return tensor.New(tensor.WithShape(s.Shape...), tensor.WithBacking(mask)), nil
}

// picture is a shape that Keras lays out otherwise; nil for one that it doesn't.
func picture(s arch.Shape) arch.Shape {
	if s.Picture() {
		return s
	}
	return nil
}

// tensors compares what the steps end with.
func (r *replay) tensors(name string) ([]TensorParity, error) {
	if err := r.program.Store(); err != nil {
		return nil, err
	}
	var all []TensorParity
	for _, p := range r.params {
		tolerance, ok := r.variants[name].Tolerances[p.keras]
		if !ok {
			return nil, fmt.Errorf("training.json gives no suggested_weight_tol of %s, variant %s, for %s", r.gan.Name, name, p.keras)
		}
		keras, err := r.recorded(name+".final64", p)
		if err != nil {
			return nil, err
		}
		t := TensorParity{
			Name: p.ours, Keras: p.keras, Shape: r.state[p.ours].Shape(), Tolerance: tolerance, Excepted: p.undetermined,
			Difference: farthest(r.state[p.ours], keras),
		}
		all = append(all, t)
	}
	return all, nil
}

// farthest is the largest difference of two numbers at one place; NaN if one is
// none.
func farthest(a *tensor.Dense, b []float64) (worst float64) {
	at := func(int) float64 { return math.NaN() }
	switch data := a.Data().(type) {
	case []float64:
		at = func(i int) float64 { return data[i] }
	case []float32:
		at = func(i int) float64 { return float64(data[i]) }
	}
	for i, v := range b {
		worst = max(worst, math.Abs(at(i)-v)) // NaN stays
	}
	return worst
}
