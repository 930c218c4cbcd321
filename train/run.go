package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"

	"github.com/gantrain/gantrain/train/engine"
	"github.com/gantrain/gantrain/train/record"
)

// maxPoints bounds the points of a curve in TensorBoard, which itself shows some
// thousand.
const maxPoints = 10_000

// Run is a training run in a folder of its own:
//
//	run.json            what was asked, on what data, how far it came
//	generator.onnx      newest; discriminator.onnx beside it, and, where generator.onnx
//	                    has running averages for weights, generator-plain.onnx
//	checkpoints/        the newest two, and those that the recipe keeps
//	samples/            grids or scatter plots from fixed latent vectors; real.png from the data
//	losses.csv, losses.png
//	events.out.*        what losses.csv holds, and the samples, for TensorBoard
//
// and, when it has finished,
//
//	samples/samples.gif the samples in the course of training
//	histogram.png       of the discriminator's output on real and generated examples
//	report.html         all of it on a page
type Run struct {
	Folder string
	// OnStep, if not nil, is called after each step with its losses and the rest
	// of what LossNames names.
	OnStep func(step int, losses []float64)
	// OnWarning, if not nil, is called with a line when the run is seen to go
	// wrong, once for each way.
	OnWarning func(line string)
	Exported  []Exported // by the newest checkpoint
	// Notes say what its user may not expect of a run: that it has to do without
	// ONNX Runtime, or that it won't end as one that was never stopped.
	Notes []string

	options Options
	missing error // why ONNX Runtime does not load
	trainer *Trainer
	report  Report
	losses  *record.Losses
	events  *record.Events
	began   int       // step up to which all is recorded: -1 of a new run
	saved   time.Time // when the last checkpoint was written
	lock    *flock.Flock
}

// Exported is a model that a run has written.
type Exported struct {
	Path    string
	Largest float64 // difference from the graph that it came from
}

// NewRun starts a run in a new or empty folder: it writes down what was asked,
// the first checkpoint, and the untrained models, so that nothing that could
// keep the trained ones from being exported shows only hours later. goal is
// the number of steps, source the path of the data, empty for the data set of
// that name.
func NewRun(ctx context.Context, folder string, m *Model, data Examples, goal int, source string, o Options) (*Run, error) {
	o, missing := o.Choose(ctx)
	t, err := NewTrainer(m, data, o)
	if err != nil {
		return nil, err
	}
	r := &Run{Folder: folder, options: o, missing: missing, trainer: t, report: newReport(m, data, goal, source, o.Engine), began: -1}
	m.Watch.StepsPerEpoch = t.StepsPerEpoch()
	for _, name := range runFiles {
		if _, err := os.Lstat(r.Path(name)); err == nil {
			return nil, fmt.Errorf("train: %s is in the way: a run needs a folder without one", r.Path(name))
		}
	}
	if err := r.prepare(ctx); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	if err := r.start(ctx); err != nil {
		return nil, errors.Join(err, t.Close(), r.unlock(), removeRun(folder)) // nothing of use lies there
	}
	return r, nil
}

// prepare compiles the first step and notes what computes it.
func (r *Run) prepare(ctx context.Context) error {
	switch {
	case r.missing != nil && ctx.Err() != nil:
		return r.missing
	case r.missing != nil && r.options.Engine == ORT:
		return fmt.Errorf("%w; --engine auto trains without it", r.missing)
	}
	if p := r.options.Runtime.Provider; p != "" && r.options.Engine == Tape && r.missing == nil {
		return fmt.Errorf("train: provider %s: engine tape has no providers", p)
	}
	if err := r.trainer.fits(); err != nil {
		return err
	}
	if err := r.trainer.prepare(ctx); err != nil {
		return err
	}
	provider, note := engine.Provider(r.trainer.current.Program)
	if note != "" {
		r.Notes = append(r.Notes, note+"; steps run on the CPU")
	}
	// Auto chooses once, also for the steps of another batch size.
	r.report.Provider, r.trainer.o.Runtime.Provider = provider, provider
	began := r.report.Versions.Compute
	r.report.Versions = versions(r.report.Engine, provider)
	if now := r.report.Versions.Compute; began != "" && began != now {
		r.Notes = append(r.Notes, fmt.Sprintf("the run began on %s and goes on with %s: rounding will differ", began, now))
	}
	if none := unseen(r.Model().GAN, r.trainer.data); len(none) > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("%s has no examples of %d of %d classes, the first of them class %d: nothing real is seen of those",
			r.report.Data.Name, len(none), r.Model().GAN.Classes, none[0]))
	}
	r.report.NotExported = ""
	if r.missing != nil {
		r.report.NotExported = r.missing.Error()
		r.Notes = append(r.Notes, "ONNX Runtime can't be loaded, so steps run on the tape engine and no models are exported: "+r.missing.Error())
	}
	return nil
}

