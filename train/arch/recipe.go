package arch

import (
	"fmt"
	"slices"
)

// Role names one of the two networks.
type Role string

const (
	Generator     Role = "generator"
	Discriminator Role = "discriminator"
)

// Recipe says how a GAN is trained. A step is a list of updates; each changes
// one network.
type Recipe struct {
	Batch    int      // real images, and latent vectors, in an update
	Epochs   int      // passes over the data set
	Steps    int      `json:",omitempty"` // steps in all, instead of Epochs, where the document counts those
	Sampling Sampling // how real images are drawn

	Updates []Update
	// Simultaneous: every update starts from the weights before the step, and
	// all share one forward pass: its noise, dropout masks and statistics.
	// Otherwise an update sees what the one before it changed.
	Simultaneous bool

	// Phases train one network alone, then the other, and again from the first
	// on. None: every step makes all updates.
	Phases []Phase `json:",omitempty"`

	Adam map[Role]Adam
	// EMA above 0: a running average of the generator's weights is kept, which
	// decays by that much with each of its updates, once it is warm.
	EMA float64 `json:",omitempty"`
}

// Phase is a number of steps that make the updates of one network alone.
type Phase struct {
	Trains Role
	Steps  int
}

// Sampling is a way to draw real images.
type Sampling string

const (
	Shuffled    Sampling = "shuffled"    // every image once an epoch; the last batch is what remains
	Fixed       Sampling = "fixed"       // shuffled once, the same batches in every epoch; with the last one, as few latent vectors
	Replacement Sampling = "replacement" // each image of a batch independently; images/batch steps make an epoch, rounded down
)

// Update trains one network for one step of its optimiser.
type Update struct {
	Trains Role `yaml:"-"` // begins an update there
	// Noise numbers the latent vectors: updates with one number see the same.
	Noise int
	// Real numbers the real examples in the same way.
	Real int `json:",omitempty"`
	// Only: the discriminator's update has one kind of examples alone. Empty: both.
	Only Images `json:",omitempty"`
	// Half: the update sees the first half of the real examples of its Real, and
	// of the latent vectors of its Noise, rounded up.
	Half bool `json:",omitempty"`
	// RealLabel and FakeLabel are what the network being trained wants the
	// discriminator to say; the generator's update has no real images.
	RealLabel, FakeLabel float64
	// Joined: the discriminator sees real and generated images as one batch with
	// one mean. Otherwise there are two passes and the sum of two means.
	Joined bool
	// Predicted: the images for the discriminator's update come from the
	// generator in inference mode and leave its statistics alone.
	Predicted bool
	// Epsilon above 0: the loss is -log(p + Epsilon) of the probability.
	// Otherwise it is the cross-entropy of the logit, which needs no guard.
	Epsilon float64
	// Minimax: the generator's loss is minus the discriminator's on generated
	// images, log(1 - D(G(z))), so FakeLabel is 0.
	Minimax bool `json:",omitempty"`
}

// Images is a kind of images that a discriminator sees.
type Images string

const (
	Real Images = "real"
	Fake Images = "fake" // made by the generator
)

// Adam holds an optimiser's settings, in Keras' form: the epsilon stands
// outside the bias correction.
type Adam struct{ Rate, Beta1, Beta2, Epsilon float64 }

// StepsPerEpoch is the number of steps that make an epoch over that many images.
func (r Recipe) StepsPerEpoch(images int) int {
	inStep := r.Batch * r.Reals()
	steps := images / inStep
	if r.Sampling != Replacement && images%inStep >= r.Reals() {
		steps++
	}
	return steps
}

// Reals is the number of batches of real examples in a step. What remains for
// the last step of an epoch is cut evenly.
func (r Recipe) Reals() int {
	most := 0
	for _, u := range r.Updates {
		most = max(most, u.Real)
	}
	return most + 1
}

// Phase is the network that a step, counted from 0, trains alone; empty where it
// trains both.
func (r Recipe) Phase(step int) Role {
	role, _ := r.phase(step)
	return role
}

// Trained is the number of steps before the given one that train a network.
func (r Recipe) Trained(role Role, step int) int {
	if len(r.Phases) == 0 {
		return step
	}
	_, trained := r.phase(step)
	return trained[role]
}

// phase gives a step's phase, and the steps before it that train each network.
func (r Recipe) phase(step int) (role Role, before map[Role]int) {
	cycle, before := 0, map[Role]int{}
	for _, p := range r.Phases {
		cycle += p.Steps
	}
	if cycle == 0 {
		return "", before
	}
	for _, p := range r.Phases {
		before[p.Trains] += step / cycle * p.Steps
	}
	rest := step % cycle
	for _, p := range r.Phases {
		role = p.Trains
		before[role] += min(rest, p.Steps)
		if rest -= p.Steps; rest < 0 {
			break
		}
	}
	return role, before
}

// Alone is the recipe with the updates of one network; the empty role leaves
// all.
func (r Recipe) Alone(role Role) Recipe {
	if role != "" {
		r.Updates = slices.DeleteFunc(slices.Clone(r.Updates), func(u Update) bool { return u.Trains != role })
	}
	return r
}

// Latents is the number of latent vectors in an update, in a step of so many
// real images.
func (r Recipe) Latents(real int) int {
	if r.Sampling == Fixed {
		return real
	}
	return r.Batch
}

