package train

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/engine"
	"github.com/gantrain/gantrain/train/nn"
	"github.com/gantrain/gantrain/train/op"
)

// Plan is a recipe's step with what has to be fed to it.
type Plan struct {
	engine.Step
	Feeds []FeedSpec
	// Columns name what a step gives: the loss of each update (see lossColumns),
	// then reports.
	Columns []string
}

// FeedSpec describes an input of a step that is not state.
type FeedSpec struct {
	Name  string
	Shape tensor.Shape // () for a rate
	Kind  FeedKind
	// Noise is the recipe's number of the latent vectors, and of the classes asked
	// for with them, Real that of the real examples, Rate the share that a mask
	// drops, Layer the dropout layer that it belongs to, and Pass what its network
	// is shown: "latent" vectors, "real" or "fake" examples, or both "joined".
	// Update is the number of the update whose learning rate, share or mask this
	// is, the first of those that have it in common.
	Noise  int
	Real   int
	Rate   float64
	Layer  string
	Pass   string
	Update int
}

// FeedKind says what an input holds.
type FeedKind int

const (
	RealImages   FeedKind = iota // [N, C, H, W], scaled to the GAN's range; [N, values] where it has no pictures
	Noise                        // latent vectors [N, latent]
	DropoutMask                  // uint8, 1 keeps
	LearningRate                 // of one update, bias correction included
	AverageShare                 // of the new weights in their running average, after one update
	RealLabels                   // int64 [N, 1], the classes of the real examples
	FakeLabels                   // int64 [N, 1], the classes asked for with latent vectors
)

// dtype is the type of an input's elements in a graph of the given floats.
func (k FeedKind) dtype(floats tensor.Dtype) tensor.Dtype {
	switch k {
	case DropoutMask:
		return tensor.Uint8
	case RealLabels, FakeLabels:
		return tensor.Int64
	}
	return floats
}

// NewPlan builds the graphs of a GAN's step for a number of real images in an
// update, which is less than the recipe's batch in the last step of an epoch.
func NewPlan(gan arch.GAN, real int, dt tensor.Dtype) (*Plan, error) {
	b := &planner{gan: gan, real: real, dt: dt, fed: map[string]bool{}, said: map[string]bool{}}
	b.plan.Simultaneous = gan.Recipe.Simultaneous
	b.plan.Columns = lossColumns(gan.Recipe)
	for _, loss := range b.plan.Columns {
		b.said[loss] = true
	}
	for i, u := range gan.Recipe.Updates {
		update, err := b.update(i, u)
		if err != nil {
			return nil, fmt.Errorf("train: %s: update %d (%s): %w", gan.Name, i+1, u.Trains, err)
		}
		b.plan.Updates = append(b.plan.Updates, update)
	}
	for _, u := range b.plan.Updates {
		for _, p := range u.Report {
			b.plan.Columns = append(b.plan.Columns, p.Name)
		}
	}
	return &b.plan, nil
}

type planner struct {
	gan  arch.GAN
	real int
	dt   tensor.Dtype
	plan Plan
	fed  map[string]bool // names that stand in plan.Feeds
	said map[string]bool // names of losses and reports
}

// graph is one update under construction.
type graph struct {
	*planner
	*gorgonia.ExprGraph
	index  int
	recipe arch.Update
	inputs []export.Port
	gen    *nn.Net
	disc   *nn.Net
	judged []judged
}

// shown is a batch that the discriminator sees in one pass.
type shown struct {
	pass     string
	examples *gorgonia.Node
	labels   []*gorgonia.Node // where there are classes
	targets  []op.Target
}

// judged is what the discriminator made of a batch: real examples, generated
// ones, or both joined, each with its target.
type judged struct {
	pass    string
	out     nn.Output
	targets []op.Target
}

func (b *planner) update(index int, u arch.Update) (engine.Update, error) {
	g := &graph{planner: b, ExprGraph: gorgonia.NewGraph(), index: index, recipe: u}
	var err error
	if g.gen, err = g.net(arch.Generator, b.gan.Generator); err != nil {
		return engine.Update{}, err
	}
	if g.disc, err = g.net(arch.Discriminator, b.gan.Discriminator); err != nil {
		return engine.Update{}, err
	}
	loss, err := g.loss()
	if err != nil {
		return engine.Update{}, err
	}
	trained := g.gen
	if u.Trains == arch.Discriminator {
		trained = g.disc
	}
	if u.Minimax {
		if loss, err = gorgonia.Mul(loss, minus(g.dt)); err != nil {
			return engine.Update{}, err
		}
	}
	updated, err := g.adam(loss, trained.Weights())
	if err != nil {
		return engine.Update{}, err
	}
	moved := append(g.gen.Statistics(), g.disc.Statistics()...)
	if b.gan.Recipe.Simultaneous {
		// The updates share one forward pass, of which only a network's own
		// has all: the generator's knows nothing of the real images.
		moved = trained.Statistics()
	}
	for _, p := range moved {
		if p.Node.Op() != nil { // moved on by a forward pass in training
			updated = append(updated, export.Port{Name: p.Name, Node: p.Node})
		}
	}
	if u.Trains == arch.Generator && b.gan.Recipe.EMA > 0 {
		averages, err := g.average(updated)
		if err != nil {
			return engine.Update{}, err
		}
		updated = append(updated, averages...)
	}
	report, err := g.report() // after the gradient, to which it does not belong
	if err != nil {
		return engine.Update{}, err
	}
	return engine.Update{Name: string(u.Trains), Inputs: g.inputs, Loss: loss, Report: report, New: updated}, nil
}

