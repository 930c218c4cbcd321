package main

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/gantrain/gantrain/cmd/internal/command"
	"github.com/gantrain/gantrain/internal/nearest"
	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/dataset"
)

func newMNIST() *cli.Command {
	return &cli.Command{
		Name:  "mnist",
		Usage: "train a GAN on MNIST's digits, or on IDX files of one's own",
		Description: "Real MNIST is fetched at first use. A run ends with generator.onnx and discriminator.onnx in its folder. Example:\n\n" +
			"gantrain mnist --gan guo-mlp --epochs 3 --seed 1 --out runs/digits",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "gan", Value: "guo-mlp", Usage: "train the architecture `NAME` ('gantrain list' shows all)"},
			&cli.StringFlag{Name: "variant", Usage: "use the recipe `NAME` of the architecture instead of its usual one"},
			&cli.StringFlag{Name: "data", Usage: "train on the IDX files in `FOLDER` (gzip or plain) instead of MNIST"},
			&cli.StringFlag{Name: "out", Usage: "make the run's `FOLDER`", DefaultText: "runs/GAN"},
			&cli.BoolFlag{Name: "force", Usage: "replace the run that the folder holds", DisableDefaultText: true},
			&cli.StringFlag{Name: "engine", Value: string(train.ORT), Usage: engineUsage},
			providerFlag("cpu"),
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "draw everything random from `SEED`"},
		}, append(recipeFlags(), libraryFlag)...),
		Action: func(c *cli.Context) error {
			o, err := trainOptionsOf(c)
			if err != nil {
				return err
			}
			return mnist(c.Context, o, c.String("data"))
		},
	}
}

const engineUsage = "train on `ENGINE`: ort (ONNX Runtime), tape (Gorgonia's machine, the reference) or auto (ort where it loads, else tape)"

// engineOf reads --engine, one of those known; without it the engine is empty
// where the flag has no default.
func engineOf(c *cli.Context, known ...string) (train.Engine, error) {
	e := c.String("engine")
	if c.IsSet("engine") && !slices.Contains(known, e) {
		last := len(known) - 1
		return "", command.Usage(c, "--engine %s: want %s or %s%s", e, strings.Join(known[:last], ", "), known[last], nearest.Hint(e, known))
	}
	return train.Engine(e), nil
}

// trainEngines are the engines that a run can be asked for.
var trainEngines = []string{string(train.ORT), string(train.Tape), string(train.Auto)}

var libraryFlag = &cli.StringFlag{
	Name: "onnxruntime", Usage: "load ONNX Runtime from the shared library `PATH` instead of the bundled one",
}

func libraryOptions(c *cli.Context) runtime.Options {
	return runtime.Options{Library: c.String("onnxruntime")}
}

func trainOptionsOf(c *cli.Context) (trainOptions, error) {
	o := trainOptions{
		out: c.String("out"), force: c.Bool("force"), seed: c.Uint64("seed"),
		train:  train.Options{Runtime: libraryOptions(c)},
		stdout: c.App.Writer, stderr: c.App.ErrWriter,
	}
	if c.Args().Present() {
		return o, command.Usage(c, "unexpected argument %q", c.Args().First())
	}
	var err error
	if o.train.Engine, err = engineOf(c, trainEngines...); err != nil {
		return o, err
	}
	if o.train.Runtime.Provider, err = providerOf(c); err != nil {
		return o, err
	}
	gan, err := arch.Find(c.String("gan"), c.String("variant"))
	if err != nil {
		return o, command.Usage(c, "%s", err)
	}
	if o.gan, o.arguments, err = withRecipe(c, gan); err != nil {
		return o, err
	}
	if o.out == "" {
		o.out = filepath.Join("runs", gan.Name)
	}
	return o, nil
}

func mnist(ctx context.Context, o trainOptions, folder string) error {
	load := func() (*dataset.Images, error) { return dataset.MNIST(ctx) }
	source := ""
	if folder != "" {
		load = func() (*dataset.Images, error) { return dataset.IDX(folder) }
		// A run can be resumed from anywhere.
		var err error
		if source, err = filepath.Abs(folder); err != nil {
			return err
		}
	}
	data, err := load()
	if err != nil {
		return err
	}
	return startRun(ctx, o, data, source)
}
