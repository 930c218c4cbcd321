package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/gantrain/gantrain/cmd/internal/command"
	"github.com/gantrain/gantrain/export/pass"
	"github.com/gantrain/gantrain/internal/nearest"
	"github.com/gantrain/gantrain/train"
	"github.com/gantrain/gantrain/train/arch"
)

type exportOptions struct {
	from, to string
	network  arch.Role
	plain    bool
	step     bool
	gan      string // in place of from
	batch    int    // of a step; 0 leaves the recipe's
	options  train.ExportOptions
	report   string // a page to write
	force    bool
	stdout   io.Writer
}

func newExport() *cli.Command {
	return &cli.Command{
		Name:      "export",
		Usage:     "write a trained network, or a whole training step, as ONNX",
		ArgsUsage: "RUN_OR_CHECKPOINT",
		Description: "Takes a run's newest checkpoint, or the one that is named. The file is run on ONNX Runtime and compared with the Gorgonia graph before it is written. With --step it is a whole training step, with its gradients and its optimiser, and the weights that it starts from lie beside it, in STEP.safetensors. Examples:\n\n" +
			"gantrain export runs/digits -o generator.onnx\n" +
			"gantrain export runs/digits --fold-batchnorm --float16 -o half.onnx\n" +
			"gantrain export --step --gan michelucci-dcgan --batch 64 -o step.onnx",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the model to `FILE.onnx`", DefaultText: "NETWORK.onnx, generator-plain.onnx or step.onnx"},
			&cli.StringFlag{Name: "network", Value: string(arch.Generator), Usage: "export the `NETWORK`: generator or discriminator"},
			&cli.BoolFlag{Name: "plain", Usage: "export the generator's weights themselves, not their running average (see --ema)", DisableDefaultText: true},
			&cli.BoolFlag{Name: "step", Usage: "export a training step", DisableDefaultText: true},
			&cli.StringFlag{Name: "gan", Usage: "export the step of the architecture `NAME` with its first weights, instead of a run's"},
			&cli.IntFlag{Name: "batch", Usage: "export for batches of `N` alone; a step for that many real images", DefaultText: "any; the recipe's"},
			&cli.StringFlag{Name: "target", Usage: "write for the runtime `NAME`, where none of the usual forms serves it: candle (no ConvTranspose, which serves jaxonnxruntime too)"},
			&cli.BoolFlag{Name: "fold-batchnorm", Usage: "make normalisations part of the layers beside them", DisableDefaultText: true},
			&cli.BoolFlag{Name: "float16", Usage: "store weights and compute in half precision; inputs and outputs stay float32", DisableDefaultText: true},
			&cli.BoolFlag{Name: "int8", Usage: "store weights as bytes; the arithmetic stays float32", DisableDefaultText: true},
			&cli.BoolFlag{Name: "uint8-image", Usage: "give pictures as bytes in [0, 255]", DisableDefaultText: true},
			&cli.BoolFlag{Name: "nhwc", Usage: "with --uint8-image: with the channels last", DisableDefaultText: true},
			&cli.IntFlag{Name: "opset", Usage: "declare version `N` of the operators", DefaultText: fmt.Sprintf("15, of %d to %d", pass.MinOpset, pass.MaxOpset)},
			&cli.BoolFlag{Name: "external-data", Usage: "keep the weights in a file of their own beside the model", DisableDefaultText: true},
			&cli.StringFlag{Name: "report", Usage: "write a page on how the export came about to `FILE.html`"},
			&cli.BoolFlag{Name: "force", Usage: "overwrite the file", DisableDefaultText: true},
			libraryFlag,
		},
		Action: func(c *cli.Context) error {
			o := exportOptions{
				from: c.Args().First(), to: c.String("output"), network: arch.Role(c.String("network")),
				plain: c.Bool("plain"), step: c.Bool("step"), gan: c.String("gan"), batch: c.Int("batch"),
				force: c.Bool("force"), report: c.String("report"), stdout: c.App.Writer,
				options: train.ExportOptions{ExternalData: c.Bool("external-data"), Runtime: libraryOptions(c)},
			}
			if o.step {
				return exportStep(c, o)
			}
			if c.IsSet("gan") {
				return command.Usage(c, "--gan: only with --step")
			}
			if c.NArg() != 1 {
				return command.Usage(c, "want one run folder or checkpoint, got %d arguments", c.NArg())
			}
			if o.network != arch.Generator && o.network != arch.Discriminator {
				return command.Usage(c, "--network %s: want generator or discriminator%s", o.network,
					nearest.Hint(string(o.network), []string{string(arch.Generator), string(arch.Discriminator)}))
			}
			if _, err := batchOf(c); err != nil {
				return err
			}
			variant := &o.options.Variant
			*variant = pass.Variant{
				FoldBatchNorm: c.Bool("fold-batchnorm"), Float16: c.Bool("float16"), Int8: c.Bool("int8"),
				Uint8Image: c.Bool("uint8-image"), NHWC: c.Bool("nhwc"), Opset: c.Int("opset"), Batch: c.Int("batch"),
			}
			if target := c.String("target"); c.IsSet("target") {
				if target != "candle" {
					return command.Usage(c, "--target %s: want candle", target)
				}
				variant.Candle = true
			}
			switch {
			case c.IsSet("opset") && (variant.Opset < pass.MinOpset || variant.Opset > pass.MaxOpset):
				return command.Usage(c, "--opset %d: want %d to %d", variant.Opset, pass.MinOpset, pass.MaxOpset)
			case variant.Float16 && variant.Int8:
				return command.Usage(c, "--float16 and --int8 are two ways to store weights: want one of them")
			case variant.NHWC && !variant.Uint8Image:
				return command.Usage(c, "--nhwc: only with --uint8-image")
			case variant.Uint8Image && o.network != arch.Generator:
				return command.Usage(c, "--uint8-image: only for the generator")
			case o.plain && o.network != arch.Generator:
				return command.Usage(c, "--plain: only for the generator")
			}
			if o.to == "" {
				o.to = string(o.network) + ".onnx"
				if o.plain {
					o.to = "generator-plain.onnx"
				}
			}
			if _, _, same := command.Same(o.report, o.to); same {
				return command.Usage(c, "--report and --output are the same file, %s", o.report)
			}
			return export(c.Context, o)
		},
	}
}

// loadModel reads a checkpoint, or the newest one of a run.
func loadModel(path string) (*train.Model, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: no such run folder or checkpoint", path)
	case err != nil:
		return nil, err
	case info.IsDir():
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
	for _, path := range []string{o.to, o.report} {
		if path == "" {
			continue
		}
		if err := command.NewFile(path, o.force); err != nil {
			return err
		}
	}
	model.Plain = o.plain
	report, err := model.Export(ctx, o.network, o.to, o.options)
	if err != nil {
		return err
	}
	fmt.Fprintf(o.stdout, "%s: %s\n", o.to, report.Title)
	table := tabwriter.NewWriter(o.stdout, 0, 0, 2, ' ', 0)
	for _, s := range report.Stages {
		for i, found := range s.Found {
			name := s.Name
			if i > 0 {
				name = ""
			}
			fmt.Fprintf(table, "  %s\t%s\n", name, found)
		}
	}
	table.Flush()
	if o.report != "" {
		return report.WritePage(o.report)
	}
	return nil
}
