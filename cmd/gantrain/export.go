package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/gantrain/gantrain/cmd/internal/command"
	"github.com/gantrain/gantrain/internal/nearest"
	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train"
	"github.com/gantrain/gantrain/train/arch"
)

type exportOptions struct {
	from, to string
	network  arch.Role
	force    bool
	runtime  runtime.Options
	stdout   io.Writer
}

func newExport() *cli.Command {
	return &cli.Command{
		Name:      "export",
		Usage:     "write a trained network as ONNX",
		ArgsUsage: "RUN_OR_CHECKPOINT",
		Description: "Takes a run's newest checkpoint, or the one that is named. The file is run on ONNX Runtime and compared with the Gorgonia graph before it is written. Example:\n\n" +
			"gantrain export runs/digits -o generator.onnx",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the model to `FILE.onnx`", DefaultText: "NETWORK.onnx"},
			&cli.StringFlag{Name: "network", Value: string(arch.Generator), Usage: "export the `NETWORK`: generator or discriminator"},
			&cli.BoolFlag{Name: "force", Usage: "overwrite the file", DisableDefaultText: true},
			libraryFlag,
		},
		Action: func(c *cli.Context) error {
			o := exportOptions{
				from: c.Args().First(), to: c.String("output"), network: arch.Role(c.String("network")),
				force: c.Bool("force"), runtime: libraryOptions(c), stdout: c.App.Writer,
			}
			if c.NArg() != 1 {
				return command.Usage(c, "want one run folder or checkpoint, got %d arguments", c.NArg())
			}
			if o.network != arch.Generator && o.network != arch.Discriminator {
				return command.Usage(c, "--network %s: want generator or discriminator%s", o.network,
					nearest.Hint(string(o.network), []string{string(arch.Generator), string(arch.Discriminator)}))
			}
			if o.to == "" {
				o.to = string(o.network) + ".onnx"
			}
			return export(c.Context, o)
		},
	}
}

func export(ctx context.Context, o exportOptions) error {
	info, err := os.Stat(o.from)
	if err != nil {
		return err
	}
	load := train.LoadModel
	if info.IsDir() {
		load = train.LatestModel
	}
	model, err := load(o.from)
	if err != nil {
		return err
	}
	if err := command.NewFile(o.to, o.force); err != nil {
		return err
	}
	report, err := model.Export(ctx, o.network, o.to, o.runtime)
	if err != nil {
		return err
	}
	fmt.Fprintf(o.stdout, "%s: %s of %s after %d steps\n", o.to, o.network, model.GAN.Name, model.Step)
	for _, d := range report.Cases {
		fmt.Fprintf(o.stdout, "  %s at batch %d: on ONNX Runtime within %.1e of its graph\n", d.Output, d.Batch, d.Max)
	}
	return nil
}
