package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/runtime/ort"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/dataset"
	"github.com/gantrain/gantrain/train/engine"
	"github.com/gantrain/gantrain/train/nn"
)

// Trainer takes a model through the steps of its recipe. What it does depends
// on the model and the data alone: a trainer made from a checkpoint goes on
// exactly as the one that wrote it would have.
type Trainer struct {
	Model *Model
	data  Examples
	o     Options

	columns  []string
	programs map[kind]*program
	current  *program      // that has the newest state
	ahead    *draft        // the next step's feed; nil where there is none
	samples  *nn.Inference // the generator at the grid's batch size
	watch    *nn.Inference // the same at the size of what is watched

	// The order of an epoch's images, unless they are drawn with replacement. Only
	// draw uses it, in one goroutine at a time.
	order []int
	epoch int
}

// kind tells steps apart that take programs of their own.
type kind struct {
	size  int       // real images in an update
	alone arch.Role // that is trained; empty for both
}

// program is a plan, compiled.
type program struct {
	engine.Program
	*feeder
	columns []string // those of the trainer that a step gives
}

// draft is the feed of a step while a goroutine fills it.
type draft struct {
	step int
	feed engine.Feed
	done chan struct{} // closed when feed is filled
}

// Examples are what a GAN learns from: pictures or points.
type Examples = dataset.Set

// Options say what a model is trained on.
type Options struct {
	Engine  Engine // "" means ORT; a trainer takes no Auto
	Runtime runtime.Options
}

// Engine runs the steps of a recipe. Engines agree to float32 rounding.
type Engine string

const (
	ORT  Engine = "ort"  // ONNX Runtime, the whole step as one model
	Tape Engine = "tape" // Gorgonia's own machine, the reference
	Auto Engine = "auto" // ORT where its library loads, else Tape: see Options.Choose
)

// Choose replaces Auto, or no engine, by one that runs steps. missing says why
// ONNX Runtime's library does not load, whatever the engine.
func (o Options) Choose(ctx context.Context) (chosen Options, missing error) {
	missing = ort.Load(ctx, o.Runtime.Library)
	switch {
	case o.Engine == "", o.Engine == Auto && missing == nil:
		o.Engine = ORT
	case o.Engine == Auto:
		o.Engine = Tape
	}
	return o, missing
}

// Diverged reports a loss that is no longer a number.
type Diverged struct {
	Step   int       // counted from 1
	Losses []float64 // nil where it is a weight or a statistic that is not finite
}

func (d *Diverged) Error() string {
	if d.Losses == nil {
		return fmt.Sprintf("train: step %d: a weight or a statistic is not finite: training has diverged", d.Step)
	}
	return fmt.Sprintf("train: step %d: the losses are %v: training has diverged", d.Step, d.Losses)
}

// NewTrainer prepares to train a model on data, which must have the size that
// the GAN takes and make at least one batch.
func NewTrainer(m *Model, data Examples, o Options) (*Trainer, error) {
	if err := m.GAN.Check(); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	name, _ := data.About()
	if got := data.Shape(); !slices.Equal(got, m.GAN.Image) {
		return nil, fmt.Errorf("train: %s: its examples are %v, %s takes %v", name, got, m.GAN.Name, m.GAN.Image)
	}
	if err := checkLabels(m.GAN, data); err != nil {
		return nil, err
	}
	if err := m.checkClassNames(); err != nil {
		return nil, fmt.Errorf("train: %s: %w", m.GAN.Name, err)
	}
	t := &Trainer{Model: m, data: data, o: o, programs: map[kind]*program{}, epoch: -1}
	if t.StepsPerEpoch() < 1 {
		return nil, fmt.Errorf("train: %s: %d images make no batch of %d", name, data.Len(), m.GAN.Recipe.Batch*m.GAN.Recipe.Reals())
	}
	plan, err := NewPlan(m.GAN, t.size(0), tensor.Float32)
	if err != nil {
		return nil, err
	}
	t.columns = plan.Columns
	return t, nil
}

