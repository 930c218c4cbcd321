package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/gantrain/gantrain/cmd/internal/command"
)

const (
	maxCount = 100_000_000 // pictures; their files would fill a disk
	maxBatch = 1 << 16
)

// generateOptions is what the command line of generate asks for.
type generateOptions struct {
	model   string
	count   int // pictures; 0: one for each row of z, or 64
	batch   int // 0: the model's own, or defaultBatch
	seed    uint64
	classes []string // asked for
	z       string   // noise of one's own
	out     string   // folder for PNG files
	grid    string   // PNG file
	csv     string   // of points
	npy     string
	saveZ   string
	force   bool
	engine  engine

	stdout, stderr io.Writer
}

func newGenerate() *cli.Command {
	return &cli.Command{
		Name:      "generate",
		Usage:     "make pictures with a generator",
		ArgsUsage: "GENERATOR.onnx",
		Description: "The noise of a picture depends on the seed and its number only. Example:\n\n" +
			"ganinfer generate runs/digits/generator.onnx -n 64 --seed 1 --out pictures --grid grid.png\n\n" +
			"Of a conditional generator, picture i has class i modulo their number unless classes are asked for, and a grid of several has a row for each:\n\n" +
			"ganinfer generate runs/michelucci-cgan/generator.onnx -n 16 --label 7 --grid sevens.png",
		Flags: append([]cli.Flag{
			&cli.IntFlag{Name: "n", Usage: "make `COUNT` pictures", DefaultText: "64, or as many as --z or --labels holds"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "draw the noise from `SEED`"},
			&cli.StringFlag{Name: "label", Usage: "make pictures of class `CLASS`, by its number from 0 on or its name"},
			&cli.StringFlag{Name: "labels", Usage: "give the pictures the `CLASSES`, as 3,1,4, over and over"},
			&cli.StringFlag{Name: "out", Usage: "write 000000.png and so on into `FOLDER`"},
			&cli.StringFlag{Name: "grid", Usage: "write all pictures as one, or a plot of all points, into `FILE.png`"},
			&cli.StringFlag{Name: "csv", Usage: "write points, one a line, into `FILE.csv`"},
			&cli.StringFlag{Name: "npy", Usage: "write the model's numbers [n, C, H, W], or points [n, 2], into `FILE.npy`"},
			&cli.StringFlag{Name: "z", Usage: "take the noise [n, latent] from `FILE.npy` instead of drawing it"},
			&cli.StringFlag{Name: "save-z", Usage: "write the noise [n, latent] into `FILE.npy`"},
			&cli.IntFlag{Name: "batch", Usage: "give the model `SIZE` vectors at a time", DefaultText: fmt.Sprint(defaultBatch, ", or what the model is made for")},
			&cli.BoolFlag{Name: "force", Usage: "overwrite files, write into a folder that is not empty", DisableDefaultText: true},
		}, sessionFlags()...),
		Action: func(c *cli.Context) error {
			o, err := generateOptionsOf(c)
			if err != nil {
				return err
			}
			return generate(c.Context, o)
		},
	}
}

func generateOptionsOf(c *cli.Context) (*generateOptions, error) {
	engine, err := engineOf(c)
	if err != nil {
		return nil, err
	}
	o := &generateOptions{
		model: c.Args().First(), count: c.Int("n"), batch: c.Int("batch"), seed: c.Uint64("seed"),
		z: c.String("z"), out: c.String("out"), grid: c.String("grid"), csv: c.String("csv"), npy: c.String("npy"), saveZ: c.String("save-z"),
		force: c.Bool("force"), engine: engine, stdout: c.App.Writer, stderr: c.App.ErrWriter,
	}
	switch {
	case c.NArg() != 1:
		return nil, command.Usage(c, "%d arguments, want one generator", c.NArg())
	case c.IsSet("n") && (o.count < 1 || o.count > maxCount):
		return nil, command.Usage(c, "-n %d: want 1 to %d", o.count, maxCount)
	case c.IsSet("batch") && (o.batch < 1 || o.batch > maxBatch):
		return nil, command.Usage(c, "--batch %d: want 1 to %d", o.batch, maxBatch)
	case o.z != "" && c.IsSet("seed"):
		return nil, command.Usage(c, "--z and --seed: want one source of noise")
	case o.out == "" && o.grid == "" && o.csv == "" && o.npy == "":
		return nil, command.Usage(c, "nothing to write: want --out, --grid, --csv or --npy")
	}
	if o.classes, err = classesOf(c); err != nil {
		return nil, err
	}
	if c.IsSet("labels") && !c.IsSet("n") && o.z == "" {
		o.count = len(o.classes)
	}
	names := []string{"the model", "--z", "--out", "--grid", "--csv", "--npy", "--save-z"}
	paths := []string{o.model, o.z, o.out, o.grid, o.csv, o.npy, o.saveZ}
	if a, b, same := command.Same(paths...); same {
		return nil, command.Usage(c, "%s and %s are the same file, %s", names[a], names[b], paths[b])
	}
	return o, nil
}

// generate makes the pictures. What the outputs and the noise make impossible
// fails before the model is loaded.
func generate(ctx context.Context, o *generateOptions) (err error) {
	for _, path := range []string{o.grid, o.csv, o.npy, o.saveZ} {
		if path == "" {
			continue
		}
		if err := command.NewFile(path, o.force); err != nil {
			return err
		}
	}
	noise, err := openNoise(o)
	if err != nil {
		return err
	}
	defer noise.Close()
	if o.out != "" {
		created, err := command.NewFolder(o.out, o.force)
		if err != nil {
			return err
		}
		if created {
			defer os.Remove(o.out) // does nothing once there are pictures
		}
	}

	g, err := openGenerator(ctx, o.model, o.engine, noise.count, noise.size(), o.batch, o.stderr)
	if err != nil {
		return err
	}
	defer g.session.Close()
	if err := g.takes(o, noise.count); err != nil {
		return err
	}
	if err := g.condition(o.classes); err != nil {
		return err
	}
	return produce(ctx, o, g, noise)
}