func (g *graph) net(role arch.Role, net arch.Network) (*nn.Net, error) {
	n, err := nn.New(g.ExprGraph, role, net, g.dt)
	if err != nil {
		return nil, err
	}
	for _, p := range append(n.Weights(), n.Statistics()...) {
		g.inputs = append(g.inputs, export.Port{Name: p.Name, Node: p.Node})
	}
	return n, nil
}

// feed adds an input that the trainer fills, once for all updates of a step.
func (g *graph) feed(spec FeedSpec) *gorgonia.Node {
	var n *gorgonia.Node
	dt := spec.Kind.dtype(g.dt)
	if len(spec.Shape) == 0 {
		n = gorgonia.NewScalar(g.ExprGraph, dt, gorgonia.WithName(spec.Name))
	} else {
		n = nn.Input(g.ExprGraph, spec.Name, dt, spec.Shape...)
	}
	g.inputs = append(g.inputs, export.Port{Name: spec.Name, Node: n})
	if !g.fed[spec.Name] {
		g.fed[spec.Name] = true
		g.plan.Feeds = append(g.plan.Feeds, spec)
	}
	return n
}

// realName is what the real examples of a number are fed as.
func realName(number int) string {
	if number == 0 {
		return "real"
	}
	return fmt.Sprint("real/", number)
}

// minus is the constant -1.
func minus(dt tensor.Dtype) *gorgonia.Node {
	if dt == tensor.Float64 {
		return gorgonia.NewConstant(-1.0)
	}
	return gorgonia.NewConstant(float32(-1))
}

// loss runs the networks and returns the loss of the one being trained.
func (g *graph) loss() (*gorgonia.Node, error) {
	u := g.recipe
	var batches []shown
	if u.Only != arch.Real {
		fake, err := g.generated()
		if err != nil {
			return nil, err
		}
		batches = append(batches, fake)
	}
	if u.Trains == arch.Discriminator && u.Only != arch.Fake {
		batches = append([]shown{g.realExamples()}, batches...)
	}
	if u.Joined {
		real, fake := batches[0], batches[1]
		both, err := op.Concat(0, real.examples, fake.examples)
		if err != nil {
			return nil, err
		}
		batches = []shown{{"joined", both, append(real.labels, fake.labels...), append(real.targets, fake.targets...)}}
	}
	var losses gorgonia.Nodes
	for _, b := range batches {
		loss, err := g.judge(b)
		if err != nil {
			return nil, err
		}
		losses = append(losses, loss)
	}
	if len(losses) == 1 {
		return losses[0], nil
	}
	return gorgonia.Add(losses[0], losses[1])
}

// share is how many of a step's n examples the update sees, and the end of the
// name of what they are fed by.
func (g *graph) share(n int) (int, string) {
	if g.recipe.Half {
		return (n + 1) / 2, "/half"
	}
	return n, ""
}

func (g *graph) realExamples() shown {
	number := g.recipe.Real
	n, part := g.share(g.real)
	name := realName(number) + part
	s := shown{pass: "real", targets: []op.Target{{Rows: n, Label: g.recipe.RealLabel}}}
	s.examples = g.feed(FeedSpec{Name: name, Kind: RealImages, Real: number, Shape: append(tensor.Shape{n}, g.gan.Image...)})
	if g.gan.Discriminator.Conditional() {
		s.labels = append(s.labels, g.feed(FeedSpec{Name: "label/" + name, Kind: RealLabels, Real: number, Shape: tensor.Shape{n, 1}}))
	}
	return s
}