// StepsPerEpoch is the number of steps that make an epoch over the data.
func (t *Trainer) StepsPerEpoch() int { return t.Model.GAN.Recipe.StepsPerEpoch(t.data.Len()) }

// Columns name what Step returns: those of the [Plan] of a step that trains both
// networks.
func (t *Trainer) Columns() []string { return t.columns }

// Step performs the next step and returns the loss of each update and what else
// is recorded of it, NaN for what it doesn't compute since it trains one network
// alone. A loss that is not finite is an error of type [*Diverged]; the model is
// then spoilt.
func (t *Trainer) Step() ([]float64, error) {
	step := t.Model.Step
	p, err := t.switchTo(context.Background(), t.kind(step))
	if err != nil {
		return nil, err
	}
	feed := t.feed(p, step)
	t.fillAhead(step + 1)
	values, err := p.Run(feed)
	if err != nil {
		return nil, fmt.Errorf("train: step %d: %w", step+1, err)
	}
	t.Model.Step++
	losses := values[:len(p.gan.Recipe.Updates)]
	for _, l := range losses {
		if math.IsNaN(l) || math.IsInf(l, 0) {
			return nil, &Diverged{t.Model.Step, losses}
		}
	}
	all := slices.Repeat([]float64{math.NaN()}, len(t.columns))
	for i, name := range p.columns {
		all[slices.Index(t.columns, name)] = values[i]
	}
	return all, nil
}

// feed returns what a step is fed with, filled ahead or now.
func (t *Trainer) feed(p *program, step int) engine.Feed {
	d := t.ahead
	t.wait()
	if d != nil && d.step == step {
		return d.feed
	}
	return p.fill(step, t.draw(step))
}

// fillAhead fills the feed of the next step while the engine runs this one. A
// step of a size that nothing is compiled for yet has nothing to fill.
func (t *Trainer) fillAhead(step int) {
	p, ok := t.programs[t.kind(step)]
	if !ok {
		return
	}
	d := &draft{step: step, done: make(chan struct{})}
	t.ahead = d
	go func() {
		defer close(d.done)
		d.feed = p.fill(step, t.draw(step))
	}()
}

// wait waits until no feed is being filled.
func (t *Trainer) wait() {
	if t.ahead != nil {
		<-t.ahead.done
		t.ahead = nil
	}
}

func (t *Trainer) kind(step int) kind { return kind{t.size(step), t.Model.GAN.Recipe.Phase(step)} }

// size is the number of real images in an update of a step.
func (t *Trainer) size(step int) int {
	r := t.Model.GAN.Recipe
	if r.Sampling == arch.Replacement {
		return r.Batch
	}
	left := t.data.Len() - step%t.StepsPerEpoch()*r.Batch*r.Reals()
	return min(r.Batch, left/r.Reals())
}

// draw chooses the real images of a step.
func (t *Trainer) draw(step int) []int {
	r, seed := t.Model.GAN.Recipe, t.Model.Seed
	if r.Sampling == arch.Replacement {
		images := make([]int, r.Batch*r.Reals())
		dataset.Draw(images, t.data.Len(), seed, orderStream, uint64(step))
		return images
	}
	epoch, place := step/t.StepsPerEpoch(), step%t.StepsPerEpoch()
	if r.Sampling == arch.Fixed {
		epoch = 0
	}
	if t.epoch != epoch {
		t.order, t.epoch = dataset.Permutation(t.data.Len(), seed, orderStream, uint64(epoch)), epoch
	}
	return t.order[place*r.Batch*r.Reals():][:t.size(step)*r.Reals()]
}