// MaxBatch bounds a recipe's batch, and so what a stored one can make us
// allocate.
const MaxBatch = 1 << 16

// MaxPhase bounds the steps of a phase.
const MaxPhase = 1 << 20

// maxNoise bounds the numbers of an update's latent vectors: each has a random
// stream of its own, and streams are numbered.
const maxNoise = 64

func (r Recipe) check() error {
	if r.Batch < 1 || r.Batch > MaxBatch {
		return fmt.Errorf("batch of %d, want 1 to %d", r.Batch, MaxBatch)
	}
	if r.Steps < 0 || r.Steps == 0 && r.Epochs < 1 {
		return fmt.Errorf("%d steps or %d epochs, want at least 1", r.Steps, r.Epochs)
	}
	if r.Sampling != Shuffled && r.Sampling != Fixed && r.Sampling != Replacement {
		return fmt.Errorf("sampling %q, want %q, %q or %q", r.Sampling, Shuffled, Fixed, Replacement)
	}
	if len(r.Updates) == 0 {
		return fmt.Errorf("no updates")
	}
	trained := map[Role]bool{}
	for i, u := range r.Updates {
		if err := u.check(); err != nil {
			return fmt.Errorf("update %d %w", i+1, err)
		}
		if r.Simultaneous && trained[u.Trains] {
			return fmt.Errorf("update %d trains the %s again in a simultaneous step", i+1, u.Trains)
		}
		if r.Simultaneous && u.Half {
			return fmt.Errorf("update %d sees half of a simultaneous step, which is one forward pass", i+1)
		}
		trained[u.Trains] = true
		a, ok := r.Adam[u.Trains]
		if !ok {
			return fmt.Errorf("update %d trains %q, which has no optimiser", i+1, u.Trains)
		}
		if err := a.check(); err != nil {
			return fmt.Errorf("%s: %w", u.Trains, err)
		}
	}
	for i, p := range r.Phases {
		switch {
		case r.Simultaneous:
			return fmt.Errorf("phases of one network each in a simultaneous step")
		case !trained[p.Trains]:
			return fmt.Errorf("phase %d trains %q, which no update does", i+1, p.Trains)
		case p.Steps < 1 || p.Steps > MaxPhase:
			return fmt.Errorf("phase %d has %d steps, want 1 to %d", i+1, p.Steps, MaxPhase)
		}
	}
	alone := func(role Role) bool {
		return slices.ContainsFunc(r.Phases, func(p Phase) bool { return p.Trains == role })
	}
	if alone(Generator) != alone(Discriminator) {
		return fmt.Errorf("phases of one network only, which would stay alone: want some of each")
	}
	if !(r.EMA >= 0 && r.EMA < 1) {
		return fmt.Errorf("a running average that decays by %g, want [0, 1)", r.EMA)
	}
	return nil
}

func (u Update) check() error {
	switch {
	case u.Real < 0 || u.Real >= maxNoise:
		return fmt.Errorf("has real examples %d, which is not in [0, %d)", u.Real, maxNoise)
	case u.Minimax && u.Trains != Generator:
		return fmt.Errorf("trains the %s by the generator's minimax loss", u.Trains)
	case u.Trains != Generator && u.Trains != Discriminator:
		return fmt.Errorf("trains %q, want %q or %q", u.Trains, Generator, Discriminator)
	case u.Noise < 0 || u.Noise >= maxNoise:
		return fmt.Errorf("has noise %d, which is not in [0, %d)", u.Noise, maxNoise)
	case u.Only != "" && u.Only != Real && u.Only != Fake:
		return fmt.Errorf("has only %q images, want %q or %q", u.Only, Real, Fake)
	case u.Only != "" && (u.Trains == Generator || u.Joined):
		return fmt.Errorf("has only %s images: it must train the discriminator, and join nothing", u.Only)
	case u.Joined && u.Trains == Generator:
		return fmt.Errorf("joins real and generated images, and the generator's sees no real ones")
	case u.Minimax && u.FakeLabel != 0:
		return fmt.Errorf("lowers log(1 - D(G(z))), as minimax is, with generated images labelled %g, want 0", u.FakeLabel)
	case !(u.Epsilon >= 0 && u.RealLabel >= 0 && u.RealLabel <= 1 && u.FakeLabel >= 0 && u.FakeLabel <= 1):
		return fmt.Errorf("has labels %g and %g, epsilon %g: want labels in [0, 1], epsilon at least 0",
			u.RealLabel, u.FakeLabel, u.Epsilon)
	}
	return nil
}

func (a Adam) check() error {
	switch {
	case !(a.Rate > 0 && a.Rate <= 1):
		return fmt.Errorf("learning rate %g is not in (0, 1]", a.Rate)
	case !(a.Beta1 >= 0 && a.Beta1 < 1):
		return fmt.Errorf("beta1 %g is not in [0, 1)", a.Beta1)
	case !(a.Beta2 >= 0 && a.Beta2 < 1):
		return fmt.Errorf("beta2 %g is not in [0, 1)", a.Beta2)
	case !(a.Epsilon > 0):
		return fmt.Errorf("epsilon %g is not above 0", a.Epsilon)
	}
	return nil
}
