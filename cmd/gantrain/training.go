package main

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/gantrain/gantrain/cmd/internal/command"
	"github.com/gantrain/gantrain/internal/nearest"
	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train"
	"github.com/gantrain/gantrain/train/arch"
)

// trainsOn is the command that trains on a published data set, or on data of
// one's own in its place.
func trainsOn(name, usage, about, example string) *cli.Command {
	s := sourceOf(name)
	return &cli.Command{
		Name: name, Usage: usage, Description: trainingHelp(about, example),
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "gan", Value: s.gan, Usage: "train the architecture `NAME` ('gantrain list' shows all)"},
			&cli.StringFlag{Name: "variant", Usage: "use the recipe `NAME` of the architecture instead of its usual one"},
		}, trainFlags()...),
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return command.Usage(c, "unexpected argument %q", c.Args().First())
			}
			if c.IsSet("from") && !c.IsSet("gan") {
				if c.IsSet("variant") {
					return command.Usage(c, "--variant: only with --gan, since without it --from says what is trained")
				}
				return trainGAN(c, arch.GAN{}, s)
			}
			variant := c.String("variant")
			if variant == "" {
				variant = s.variant(c.String("gan"))
			}
			gan, err := arch.Find(c.String("gan"), variant)
			if err != nil {
				return command.Usage(c, "%s", err)
			}
			return trainGAN(c, gan, s)
		},
	}
}

func trainingHelp(about, example string) string {
	return about + " A run ends with generator.onnx and discriminator.onnx in its folder. Example:\n\n" + example
}

// trainFlags are those of every command that trains.
func trainFlags() []cli.Flag {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "data", Usage: "train on one's own data at `PATH`: a folder of IDX files, or of PNG and JPEG pictures, a file *.mat as SVHN's, or a file *.csv of points"},
		&cli.StringFlag{Name: "from", Usage: "begin with the weights of `CHECKPOINT`, or of a run's newest, and fresh moments; without --gan, train the GAN that it holds"},
		&cli.StringFlag{Name: "out", Usage: "make the run's `FOLDER`", DefaultText: "runs/GAN"},
		&cli.BoolFlag{Name: "force", Usage: "replace the run that the folder holds", DisableDefaultText: true},
		&cli.StringFlag{Name: "engine", Value: string(train.ORT), Usage: engineUsage},
		providerFlag("cpu"),
		&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "draw everything random from `SEED`"},
	}
	return append(append(flags, recipeFlags()...), libraryFlag)
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

// trainGAN trains on --data, or on a published data set, a GAN or, where it has
// no name, that of --from.
func trainGAN(c *cli.Context, gan arch.GAN, s *source) error {
	o := trainOptions{
		out: c.String("out"), force: c.Bool("force"), seed: c.Uint64("seed"),
		train:  train.Options{Runtime: libraryOptions(c)},
		stdout: c.App.Writer, stderr: c.App.ErrWriter,
	}
	var err error
	var changed string // what made the recipe of --from, where it is taken over
	if path := c.String("from"); path != "" {
		if o.from, err = loadModel(path); err != nil {
			return err
		}
		if gan.Name == "" {
			gan, changed = o.from.GAN, o.from.Arguments
		}
	}
	if o.train.Engine, err = engineOf(c, trainEngines...); err != nil {
		return err
	}
	if o.train.Runtime.Provider, err = providerOf(c); err != nil {
		return err
	}
	if o.gan, o.arguments, err = withRecipe(c, gan); err != nil {
		return err
	}
	if o.from != nil {
		sum, err := o.from.Sum()
		if err != nil {
			return err
		}
		o.arguments = withArguments(changed, append(strings.Fields(o.arguments), "from="+sum)...)
	}
	if o.out == "" {
		o.out = filepath.Join("runs", gan.Name)
	}
	path := c.String("data")
	if path != "" { // a run can be resumed from anywhere
		if o.source, err = filepath.Abs(path); err != nil {
			return err
		}
	} else if !fits(gan, s.shape) {
		return misfit(gan, s.title, s.shape) // before it is downloaded
	}
	data, err := openData(c.Context, s, path, gan, o.seed)
	if err != nil {
		return err
	}
	return startRun(c.Context, o, data)
}

// withArguments adds changes of a recipe to those before them, in place of those of
// the same name.
func withArguments(before string, changes ...string) string {
	name := func(change string) string {
		name, _, _ := strings.Cut(change, "=")
		return name
	}
	kept := slices.DeleteFunc(strings.Fields(before), func(old string) bool {
		return slices.ContainsFunc(changes, func(c string) bool { return name(c) == name(old) })
	})
	return strings.Join(append(kept, changes...), " ")
}