// generated makes examples of the update's noise.
func (g *graph) generated() (shown, error) {
	number := g.recipe.Noise
	n, part := g.share(g.gan.Recipe.Latents(g.real))
	s := shown{pass: "fake", targets: []op.Target{{Rows: n, Label: g.recipe.FakeLabel}}}
	z := g.feed(FeedSpec{
		Name: fmt.Sprint("noise/", number, part), Kind: Noise, Noise: number, Shape: tensor.Shape{n, g.gan.Latent.Size},
	})
	if g.gan.Classes > 0 {
		s.labels = append(s.labels, g.feed(FeedSpec{
			Name: fmt.Sprint("label/", number, part), Kind: FakeLabels, Noise: number, Shape: tensor.Shape{n, 1},
		}))
	}
	var out nn.Output
	var err error
	if g.recipe.Predicted {
		out, err = g.gen.Infer(z, s.labels...)
	} else {
		out, err = g.gen.Train(z, g.masks("latent"), s.labels...)
	}
	s.examples = out.Node
	return s, err
}

// judge runs the discriminator on a batch and returns the loss against its
// targets.
func (g *graph) judge(b shown) (*gorgonia.Node, error) {
	out, err := g.disc.Train(b.examples, g.masks(b.pass), b.labels...)
	if err != nil {
		return nil, err
	}
	g.judged = append(g.judged, judged{b.pass, out, b.targets})
	return g.cost(out, b.targets...)
}

// cost is the loss of what the discriminator made of a batch.
func (g *graph) cost(out nn.Output, targets ...op.Target) (*gorgonia.Node, error) {
	if g.recipe.Epsilon == 0 {
		return op.SigmoidCrossEntropy(out.Logit, targets...)
	}
	p, err := op.Probability(out.Logit)
	if err != nil {
		return nil, err
	}
	return op.LogLoss(p, g.recipe.Epsilon, targets...)
}

// masks feeds the dropout masks of one pass through a network. In a
// simultaneous step all updates share their passes, so the masks as well.
func (g *graph) masks(pass string) nn.Masker {
	owner := fmt.Sprint(g.index)
	if g.gan.Recipe.Simultaneous {
		owner = "all"
	}
	return func(layer string, rate float64, shape tensor.Shape) *gorgonia.Node {
		name := fmt.Sprintf("mask/%s/%s/%s", owner, pass, layer)
		return g.feed(FeedSpec{
			Name: name, Kind: DropoutMask, Rate: rate, Layer: layer, Pass: pass, Update: g.index, Shape: shape.Clone(),
		})
	}
}

// adam differentiates the loss and returns the new weights and moments.
func (g *graph) adam(loss *gorgonia.Node, weights []nn.Param) ([]export.Port, error) {
	nodes := make(gorgonia.Nodes, len(weights))
	for i, w := range weights {
		nodes[i] = w.Node
	}
	gradients, err := gorgonia.Grad(loss, nodes...)
	if err != nil {
		return nil, err
	}
	rate := g.feed(FeedSpec{Name: fmt.Sprintf("rate/%d", g.index), Kind: LearningRate, Update: g.index})
	a := g.gan.Recipe.Adam[g.recipe.Trains]
	var out []export.Port
	for i, w := range weights {
		m, v := momentNames(w.Name)
		oldM, oldV := nn.Input(g.ExprGraph, m, g.dt, w.Node.Shape()...), nn.Input(g.ExprGraph, v, g.dt, w.Node.Shape()...)
		g.inputs = append(g.inputs, export.Port{Name: m, Node: oldM}, export.Port{Name: v, Node: oldV})
		newW, newM, newV, err := op.Adam(w.Node, oldM, oldV, gradients[i], rate, a.Beta1, a.Beta2, a.Epsilon)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.Name, err)
		}
		out = append(out, export.Port{Name: w.Name, Node: newW}, export.Port{Name: m, Node: newM}, export.Port{Name: v, Node: newV})
	}
	return out, nil
}

// average moves the running averages of the generator's weights and statistics
// towards their new values.
func (g *graph) average(updated []export.Port) ([]export.Port, error) {
	share := g.feed(FeedSpec{Name: fmt.Sprintf("share/%d", g.index), Kind: AverageShare, Update: g.index})
	var out []export.Port
	for _, p := range append(g.gen.Weights(), g.gen.Statistics()...) {
		now := p.Node
		for _, u := range updated {
			if u.Name == p.Name {
				now = u.Node
			}
		}
		name := averageName(p.Name)
		old := nn.Input(g.ExprGraph, name, g.dt, now.Shape()...)
		g.inputs = append(g.inputs, export.Port{Name: name, Node: old})
		average, err := op.Towards(old, now, share)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, export.Port{Name: name, Node: average})
	}
	return out, nil
}

// momentNames are the names of Adam's moments of a weight in the state.
func momentNames(weight string) (m, v string) { return weight + "/m", weight + "/v" }

// averageName is the name of a parameter's running average in the state.
func averageName(param string) string { return param + "/average" }
