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
	plain    bool
	step     bool
	gan      string // in place of from
	batch    int    // 0 leaves the recipe's
	force    bool
	runtime  runtime.Options
	stdout   io.Writer
}

func newExport() *cli.Command {
	return &cli.Command{
		Name:      "export",
		Usage:     "write a trained network, or a whole training step, as ONNX",
		ArgsUsage: "RUN_OR_CHECKPOINT",
		Description: "Takes a run's newest checkpoint, or the one that is named. The file is run on ONNX Runtime and compared with the Gorgonia graph before it is written. With --step it is a whole training step, with its gradients and its optimiser, and the weights that it starts from lie beside it, in STEP.safetensors. Examples:\n\n" +
			"gantrain export runs/digits -o generator.onnx\n" +
			"gantrain export --step --gan michelucci-dcgan --batch 64 -o step.onnx",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the model to `FILE.onnx`", DefaultText: "NETWORK.onnx, generator-plain.onnx or step.onnx"},
			&cli.StringFlag{Name: "network", Value: string(arch.Generator), Usage: "export the `NETWORK`: generator or discriminator"},
			&cli.BoolFlag{Name: "plain", Usage: "export the generator's weights themselves, not their running average (see --ema)", DisableDefaultText: true},
			&cli.BoolFlag{Name: "step", Usage: "export a training step", DisableDefaultText: true},
			&cli.StringFlag{Name: "gan", Usage: "export the step of the architecture `NAME` with its first weights, instead of a run's"},
			&cli.IntFlag{Name: "batch", Usage: "export the step for `N` real images", DefaultText: "the recipe's"},
			&cli.BoolFlag{Name: "force", Usage: "overwrite the file", DisableDefaultText: true},
			libraryFlag,
		},
		Action: func(c *cli.Context) error {
			o := exportOptions{
				from: c.Args().First(), to: c.String("output"), network: arch.Role(c.String("network")),
				plain: c.Bool("plain"), step: c.Bool("step"), gan: c.String("gan"), batch: c.Int("batch"),
				force: c.Bool("force"), runtime: libraryOptions(c), stdout: c.App.Writer,
			}
			if o.step {
				return exportStep(c, o)
			}
			for _, flag := range []string{"gan", "batch"} {
				if c.IsSet(flag) {
					return command.Usage(c, "--%s: only with --step", flag)
				}
			}
			if c.NArg() != 1 {
				return command.Usage(c, "want one run folder or checkpoint, got %d arguments", c.NArg())
			}
			if o.network != arch.Generator && o.network != arch.Discriminator {
				return command.Usage(c, "--network %s: want generator or discriminator%s", o.network,
					nearest.Hint(string(o.network), []string{string(arch.Generator), string(arch.Discriminator)}))
			}
			if o.plain && o.network != arch.Generator {
				return command.Usage(c, "--plain: only for the generator")
			}
			if o.to == "" {
				o.to = string(o.network) + ".onnx"
				if o.plain {
					o.to = "generator-plain.onnx"
				}
			}
			return export(c.Context, o)
		},
	}
}

// loadModel reads a checkpoint, or the newest one of a run.
func loadModel(path string) (*train.Model, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return train.LatestModel(path)
	}
	return train.LoadModel(path)
}

func export(ctx context.Context, o exportOptions) error {
	model, err := loadModel(o.from)
	if err != nil {
		return err
	}
	if o.plain && model.GAN.Recipe.EMA == 0 {
		return fmt.Errorf("--plain: %s keeps no running average: its generator has no other weights", o.from)
	}
	if err := command.NewFile(o.to, o.force); err != nil {
		return err
	}
	model.Plain = o.plain
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
