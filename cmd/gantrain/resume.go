package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/gantrain/gantrain/cmd/internal/command"
	"github.com/gantrain/gantrain/train"
)

func newResume() *cli.Command {
	return &cli.Command{
		Name:      "resume",
		Usage:     "go on with a run that was stopped",
		ArgsUsage: "RUN",
		Description: "The run goes on from its newest checkpoint and ends as if it had never been stopped. Example:\n\n" +
			"gantrain resume runs/digits",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "previous", Usage: "go on from the checkpoint before the newest, if that one is damaged", DisableDefaultText: true},
			&cli.StringFlag{Name: "data", Usage: "find the run's data at `PATH`, where it has moved", DefaultText: "where it was"},
			&cli.StringFlag{Name: "engine", Usage: engineUsage, DefaultText: "the run's own"},
			providerFlag("the run's own"),
			libraryFlag,
		},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return command.Usage(c, "want one run folder, got %d arguments", c.NArg())
			}
			engine, err := engineOf(c, trainEngines...)
			if err != nil {
				return err
			}
			o := train.Options{Engine: engine, Runtime: libraryOptions(c)}
			if o.Runtime.Provider, err = providerOf(c); err != nil {
				return err
			}
			if err := train.Recover(c.Args().First()); err != nil {
				return err
			}
			if c.Bool("previous") {
				damaged, err := train.SkipDamaged(c.Args().First())
				if err != nil {
					return err
				}
				if damaged != "" {
					fmt.Fprintf(c.App.ErrWriter, "gantrain: the newest checkpoint is damaged and now called %s\n", damaged)
				}
			}
			return resume(c.Context, c.Args().First(), c.String("data"), o, c.App.Writer, c.App.ErrWriter)
		},
	}
}

// resume goes on with a run, on data at a path or, where that is empty, where the
// run's was.
func resume(ctx context.Context, folder, path string, o train.Options, stdout, stderr io.Writer) error {
	report, err := train.ReadReport(folder)
	if err != nil {
		return err
	}
	if _, err := train.Checkpoints(folder); err != nil {
		return fmt.Errorf("%w: it did not come to its first; with --force, the command that began it begins again", err)
	}
	model, err := train.LatestModel(folder)
	if err != nil {
		return err
	}
	if report.Status == train.Finished && model.Step >= report.Goal { // not if its last checkpoint was skipped
		fmt.Fprintf(stdout, "%s has finished its %d steps\n", folder, report.Goal)
		return nil
	}
	if path != "" {
		if path, err = filepath.Abs(path); err != nil {
			return err
		}
	}
	s, at := sourceOf(report.Data.Name), cmp.Or(path, report.Data.Path)
	if s == nil && at == "" {
		return fmt.Errorf("%s: run.json says neither where its data is nor a data set that is known: it names %q", folder, report.Data.Name)
	}
	data, err := openData(ctx, s, at, model.GAN, report.Seed)
	if path == "" && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: if it has moved, say where by --data", err)
	}
	if err != nil {
		return err
	}
	run, err := train.OpenRun(ctx, folder, data, at, o)
	if err != nil {
		return err
	}
	return trainRun(ctx, run, stdout, stderr)
}
