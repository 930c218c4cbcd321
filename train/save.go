package train

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/record"
)

// saveEvery is the longest time of work that a crash can cost.
const saveEvery = 5 * time.Minute

// restBetween keeps short epochs from being spent on checkpoints.
const restBetween = 30 * time.Second

// keep writes what is due after a step.
func (r *Run) keep(ctx context.Context) error {
	m := r.Model()
	if m.Step == r.report.Goal { // finish does
		return nil
	}
	sampled := r.sampled(m.Step)
	if sampled {
		if err := r.sample(); err != nil {
			return err
		}
	}
	// Samples between the ends of epochs are too many to save at each.
	due := sampled && m.GAN.Grid.Steps == 0
	rested := m.Step%r.StepsPerEpoch() == 0 && time.Since(r.saved) > restBetween
	if due || rested || time.Since(r.saved) > saveEvery {
		return r.save(ctx)
	}
	return nil
}

// sampled reports whether the recipe wants a grid at a step.
func (r *Run) sampled(step int) bool { return r.Model().GAN.Grid.Due(step, r.StepsPerEpoch()) }

// settle brings the model's state up to date and refuses one that has diverged.
func (r *Run) settle() error {
	if err := r.trainer.Store(); err != nil {
		return err
	}
	if m := r.Model(); !m.finite() {
		return &Diverged{Step: m.Step}
	}
	return nil
}

// sample keeps a grid of what the generator makes by now.
func (r *Run) sample() error {
	if err := r.settle(); err != nil {
		return err
	}
	images, err := r.trainer.Samples()
	if err != nil {
		return err
	}
	path, step := r.LastSamples(), r.Model().Step
	if err := r.draw(path, images); err != nil {
		return err
	}
	if step <= r.began {
		return nil
	}
	if path == "" {
		return nil
	}
	return r.events.Picture(step, "samples", path)
}

// draw writes what the generator makes as a grid of pictures, or over the data as
// a scatter plot of points, where it makes either; nil draws the data alone.
func (r *Run) draw(path string, generated *tensor.Dense) error {
	gan := r.Model().GAN
	switch {
	case !drawn(gan.Image):
		return nil
	case !gan.Image.Picture():
		return record.Scatter(path, gan.Name, pairs(r.trainer.spaced(gan.Grid.Rows*gan.Grid.Columns)), pairs(generated))
	case generated == nil:
		generated = r.trainer.spaced(min(gan.Grid.Rows*gan.Grid.Columns, r.trainer.data.Len()))
	}
	return record.Grid(path, inner(generated, gan.Grid.Border), gan.Grid.Columns, gan.Min, gan.Max, gan.Grid.Inverted)
}

// drawn reports whether there are pictures of examples: of pictures, and of
// points of the plane.
func drawn(example arch.Shape) bool {
	return example.Picture() || slices.Equal(example, arch.Shape{2})
}

// pairs are the points of a batch [N, 2].
func pairs(points *tensor.Dense) (out [][2]float64) {
	if points == nil {
		return nil
	}
	for p := range slices.Chunk(floats(points), 2) {
		out = append(out, [2]float64{float64(p[0]), float64(p[1])})
	}
	return out
}

// inner leaves out some pixels at each edge of pictures [N, C, H, W].
func inner(pictures *tensor.Dense, border int) *tensor.Dense {
	if border == 0 {
		return pictures
	}
	s := pictures.Shape()
	h, w := s[2]-2*border, s[3]-2*border
	out := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(s[0], s[1], h, w))
	for row := range s[0] * s[1] * h {
		plane, y := row/h, row%h
		copy(floats(out)[row*w:(row+1)*w], floats(pictures)[(plane*s[2]+border+y)*s[3]+border:])
	}
	return out
}

// save writes a checkpoint, the models, the plot and the report, of a finished run
// also what it is looked at by, and removes checkpoints that are no longer wanted.
func (r *Run) save(ctx context.Context) error {
	m := r.Model()
	if err := r.settle(); err != nil {
		return err
	}
	if err := errors.Join(r.losses.Sync(), r.events.Sync()); err != nil {
		return err
	}
	if err := m.Save(r.Path("checkpoints", checkpointName(m.Step))); err != nil {
		return err
	}
	r.saved = time.Now()
	r.report.Step = m.Step
	if err := r.prune(); err != nil {
		return err
	}
	if err := r.export(ctx); err != nil {
		return err
	}
	if m.Step > 0 {
		if err := record.PlotLosses(r.Path("losses.csv"), r.Path("losses.png"), m.GAN.Name); err != nil {
			return err
		}
	}
	if m.Step > 0 && r.report.Status == Finished { // before run.json says so
		if err := r.conclude(); err != nil {
			return err
		}
	}
	return r.report.write(r.Folder)
}

func (r *Run) prune() error {
	checkpoints, err := Checkpoints(r.Folder)
	if err != nil {
		return err
	}
	for _, path := range checkpoints[:max(len(checkpoints)-2, 0)] {
		var step int
		name := filepath.Base(path)
		if _, err := fmt.Sscanf(name, "step-%d.safetensors", &step); err != nil {
			continue // not one that a run has written
		}
		if r.Model().GAN.Grid.Keep && r.sampled(step) {
			continue
		}
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("train: %w", err)
		}
	}
	return nil
}

func (r *Run) export(ctx context.Context) error {
	if r.report.NotExported != "" {
		return nil
	}
	// It is the file that is compared, which a GPU would round otherwise.
	o := r.options.Runtime
	o.Provider = runtime.CPU
	r.Exported = nil
	write := func(name string, m Model, role arch.Role) error {
		// An interrupted run exports all the same.
		report, err := m.Export(context.WithoutCancel(ctx), role, r.Path(name), ExportOptions{Runtime: o})
		r.Exported = append(r.Exported, Exported{r.Path(name), report.Largest})
		return err
	}
	m := *r.Model()
	if err := write("generator.onnx", m, arch.Generator); err != nil {
		return err
	}
	if m.averaged() {
		plain := m
		plain.Plain = true
		if err := write("generator-plain.onnx", plain, arch.Generator); err != nil {
			return err
		}
	}
	return write("discriminator.onnx", m, arch.Discriminator)
}

// finish ends the run for now.
func (r *Run) finish(ctx context.Context) error {
	m := r.Model()
	r.report.Status = Interrupted
	if m.Step >= r.report.Goal {
		r.report.Status = Finished
	}
	if r.report.Status == Finished && m.Step > 0 {
		if err := r.sample(); err != nil {
			return r.failed(err)
		}
	}
	if err := r.save(ctx); err != nil {
		return r.failed(err)
	}
	if r.report.Status == Interrupted {
		return ctx.Err()
	}
	return nil
}

// failed notes that the run broke off and adds where it can go on from. That is
// the checkpoint that was read or written last, whole: a failed run may be
// unable to look at its folder, or be short of the memory to read a file.
func (r *Run) failed(err error) error {
	r.report.Status = Failed
	_ = r.losses.Sync()          // err is the one to tell
	_ = r.events.Sync()          // likewise
	_ = r.report.write(r.Folder) // likewise
	return fmt.Errorf("%w; the last good checkpoint is %s (step %d)",
		err, r.Path("checkpoints", checkpointName(r.report.Step)), r.report.Step)
}
