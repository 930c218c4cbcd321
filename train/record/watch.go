package record

import (
	"fmt"
	"math"
	"strings"
)

// The bounds of a watch. They were set by GANs on MNIST and by one of points,
// measured every 25 to 100 steps of their first thousands: guo-mlp, its variant
// literal (whose generator has Adam's default rate), intro-mlp,
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

	// A discriminator that is right on so many, against a generator whose loss
	// is so high and rises, has won. Variant literal has 99.5% and 5 to 13 from
	// step 100 on with two seeds of three; with the third, which does not
	// collapse, 99.5% and 3.5 at worst; intro-mlp 98.5% and 2.3, guo-mlp 94%
	// and 2.4, points 85% and 1.1.
	wonAccuracy = 0.99
	wonLoss     = 4.0
	wonRise     = 1.05 // from the first half of the blocks to the second

	// A generator's gradient that falls to such a part of the largest, while
	// the discriminator is right on so many, is lost. Healthy ones keep 15% on
	// MNIST; on points they fall to 0.6%, but then because both are done, with
	// a discriminator right on half.
	lostGradient = 0.01
	lostAccuracy = 0.95
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
	Peak    float64                `json:"peak"`             // largest mean norm of a block
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
	Loss     sum `json:"loss"`
	Norm     sum `json:"norm"`
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

// Step takes numbers of a step: the part that the discriminator was right on,
// the generator's loss, and the norm of the generator's gradient; NaN stands for
// one that was not measured. It returns what has to be said, mostly nothing.
func (w *Watch) Step(step int, accuracy, loss, norm float64) (warnings []string) {
	w.Current.Accuracy.add(accuracy)
	w.Current.Loss.add(loss)
	w.Current.Norm.add(norm)
	if step < w.Current.After+watchBlock {
		return nil
	}
	if m := w.Current.Norm.mean(); m > w.Peak {
		w.Peak = m
	}
	w.Blocks = append(w.Blocks[max(0, len(w.Blocks)+1-watchBlocks):], w.Current)
	w.Current = block{After: step}
	if len(w.Blocks) < watchBlocks || !w.awake(step) {
		return nil
	}

	all, half := w.Blocks, watchBlocks/2
	after := all[0].After
	right := average(all, func(b block) sum { return b.Accuracy })
	lossOf := func(b block) sum { return b.Loss }
	before, now := average(all[:half], lossOf), average(all[half:], lossOf)
	if right >= wonAccuracy && before+now >= 2*wonLoss && now >= wonRise*before {
		warnings = w.say(warnings, "no convergence", fmt.Sprintf(
			"in steps %d to %d the discriminator was right on %.1f%%, and the generator's loss rose from %.2g to %.2g",
			after+1, step, 100*right, before, now))
	}
	norm = average(all, func(b block) sum { return b.Norm })
	if right >= lostAccuracy && norm < lostGradient*w.Peak {
		warnings = w.say(warnings, "vanishing gradients", fmt.Sprintf(
			"in steps %d to %d the generator's gradient was %.2g%% of its largest (%.2g of %.2g), and the discriminator right on %.1f%%",
			after+1, step, 100*norm/w.Peak, norm, w.Peak, 100*right))
	}
	return warnings
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
