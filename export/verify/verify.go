// Package verify runs an exported model on ONNX Runtime and holds it against
// the graph that it came from.
package verify

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/runtime"
)

// Tolerance is how far a value may lie from the reference, relative to the
// larger of 1 and the reference's largest magnitude: float32 rounding over sums
// of some thousand terms.
const Tolerance = 1e-5

// Case is one input with what the graph makes of it.
type Case struct {
	Inputs, Want map[string]*tensor.Dense
}

// Report says how far a model departs from its graph.
type Report struct {
	Cases     []Difference
	Load, Run time.Duration // what they took
}

// Difference is the largest departure of one output in one case.
type Difference struct {
	Output string
	Batch  int
	Max    float64 // relative to the larger of 1 and the reference's largest magnitude
}

// Largest is the largest difference of all.
func (r Report) Largest() float64 {
	largest := 0.0
	for _, d := range r.Cases {
		largest = math.Max(largest, d.Max)
	}
	return largest
}

// Model opens a serialised model and runs every case. It returns an error if an
// output is missing, has another shape, or departs by more than [Tolerance].
func Model(ctx context.Context, model []byte, o runtime.Options, cases ...Case) (Report, error) {
	var report Report
	start := time.Now()
	session, err := runtime.Load(ctx, model, o)
	if err != nil {
		return report, err
	}
	defer session.Close()
	report.Load = time.Since(start)
	for _, c := range cases {
		start := time.Now()
		got, err := session.Run(ctx, c.Inputs)
		if err != nil {
			return report, err
		}
		report.Run += time.Since(start)
		for name, want := range c.Want {
			have, ok := got[name]
			if !ok {
				return report, fmt.Errorf("verify: the model has no output %q", name)
			}
			max, err := Compare(have, want)
			if err != nil {
				return report, fmt.Errorf("verify: %s: %w", name, err)
			}
			report.Cases = append(report.Cases, Difference{name, want.Shape()[0], max})
			if !(max <= Tolerance) {
				return report, fmt.Errorf("verify: %s at batch %d departs from its graph by %.2g, more than %g allowed",
					name, want.Shape()[0], max, Tolerance)
			}
		}
	}
	return report, nil
}

// Compare returns the largest |have-want| divided by the larger of 1 and the
// largest |want|, or NaN if a value is not finite on either side.
func Compare(have, want *tensor.Dense) (float64, error) {
	// Not Shape.Eq, to which [5, 1] and [5] are equal.
	if !slices.Equal(have.Shape(), want.Shape()) {
		return 0, fmt.Errorf("has shape %v, want %v", have.Shape(), want.Shape())
	}
	a, okA := have.Data().([]float32)
	b, okB := want.Data().([]float32)
	if !okA || !okB {
		return 0, fmt.Errorf("holds %v against %v, want float32", have.Dtype(), want.Dtype())
	}
	largest, difference := 1.0, 0.0
	for i := range a {
		d := math.Abs(float64(a[i]) - float64(b[i]))
		if math.IsNaN(d) || math.IsInf(d, 0) {
			return math.NaN(), nil
		}
		difference = math.Max(difference, d)
		largest = math.Max(largest, math.Abs(float64(b[i])))
	}
	return difference / largest, nil
}
