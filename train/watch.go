package train

import (
	"math"
	"slices"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/train/record"
)

// watch judges the numbers of a step.
func (r *Run) watch(values []float64) {
	names := r.LossNames()
	number := func(name string) float64 {
		if i := slices.Index(names, name); i >= 0 {
			return values[i]
		}
		return math.NaN()
	}
	m := r.Model()
	r.warn(m.Watch.Step(m.Step, number("d_accuracy"), number("g_loss"), math.NaN())) // gradients are not measured
}

const (
	// Collapse may come and be seen within two epochs of some hundred steps.
	watchEvery = 50 // steps
	// Few pictures, since they are made on the tape: as many as the smallest grid
	// of the published GANs has, by which the bounds were set.
	watchedPictures = 16
)

// watchSpread judges by how much samples differ, beside as much of the data. It
// has a schedule of its own: a grid may be due once in thousands of steps.
func (r *Run) watchSpread() error {
	m := r.Model()
	if m.Step%watchEvery != 0 {
		return nil
	}
	n := m.GAN.Grid.Rows * m.GAN.Grid.Columns
	if m.GAN.Image.Picture() {
		n = min(n, watchedPictures)
	}
	samples, err := r.trainer.watched(n)
	if err != nil {
		return err
	}
	return r.watchSamples(samples)
}

func (r *Run) watchSamples(samples *tensor.Dense) error {
	spread, err := record.Spread(samples)
	if err != nil {
		return err
	}
	data, err := record.Spread(r.trainer.spaced(samples.Shape()[0]))
	if err != nil {
		return err
	}
	m := r.Model()
	r.warn(m.Watch.Samples(m.Step, spread, data))
	return nil
}

func (r *Run) warn(lines []string) {
	for _, line := range lines {
		if r.OnWarning != nil {
			r.OnWarning(line)
		}
	}
}
