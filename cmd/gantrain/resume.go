package main

import (
	"context"
	"fmt"
	"io"

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
			if c.Bool("previous") {
				damaged, err := train.SkipDamaged(c.Args().First())
				if err != nil {
					return err
				}
				if damaged != "" {
					fmt.Fprintf(c.App.ErrWriter, "gantrain: the newest checkpoint is damaged and now called %s\n", damaged)
				}
			}
			return resume(c.Context, c.Args().First(), o, c.App.Writer, c.App.ErrWriter)
		},
	}
}

func resume(ctx context.Context, folder string, o train.Options, stdout, stderr io.Writer) error {
	report, err := train.ReadReport(folder)
	if err != nil {
		return err
	}
	if report.Status == train.Finished {
		fmt.Fprintf(stdout, "%s has finished its %d steps\n", folder, report.Goal)
		return nil
	}
	model, err := train.LatestModel(folder)
	if err != nil {
		return err
	}
	s := sourceOf(report.Data.Name)
	if s == nil && report.Data.Path == "" {
		return fmt.Errorf("%s: run.json says neither where its data is nor a data set that is known: it names %q", folder, report.Data.Name)
	}
	data, err := openData(ctx, s, report.Data.Path, model.GAN, report.Seed)
	if err != nil {
		return err
	}
	run, err := train.OpenRun(ctx, folder, data, o)
	if err != nil {
		return err
	}
	return trainRun(ctx, run, stdout, stderr)
}
