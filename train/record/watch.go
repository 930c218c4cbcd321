package record

import (
	"fmt"
	"math"
	"strings"
)

// The bounds of a watch. They were set by GANs on MNIST and by one of points,
// measured every 25 to 100 steps of their first thousands: guo-mlp, its variant
// literal (whose generator has Adam's default rate), intro-mlp, michelucci-cgan,
// michelucci-dcgan, and 1000 points of a parabola.
const (
	// Nothing is said before as many steps and one epoch: until then a healthy
	// DCGAN's samples differ by 0.1 to 36% of what the data does, and
	// intro-mlp's discriminator is right on 98.5 to 100%.
	watchFrom = 600

	// Numbers of single steps are judged by their means over as many blocks of
	// as many steps.
	watchBlock  = 100
	watchBlocks = 4

	// A spread counts only if it stays below its bound over as many readings:
	// two of them may both meet a dip.
	watchReadings = 3

	// A discriminator that is right on so many, and whose mean D(x) lies so far
	// above its mean D(G(z)), tells the samples from the data. In means over the
	// blocks that end at step 700: literal 94% and 0.67 on the one seed of three on
	// which its samples go on to differ, 99.3% and 0.86 on the others. Healthy ones
	// at most, from there on: guo-mlp 83% and 0.43 in 3000 steps, michelucci-cgan 68%
	// and 0.13 in 4680, michelucci-dcgan 72% and 0.21 in 2350, intro-mlp 86% and 0.62
	// at once, then less for some thousands, until it is seen to have failed.
	apartAccuracy = 0.9
	apart         = 0.6
	// It has won where the distance of the second half of the blocks is at least
	// such a part of that of the first. Where a strong one is learned from, the
	// distance shrinks: in intro-mlp from 0.97 at step 200 to 0.6 at 500 and 0.2.
	apartStill = 0.97

	// A generator's gradient that falls to such a part of the largest, while the
	// discriminator tells the samples, is lost. Healthy ones keep 15% on MNIST; on
	// points they fall to 0.6%, but then because both are done, and D(x) is D(G(z)).
	lostGradient = 0.01
)

// collapse lists below which part of the data's spread, for how many steps, the
// samples are too much alike. Variant literal stays below 0.1 from step 700 on
// and has 0.001 at 1000. Healthy ones: guo-mlp 0.85 to 0.95 from step 500 on,
// intro-mlp 0.77 to 1.8; the DCGAN dips to 0.001 at step 400, but is never below
// 0.1 for more than 125 steps, and has 0.78 at 1000; points rest at 0.36 for up
// to 4000 steps, while their generator makes half of the parabola.
var collapse = [2]struct {
	part  float64
	steps int
}{{0.10, 200}, {0.25, 1000}}

// Watch judges the numbers of a run and says once, in a line, what goes wrong.
// Its fields are its state, which a checkpoint can keep as JSON, so that a
// resumed run goes on with it: set StepsPerEpoch and leave the others.
type Watch struct {
	StepsPerEpoch int `json:"steps_per_epoch"`

	Said    []string               `json:"said,omitempty"`
	Low     [len(collapse)]stretch `json:"low"`              // below the bounds of collapse
	Current block                  `json:"current"`          // that is being filled
	Blocks  []block                `json:"blocks,omitempty"` // the last ones, oldest first
	Peak    float64                `json:"peak"`             // the largest gradient
}

// stretch is a row of readings below a bound.
type stretch struct {
	Since    int `json:"since"` // step
	Readings int `json:"readings"`
}

// block sums the numbers of some steps.
type block struct {
	After    int `json:"after"` // the step before its first
	Accuracy sum `json:"accuracy"`
	Real     sum `json:"real"`
	Fake     sum `json:"fake"`
	Gradient sum `json:"gradient"`
}

// Numbers are those of a step that a watch goes by; NaN stands for one that was
// not measured.
type Numbers struct {
	Accuracy   float64 // the part that the discriminator is right on
	Real, Fake float64 // the means of D(x) and D(G(z))
	Gradient   float64 // the norm of the generator's gradient, in any unit
}