// start writes what a run begins with.
func (r *Run) start(ctx context.Context) error {
	if err := os.MkdirAll(r.Folder, 0o755); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if err := r.report.write(r.Folder); err != nil {
		return err
	}
	for _, sub := range []string{"checkpoints", "samples"} {
		if err := os.Mkdir(r.Path(sub), 0o755); err != nil {
			return fmt.Errorf("train: %w", err)
		}
	}
	var err error
	if r.lock, err = lock(r.Folder); err != nil {
		return err
	}
	if r.losses, err = record.Create(r.Path("losses.csv"), r.LossNames()); err != nil {
		return err
	}
	if r.events, err = record.CreateEvents(r.Path(record.EventsFile)); err != nil {
		return errors.Join(err, r.losses.Close())
	}
	if err := r.begin(ctx); err != nil {
		return errors.Join(err, r.losses.Close(), r.events.Close())
	}
	return nil
}

// begin draws the data, and the first samples where they are due, and saves.
func (r *Run) begin(ctx context.Context) error {
	if err := r.draw(r.Path("samples", "real.png"), nil); err != nil {
		return err
	}
	if r.sampled(0) {
		if err := r.sample(); err != nil {
			return err
		}
	}
	return r.save(ctx)
}

// OpenRun goes on with a run from its newest checkpoint, on the data that
// [Report] says it was trained on; source is the path of it, as for NewRun. Without
// another one in the options it stays on its engine and provider, since others
// round otherwise.
func OpenRun(ctx context.Context, folder string, data Examples, source string, o Options) (*Run, error) {
	report, err := ReadReport(folder)
	if err != nil {
		return nil, err
	}
	r := &Run{Folder: folder, report: report, saved: time.Now()}
	if r.lock, err = lock(folder); err != nil {
		return nil, err
	}
	r.report.Data.Path = source
	if err := r.open(ctx, data, o); err != nil {
		return nil, errors.Join(err, r.lock.Close())
	}
	return r, nil
}

func (r *Run) open(ctx context.Context, data Examples, o Options) error {
	m, err := LatestModel(r.Folder)
	if err != nil {
		return err
	}
	if err := r.report.check(m, data); err != nil {
		return fmt.Errorf("train: %s: %w", r.Folder, err)
	}
	if o.Engine == "" || o.Engine == Auto && r.report.Engine == Tape {
		o.Engine = r.report.Engine
	}
	r.options, r.missing = o.Choose(ctx)
	r.report.Engine = r.options.Engine
	if r.options.Runtime.Provider == "" && r.options.Engine == ORT { // the tape has none
		r.options.Runtime.Provider = r.report.Provider
	}
	if r.trainer, err = NewTrainer(m, data, r.options); err != nil {
		return err
	}
	r.report.Status, r.report.Step, r.began = Running, m.Step, m.Step
	if err := r.reopen(ctx); err != nil {
		return errors.Join(err, r.trainer.Close())
	}
	return nil
}

// reopen takes up what the run has left behind.
func (r *Run) reopen(ctx context.Context) error {
	if err := r.prepare(ctx); err != nil {
		return err
	}
	if err := record.Truncate(r.Path("losses.csv"), r.Model().Step); err != nil {
		return err
	}
	var err error
	if r.losses, err = record.Open(r.Path("losses.csv")); err != nil {
		return err
	}
	if err := r.follows(); err != nil {
		return errors.Join(err, r.losses.Close())
	}
	if err := record.TruncateEvents(r.Path(record.EventsFile), r.Model().Step); err != nil {
		return errors.Join(err, r.losses.Close())
	}
	if r.events, err = record.OpenEvents(r.Path(record.EventsFile)); err != nil {
		return errors.Join(err, r.losses.Close())
	}
	return nil
}

// follows holds the table of losses against the steps to come.
func (r *Run) follows() error {
	if recorded := max(0, r.losses.Last()); recorded != r.Model().Step {
		return fmt.Errorf("train: %s: it ends at step %d, the newest checkpoint is of step %d: want the table as the run left it",
			r.Path("losses.csv"), recorded, r.Model().Step)
	}
	if columns := r.losses.Columns(); !slices.Equal(columns, r.LossNames()) {
		return fmt.Errorf("train: %s: its columns are %v, a step gives %v: the run was begun by another version, which can go on with it; this one can export it",
			r.Path("losses.csv"), columns, r.LossNames())
	}
	return nil
}

