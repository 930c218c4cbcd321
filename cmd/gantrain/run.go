package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"github.com/gantrain/gantrain/cmd/internal/command"
	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/dataset"
	"github.com/gantrain/gantrain/train/engine"
)

// trainOptions is what a command line asks a run to be.
type trainOptions struct {
	gan arch.GAN
	// arguments are the flags that change numbers, where they differ from the
	// published recipe.
	arguments string
	seed      uint64
	from      *train.Model // whose weights it begins with; nil for drawn ones
	source    string       // the path of one's own data; empty for a published data set
	out       string
	force     bool
	train     train.Options

	stdout, stderr io.Writer
}

// startRun makes a run folder and trains in it.
func startRun(ctx context.Context, o trainOptions, data dataset.Set) error {
	goal, err := goal(o.gan, data.Len())
	if err != nil {
		return err
	}
	state, err := startState(o)
	if err != nil {
		return err
	}
	name, licence := data.About()
	model := &train.Model{
		GAN: o.gan, State: state, Seed: o.seed,
		Dataset: name, Licence: licence, Arguments: o.arguments,
	}
	if images, ok := data.(*dataset.Images); ok && o.gan.Discriminator.Conditional() { // else no label is learnt
		model.ClassNames = images.Classes
	}
	if err := train.Recover(o.out); err != nil {
		return err
	}
	if _, err := train.ReadReport(o.out); err == nil && !o.force {
		if _, err := train.Checkpoints(o.out); err != nil {
			return fmt.Errorf("%s holds a run that did not come to its first checkpoint: --force replaces it", o.out)
		}
		return fmt.Errorf("%s holds a run: 'gantrain resume %s' goes on with it, --force replaces it", o.out, o.out)
	}
	created, err := command.NewFolder(o.out, o.force)
	if err != nil {
		return err
	}
	discard, restore, err := train.SetAside(o.out)
	if err != nil {
		return err
	}
	run, err := train.NewRun(ctx, o.out, model, data, goal, o.source, o.train)
	if err != nil {
		err = errors.Join(err, restore())
		if created { // and is empty again
			err = errors.Join(err, os.Remove(o.out))
		}
		return err
	}
	if err := discard(); err != nil {
		return errors.Join(err, run.Close())
	}
	fmt.Fprintln(o.stdout, data)
	return trainRun(ctx, run, o.stdout, o.stderr)
}

// startState is what training begins with.
func startState(o trainOptions) (engine.State, error) {
	if o.from == nil {
		return train.NewState(o.gan, o.seed)
	}
	state, err := train.StateFrom(o.gan, o.seed, o.from)
	if err != nil {
		return nil, fmt.Errorf("--from: %w", err)
	}
	return state, nil
}

// trainRun trains a run to its end, or to Ctrl-C, and says what came of it.
func trainRun(ctx context.Context, run *train.Run, stdout, stderr io.Writer) error {
	m := run.Model()
	fmt.Fprintf(stdout, "training %s on %s: steps %d to %d, %d an epoch, seed %d, engine %s, into %s\n",
		m.GAN.Name, m.Dataset, m.Step+1, run.Goal(), run.StepsPerEpoch(), m.Seed, run.Engine(), run.Folder)
	for _, note := range run.Notes {
		fmt.Fprintln(stderr, "gantrain:", note)
	}
	progress := command.NewProgress(stderr, m.Step, run.Goal(), "steps")
	names := run.LossNames()
	run.OnStep = func(step int, values []float64) {
		var words []string
		for i, name := range names {
			computed := !math.IsNaN(values[i]) // in phases, one network's alone
			if computed && (i < len(m.GAN.Recipe.Updates) || name == "d_accuracy") {
				words = append(words, fmt.Sprintf("%s %.3f", name, values[i]))
			}
		}
		text := strings.Join(words, " ")
		progress.Note(text)
		progress.Set(step)
		if every := m.GAN.Grid.Print; every > 0 && step%every == 0 {
			progress.Close() // until it is set again
			fmt.Fprintf(stdout, "step %d: %s\n", step, text)
		}
	}
	run.OnWarning = func(line string) {
		progress.Close() // until it is set again
		fmt.Fprintf(stderr, "gantrain: step %d: %s\n", m.Step, line)
	}
	first, start := m.Step, time.Now()
	err := run.Train(ctx)
	progress.Close()
	err = errors.Join(err, run.Close())
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		saved := "saved and exported"
		if run.NotExported() != "" {
			saved = "saved"
		}
		return fmt.Errorf("step %d of %d is %s; go on with 'gantrain resume %s': %w",
			m.Step, run.Goal(), saved, run.Folder, ctx.Err())
	}
	if err != nil {
		return goOn(err, run.Folder)
	}
	done, took := m.Step-first, time.Since(start)
	fmt.Fprintf(stdout, "trained for %d steps in %v, %.3g steps/s\n", done, took.Round(time.Second), float64(done)/took.Seconds())
	if why := run.NotExported(); why != "" {
		if samples := run.LastSamples(); samples != "" {
			fmt.Fprintf(stdout, "%s: the last samples\n", samples)
		}
		fmt.Fprintf(stdout, "%s: saved but not exported; with ONNX Runtime, 'gantrain export %s' makes the models: %s\n", run.Folder, run.Folder, why)
		return nil
	}
	for _, e := range run.Exported {
		fmt.Fprintf(stdout, "%s: on ONNX Runtime within %.1e of its graph\n", e.Path, e.Largest)
	}
	switch samples := run.LastSamples(); {
	case m.GAN.Image.Picture():
		fmt.Fprintf(stdout, "%s: the last samples; make more with 'ganinfer generate %s -n 64 --out pictures'\n",
			samples, run.Path("generator.onnx"))
	case samples != "":
		fmt.Fprintf(stdout, "%s: the last samples\n", samples)
	}
	return nil
}

// goOn adds to the error of a run what can be done after it.
func goOn(err error, folder string) error {
	if _, diverged := errors.AsType[*train.Diverged](err); diverged {
		return err // and would again
	}
	if errors.Is(err, runtime.ErrOutOfMemory) {
		return fmt.Errorf("%w; free memory and go on with 'gantrain resume %s', or begin again with a smaller --batch", err, folder)
	}
	return fmt.Errorf("%w; go on with 'gantrain resume %s'", err, folder)
}