// Samples takes the spread of a batch of samples, always from the same noise,
// and that of as much of the data, as [Spread] gives them. Every 50 to 100 steps
// is often enough. It returns what has to be said, mostly nothing.
func (w *Watch) Samples(step int, spread, data float64) (warnings []string) {
	if !w.awake(step) || !(data > 0) {
		return nil
	}
	for i, bound := range collapse {
		low := &w.Low[i]
		if !(spread < bound.part*data) {
			*low = stretch{}
			continue
		}
		if low.Readings == 0 {
			low.Since = step
		}
		low.Readings++
		if low.Readings >= watchReadings && step-low.Since >= bound.steps {
			warnings = w.say(warnings, "mode collapse", fmt.Sprintf(
				"the samples differ by %.2g%% of what the data does (%.2g of %.2g), by less than %g%% since step %d",
				100*spread/data, spread, data, 100*bound.part, low.Since))
		}
	}
	return warnings
}

// Step takes the numbers of a step. It returns what has to be said, mostly nothing.
func (w *Watch) Step(step int, n Numbers) (warnings []string) {
	w.Current.Accuracy.add(n.Accuracy)
	w.Current.Real.add(n.Real)
	w.Current.Fake.add(n.Fake)
	w.Current.Gradient.add(n.Gradient)
	if n.Gradient > w.Peak && !math.IsInf(n.Gradient, 1) {
		w.Peak = n.Gradient
	}
	if step < w.Current.After+watchBlock {
		return nil
	}
	w.Blocks = append(w.Blocks[max(0, len(w.Blocks)+1-watchBlocks):], w.Current)
	w.Current = block{After: step}
	if len(w.Blocks) < watchBlocks || !w.awake(step) {
		return nil
	}

	right := average(w.Blocks, func(b block) sum { return b.Accuracy })
	real, fake := average(w.Blocks, block.real), average(w.Blocks, block.fake)
	if right < apartAccuracy || !(real-fake >= apart) { // some recipes measure no accuracy
		return nil
	}
	told := fmt.Sprintf("in steps %d to %d the discriminator told the samples from the data (D(x) %.2f, D(G(z)) %.2f",
		w.Blocks[0].After+1, step, real, fake)
	if !math.IsNaN(right) {
		told += fmt.Sprintf(", right on %.1f%%", 100*right)
	}
	half := watchBlocks / 2
	before, now := distance(w.Blocks[:half]), distance(w.Blocks[half:])
	if now >= apartStill*before {
		warnings = w.say(warnings, "no convergence", fmt.Sprintf("%s), by %.2f at first and %.2f at last", told, before, now))
	}
	if norm := average(w.Blocks, func(b block) sum { return b.Gradient }); norm < lostGradient*w.Peak {
		warnings = w.say(warnings, "vanishing gradients", fmt.Sprintf(
			"%s), and the generator's gradient was %.2g%% of its largest (%.2g of %.2g)", told, 100*norm/w.Peak, norm, w.Peak))
	}
	return warnings
}

func (b block) real() sum { return b.Real }
func (b block) fake() sum { return b.Fake }

// distance is how far D(x) lies above D(G(z)).
func distance(blocks []block) float64 {
	return average(blocks, block.real) - average(blocks, block.fake)
}

// awake reports whether samples and numbers mean something by then.
func (w *Watch) awake(step int) bool { return step > max(watchFrom, w.StepsPerEpoch) }

// say adds a warning unless one of its kind has been said.
func (w *Watch) say(warnings []string, kind, numbers string) []string {
	for _, said := range w.Said {
		if strings.HasPrefix(said, kind) {
			return warnings
		}
	}
	line := kind + ": " + numbers
	w.Said = append(w.Said, line)
	return append(warnings, line)
}

// average is the mean of a number over blocks, NaN where none has it.
func average(blocks []block, of func(block) sum) float64 {
	var all sum
	for _, b := range blocks {
		all.add(of(b).mean())
	}
	return all.mean()
}

// sum gathers a mean of finite values.
type sum struct {
	Total float64 `json:"total"`
	Count int     `json:"count"`
}

func (s *sum) add(v float64) {
	if !math.IsNaN(v) && !math.IsInf(v, 0) {
		s.Total, s.Count = s.Total+v, s.Count+1
	}
}

// mean is NaN where nothing was added.
func (s sum) mean() float64 { return s.Total / float64(s.Count) }