// LatestModel reads the newest checkpoint of a run.
func LatestModel(folder string) (*Model, error) {
	checkpoints, err := Checkpoints(folder)
	if err != nil {
		return nil, err
	}
	newest := len(checkpoints) - 1
	m, err := LoadModel(checkpoints[newest])
	if err != nil && newest > 0 {
		err = fmt.Errorf("%w; before it was %s, from which 'gantrain resume --previous' goes on", err, checkpoints[newest-1])
	}
	return m, err
}

// SkipDamaged renames the newest checkpoint of a run if it can't be read, so that
// the one before it is the newest, and returns its new name. Where the newest can
// be read, or is the only one, nothing is done.
func SkipDamaged(folder string) (damaged string, err error) {
	l, err := lock(folder)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	checkpoints, err := Checkpoints(folder)
	if err != nil || len(checkpoints) < 2 {
		return "", err
	}
	newest := checkpoints[len(checkpoints)-1]
	if _, err := LoadModel(newest); err == nil {
		return "", nil
	}
	damaged = newest + ".damaged"
	if err := os.Rename(newest, damaged); err != nil {
		return "", fmt.Errorf("train: %w", err)
	}
	return damaged, nil
}

// Path is a file in the run's folder.
func (r *Run) Path(parts ...string) string {
	return filepath.Join(append([]string{r.Folder}, parts...)...)
}

// LastSamples is the picture of samples that belongs to the last step, empty
// where samples are neither pictures nor points of the plane.
func (r *Run) LastSamples() string {
	if !drawn(r.Model().GAN.Image) {
		return ""
	}
	return r.Path(samplesName(r.Model().Step))
}

// samplesName is a step's picture of samples in the folder of a run. Names sort by
// step.
func samplesName(step int) string { return fmt.Sprintf("samples/step-%09d.png", step) }

// Engine is what the run trains on.
func (r *Run) Engine() Engine { return r.report.Engine }

// NotExported says why the run exports no models; it is mostly empty.
func (r *Run) NotExported() string { return r.report.NotExported }

// Model is the run's model. Its state is that of the newest checkpoint or
// later.
func (r *Run) Model() *Model { return r.trainer.Model }

// LossNames names what is recorded of a step: the columns of losses.csv.
func (r *Run) LossNames() []string { return r.trainer.Columns() }

// Goal is the step at which the run ends.
func (r *Run) Goal() int { return r.report.Goal }

// StepsPerEpoch is the number of steps that make an epoch.
func (r *Run) StepsPerEpoch() int { return r.trainer.StepsPerEpoch() }

// Train trains to the run's goal. When ctx is cancelled it finishes the step,
// saves, exports and returns the context's error. When the losses diverge, the
// last good checkpoint stays the newest.
func (r *Run) Train(ctx context.Context) error {
	if err := r.report.write(r.Folder); err != nil { // it runs, on what it was opened with
		return r.failed(err)
	}
	m := r.Model()
	for m.Step < r.report.Goal && ctx.Err() == nil {
		losses, err := r.trainer.Step()
		if err != nil {
			return r.failed(err)
		}
		if err := r.record(losses); err != nil {
			return r.failed(err)
		}
		updates := slices.Clone(losses[:len(m.GAN.Recipe.Updates)])
		r.report.Losses = slices.DeleteFunc(updates, math.IsNaN) // JSON has none
		if r.OnStep != nil {
			r.OnStep(m.Step, losses)
		}
		if err := r.keep(ctx); err != nil {
			return r.failed(err)
		}
	}
	return r.finish(ctx)
}

// record keeps the numbers of a step.
func (r *Run) record(values []float64) error {
	step := r.Model().Step
	if err := r.losses.Append(step, values...); err != nil {
		return err
	}
	if err := r.watch(values); err != nil {
		return err
	}
	if err := r.watchSpread(); err != nil {
		return err
	}
	if step%(1+r.report.Goal/maxPoints) != 0 {
		return nil
	}
	for i, name := range r.LossNames() {
		if math.IsNaN(values[i]) { // not computed in this step
			continue
		}
		if err := r.events.Scalar(step, name, values[i]); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the use of the run.
func (r *Run) Close() error {
	return errors.Join(r.losses.Close(), r.events.Close(), r.trainer.Close(), r.unlock())
}

func (r *Run) unlock() error {
	if r.lock == nil { // it could not start
		return nil
	}
	return r.lock.Close()
}
