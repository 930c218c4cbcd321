// Package bench measures how fast a GAN trains, where the time goes, and how
// far that is from what the machine can do.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/dataset"
)

// Options say what to measure.
type Options struct {
	GAN      arch.GAN // with its batch
	Train    train.Options
	Duration time.Duration // of the timed steps; three are made at least
}

// Report is what was measured. What could not be is nil, and Skipped says why.
type Report struct {
	GAN      string           `json:"gan"`
	Variant  string           `json:"variant,omitempty"`
	Batch    int              `json:"batch"`
	Engine   train.Engine     `json:"engine"`
	Provider runtime.Provider `json:"provider"`

	Steps     int        `json:"steps"` // that were timed
	StepMS    float64    `json:"step_ms"`
	Quartiles [2]float64 `json:"step_ms_quartiles"`
	Images    float64    `json:"images_per_s"` // real ones

	PeakMB    *float64 `json:"peak_mb"`      // 2^20 bytes, of the process, until the timed steps were done
	FirstStep *float64 `json:"first_step_s"` // from the start of the process to the end of the first step

	GEMM   float64 `json:"gemm_gflops"` // best rate of a matrix product, 10^9 floating-point operations a second
	Rate   float64 `json:"step_gflops"` // rate of a step: Work / StepMS
	Work   float64 `json:"step_gflop"`  // 10^9 operations of a step by direct convolution
	Method string  `json:"step_gflop_method"`

	Operators []Operator     `json:"operators"`
	Fallback  map[string]int `json:"fallback,omitempty"` // nodes, by operator, that the provider left to the CPU
	Skipped   []string       `json:"skipped,omitempty"`
	Note      string         `json:"note,omitempty"` // why the provider is not the first choice
}

// Operator is the part that the nodes of one operator have in a step.
type Operator struct {
	Op       string           `json:"op"`
	Provider runtime.Provider `json:"provider"`
	Count    int              `json:"count"` // nodes
	MS       float64          `json:"ms"`
	Share    float64          `json:"share"` // of the time in all nodes, from 0 to 1
}

const (
	leastSteps    = 3
	profiledSteps = 5
)

// Run trains a GAN on pictures of noise and measures it. It is meant to be all
// that its process does: peak memory and start belong to the process.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Train.Engine == "" {
		o.Train.Engine = train.ORT
	}
	r := &Report{
		GAN: o.GAN.Name, Variant: o.GAN.Variant, Batch: o.GAN.Recipe.Batch, Engine: o.Train.Engine,
		Method: "by direct convolution", Operators: []Operator{},
	}
	for _, part := range []func(context.Context, Options) error{r.steps, r.arithmetic, r.operators} {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
		if err := part(ctx, o); err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
	}
	return r, nil
}

// trainer trains a fresh model.
func (o Options) trainer() (*train.Trainer, error) {
	const seed = 1
	state, err := train.NewState(o.GAN, seed)
	if err != nil {
		return nil, err
	}
	model := &train.Model{GAN: o.GAN, State: state, Seed: seed, Dataset: "noise"}
	return train.NewTrainer(model, newNoise(o.GAN), o.Train)
}

// noise is examples of any shape.
type noise struct {
	*dataset.Images
	shape arch.Shape
}

// newNoise makes four batches: enough that one is gathered as in a run, too few
// to count as memory.
func newNoise(gan arch.GAN) noise {
	values := gan.Image.Size()
	pixels := make([]byte, 4*gan.Recipe.Batch*values)
	_, _ = rand.NewChaCha8([32]byte{}).Read(pixels) // never fails
	data := &dataset.Images{Name: "noise", Channels: values, Height: 1, Width: 1, Pixels: pixels}
	if gan.Classes > 0 {
		data.Labels = make([]byte, data.Len())
		for i := range data.Labels {
			data.Labels[i] = byte(i % min(gan.Classes, 256))
		}
	}
	return noise{data, gan.Image}
}

func (n noise) Shape() []int { return n.shape }

func (n noise) Scale(dst []float32, index []int, _, _ float64) { n.Images.Scale(dst, index, -1, 1) }

// steps times whole steps.
func (r *Report) steps(ctx context.Context, o Options) (err error) {
	t, err := o.trainer()
	if err != nil {
		return err
	}
	defer closing(t, &err)
	if _, err := t.Step(); err != nil {
		return err
	}
	r.FirstStep = r.known("first_step_s", processAge)
	var took []float64 // ms
	for start := time.Now(); len(took) < leastSteps || time.Since(start) < o.Duration; {
		if err := ctx.Err(); err != nil {
			return err
		}
		begin := time.Now()
		if _, err := t.Step(); err != nil {
			return err
		}
		took = append(took, milliseconds(time.Since(begin)))
	}
	r.PeakMB = r.known("peak_mb", peakMB)
	slices.Sort(took)
	r.Steps, r.StepMS = len(took), quantile(took, 0.5)
	r.Quartiles = [2]float64{quantile(took, 0.25), quantile(took, 0.75)}
	r.Images = float64(r.Batch) / r.StepMS * 1000
	return nil
}

// known takes a number that not every system tells.
func (r *Report) known(name string, ask func() (float64, error)) *float64 {
	v, err := ask()
	if err != nil {
		r.Skipped = append(r.Skipped, fmt.Sprintf("%s: skipped: %v", name, err))
		return nil
	}
	return &v
}

// arithmetic compares the work of a step with a matrix product.
func (r *Report) arithmetic(ctx context.Context, o Options) error {
	gemm, err := measureGEMM(ctx, o.Train.Runtime)
	if err != nil {
		return err
	}
	work, err := stepFLOPs(ctx, o)
	if err != nil {
		return err
	}
	r.Provider, r.Note, r.GEMM = gemm.provider, gemm.note, gemm.gflops
	r.Work = work / 1e9
	r.Rate = r.Work / r.StepMS * 1000
	return nil
}

// operators profiles a few steps of their own, since profiling slows them.
func (r *Report) operators(ctx context.Context, o Options) error {
	if o.Train.Engine == train.Tape {
		r.Skipped = append(r.Skipped, "operators: skipped: the tape engine has no profile")
		return nil
	}
	profile, err := profiled(func(folder string) error {
		o.Train.Runtime.Profile = folder
		return profiledRun(ctx, o)
	})
	if err != nil {
		return err
	}
	total := 0.0
	for _, op := range profile.Operators() {
		ms := milliseconds(op.Time)
		r.Operators = append(r.Operators, Operator{Op: op.Op, Provider: op.Provider, Count: op.Nodes, MS: ms})
		total += ms
	}
	for i := range r.Operators {
		r.Operators[i].Share = r.Operators[i].MS / max(total, 1e-3) // the profile's unit
	}
	r.Fallback = profile.Fallback(r.Provider)
	return nil
}

func profiledRun(ctx context.Context, o Options) (err error) {
	t, err := o.trainer()
	if err != nil {
		return err
	}
	defer closing(t, &err)
	for range profiledSteps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := t.Step(); err != nil {
			return err
		}
	}
	return nil
}

// profiled runs something that leaves profiles in a folder, and reads them.
func profiled(run func(folder string) error) (p runtime.Profile, err error) {
	folder, err := os.MkdirTemp("", "gantrain-profile-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	if err := run(folder); err != nil {
		return nil, err
	}
	return runtime.ReadProfile(folder)
}

func closing(c io.Closer, err *error) { *err = errors.Join(*err, c.Close()) }

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }

// quantile interpolates between sorted values.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
