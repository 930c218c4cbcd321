package train

import (
	"math"
	"slices"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/record"
)

// watch judges the numbers of a step. In phases one network wins for a time,
// because it is trained alone.
func (r *Run) watch(values []float64) error {
	if len(r.Model().GAN.Recipe.Phases) > 0 {
		return nil
	}
	names := r.LossNames()
	number := func(name string) float64 {
		if i := slices.Index(names, name); i >= 0 {
			return values[i]
		}
		return math.NaN()
	}
	m := r.Model()
	n := record.Numbers{Accuracy: number("d_accuracy"), Real: number("d_real"), Fake: number("d_fake"), Gradient: math.NaN()}
	if m.Step == 1 || m.Step%watchEvery == 0 { // the first are the largest where they vanish
		var err error
		if n.Gradient, err = r.trainer.gradient(); err != nil {
			return err
		}
	}
	r.warn(m.Watch.Step(m.Step, n))
	return nil
}

// gradient is the norm of the generator's gradient as Adam's first moments have it,
// a mean over the last steps.
func (t *Trainer) gradient() (float64, error) {
	if err := t.Store(); err != nil {
		return 0, err
	}
	sum := 0.0
	err := eachParameter(t.Model.GAN, func(role arch.Role, name string, param arch.Param) {
		if role != arch.Generator || param.Statistics {
			return
		}
		m, _ := momentNames(name)
		for _, v := range floats(t.Model.State[m]) {
			sum += float64(v) * float64(v)
		}
	})
	return math.Sqrt(sum), err
}

const (
	// Collapse may come and be seen within two epochs of some hundred steps.
	watchEvery = 100 // steps
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
