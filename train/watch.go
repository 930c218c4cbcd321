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

// watchSamples judges by how much samples differ, beside as much of the data.
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