// switchTo returns the program for a kind of step, with the newest state in it.
func (t *Trainer) switchTo(ctx context.Context, k kind) (*program, error) {
	p, ok := t.programs[k]
	if ok && p == t.current {
		return p, nil
	}
	if err := t.Store(); err != nil {
		return nil, err
	}
	if !ok {
		gan := t.Model.GAN
		gan.Recipe = gan.Recipe.Alone(k.alone)
		plan, err := NewPlan(gan, k.size, tensor.Float32)
		if err != nil {
			return nil, err
		}
		compiled, err := t.compile(ctx, plan.Step)
		if err != nil {
			return nil, err
		}
		p = &program{compiled, newFeeder(gan, t.data, t.Model.Seed, plan.Feeds, compiled.Rows), plan.Columns}
		t.programs[k] = p
	}
	t.current = p
	return p, p.Load()
}

// compile compiles a step for the trainer's engine.
func (t *Trainer) compile(ctx context.Context, step engine.Step) (engine.Program, error) {
	if t.o.Engine == Tape {
		return engine.NewTape(step, t.Model.State)
	}
	return engine.NewORT(ctx, step, t.Model.State, t.o.Runtime)
}

// prepare compiles the first step, so that what can't be run shows at once.
func (t *Trainer) prepare(ctx context.Context) error {
	_, err := t.switchTo(ctx, t.kind(t.Model.Step))
	return err
}

// Store brings the model's state up to date with the steps done.
func (t *Trainer) Store() error {
	if t.current == nil {
		return nil
	}
	return t.current.Store()
}

// Samples makes the samples of the GAN's grid with the weights of now, from
// the latent vectors of pictures 0, 1, ... of the seed: those that ganinfer
// makes from the exported generator. Of a conditional one, picture i has class i
// modulo their number and stands below picture i-1, so that a grid with a row
// for each has every class in a row of its own.
func (t *Trainer) Samples() (*tensor.Dense, error) {
	grid := t.Model.GAN.Grid
	return t.pictures(&t.samples, grid.Rows*grid.Columns, func(cell int) int {
		if !t.Model.GAN.Generator.Conditional() {
			return cell
		}
		return cell%grid.Columns*grid.Rows + cell/grid.Columns
	})
}

// watched makes n samples with the weights of now, always from the same latent
// vectors; of a conditional GAN, classes take turns.
func (t *Trainer) watched(n int) (*tensor.Dense, error) {
	return t.pictures(&t.watch, n, func(i int) int { return i })
}

// madeAtOnce is how many samples the tape makes at a time, since it keeps what
// every layer makes of them: as many as the largest grid of published pictures has.
const madeAtOnce = 100

// pictures makes n samples by a graph that is built at first use; number says
// which picture of the seed each is.
func (t *Trainer) pictures(graph **nn.Inference, n int, number func(i int) int) (*tensor.Dense, error) {
	gan := t.Model.GAN
	if err := t.Store(); err != nil {
		return nil, err
	}
	size := min(n, madeAtOnce)
	if *graph == nil {
		var err error
		if *graph, err = nn.NewInference(arch.Generator, gan.Generator, t.Model.Weights(arch.Generator), size); err != nil {
			return nil, err
		}
	}
	all := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(append([]int{n}, gan.Image...)...))
	z := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(size, gan.Latent.Size))
	for first := 0; first < n; first += size { // the last ones may be more than are wanted
		for i := range size {
			fillNoise(floats(z)[i*gan.Latent.Size:][:gan.Latent.Size], gan.Latent, t.Model.Seed, pictureStream, uint64(number(first+i)))
		}
		labels := t.labelled(gan.Generator, size, func(i int) int { return number(first+i) % gan.Classes })
		out, err := (*graph).Run(append([]*tensor.Dense{z}, labels...)...)
		if err != nil {
			return nil, err
		}
		copy(floats(all)[first*len(floats(all))/n:], floats(out[0]))
	}
	return all, nil
}

// Close releases the compiled steps.
func (t *Trainer) Close() error {
	t.wait()
	var err error
	for _, p := range t.programs {
		err = errors.Join(err, p.Close())
	}
	return err
}
