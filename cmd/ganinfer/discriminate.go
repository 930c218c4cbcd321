package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"github.com/urfave/cli/v2"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/cmd/internal/command"
	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/runtime/modelinfo"
	"github.com/gantrain/gantrain/runtime/picture"
)

func newDiscriminate() *cli.Command {
	return &cli.Command{
		Name:      "discriminate",
		Usage:     "ask a discriminator how real pictures look",
		ArgsUsage: "DISCRIMINATOR.onnx PICTURES...",
		Description: "Pictures are PNG or JPEG files of the size that the model takes. Example:\n\n" +
			"ganinfer discriminate runs/digits/discriminator.onnx pictures/*.png",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "label", Usage: "take all pictures for class `CLASS`, by its number from 0 on or its name", DefaultText: labelDefault},
			&cli.StringFlag{Name: "labels", Usage: "take the pictures for the `CLASSES`, one each, as 3,1,4", DefaultText: labelDefault},
		}, sessionFlags()...),
		Action: func(c *cli.Context) error {
			engine, err := engineOf(c)
			if err != nil {
				return err
			}
			if c.NArg() < 2 {
				return command.Usage(c, "%d arguments, want a discriminator and pictures", c.NArg())
			}
			pictures := c.Args().Tail()
			given, err := classesOf(c)
			if err != nil {
				return err
			}
			if c.IsSet("labels") && len(given) != len(pictures) {
				return command.Usage(c, "--labels has %d classes for %d pictures", len(given), len(pictures))
			}
			return discriminate(c.Context, c.Args().First(), pictures, given, engine, c.App.Writer, c.App.ErrWriter)
		},
	}
}

const labelDefault = "the name of each picture's folder"

// longJudging is from how many pictures on the runtime is told the batch: 0.02
// ms saved for each of michelucci-dcgan, on two cores, and 0.03 s lost at the
// start.
const longJudging = 2048

// judgement is a discriminator's answer to one picture.
type judgement struct{ logit, probability float64 }

// discriminate writes a table of what the model says of each picture.
func discriminate(ctx context.Context, path string, pictures, classes []string, engine engine, stdout, stderr io.Writer) error {
	d, err := openDiscriminator(ctx, path, engine, len(pictures), stderr)
	if err != nil {
		return err
	}
	defer d.session.Close()
	given, err := d.labelsOf(classes)
	if d.label != "" && classes == nil {
		given, err = d.folderLabels(pictures)
	}
	if err != nil {
		return err
	}
	var all []judgement
	for first := 0; first < len(pictures); first += d.batch {
		some, err := d.judge(ctx, pictures[first:min(first+d.batch, len(pictures))], given, first)
		if err != nil {
			return err
		}
		all = append(all, some...)
	}

	t := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	label := ""
	if d.label != "" {
		label = "label\t"
	}
	fmt.Fprintf(t, "file\t%slogit%s\tprobability%s\n", label, computed(d.logit), computed(d.probability))
	for i, j := range all {
		if d.label != "" {
			label = fmt.Sprintf("%d\t", given.of(i))
		}
		fmt.Fprintf(t, "%s\t%s%.6g\t%.6g\n", printable(pictures[i]), label, j.logit, j.probability)
	}
	return t.Flush()
}

// computed marks a column that the model does not give.
func computed(given bool) string {
	if given {
		return ""
	}
	return " (computed)"
}

// discriminator is a model that turns pictures into logits, probabilities, or
// both.
type discriminator struct {
	network
	c, h, w            int
	logit, probability bool // what it gives
}

// openDiscriminator loads a discriminator for that many pictures.
func openDiscriminator(ctx context.Context, path string, e engine, pictures int, stderr io.Writer) (*discriminator, error) {
	if pictures >= longJudging {
		e.Batch = defaultBatch
	}
	n, in, err := openNetwork(ctx, path, e, modelinfo.Discriminator, 4, stderr)
	if err != nil {
		return nil, err
	}
	d := &discriminator{network: n}
	if err := d.settle(in, pictures); err != nil {
		d.session.Close()
		return nil, err
	}
	defaults(&d.info, -1, 1, path, "", stderr)
	return d, nil
}

// settle sets what the input and the outputs tell.
func (d *discriminator) settle(in runtime.Port, pictures int) (err error) {
	c, h, w := in.Shape[1], in.Shape[2], in.Shape[3]
	if c != 1 && c != 3 || h < 1 || h > picture.MaxSide || w < 1 || w > picture.MaxSide {
		return fmt.Errorf("%s: input %s, want 1 or 3 channels of a fixed height and width, at most %d",
			d.path, names([]runtime.Port{in}), picture.MaxSide)
	}
	d.c, d.h, d.w = int(c), int(h), int(w)
	for _, out := range d.session.Outputs() {
		d.logit = d.logit || out.Name == "logit"
		d.probability = d.probability || out.Name == "probability"
	}
	if !d.logit && !d.probability {
		return fmt.Errorf("%s: outputs %s, want logit or probability", d.path, names(d.session.Outputs()))
	}
	if d.batch, err = batchOf(d.path, in.Shape[0], 0); err != nil {
		return err
	}
	if in.Shape[0] < 1 {
		d.batch = min(d.batch, pictures, maxNumbers/(d.c*d.h*d.w))
	}
	return d.fits(in, c, h, w)
}

// judge asks the model about at most one batch of picture files, the first of
// which has that number.
func (d *discriminator) judge(ctx context.Context, files []string, given labels, first int) ([]judgement, error) {
	size := d.c * d.h * d.w
	data := make([]float32, d.batch*size)
	for i, file := range files {
		img, err := picture.Read(file)
		if err != nil {
			return nil, err
		}
		pixels, err := picture.ToTensor(img, d.c, d.h, d.w, d.info.Min, d.info.Max)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		copy(data[i*size:], pixels)
	}
	in := tensor.New(tensor.WithShape(d.batch, d.c, d.h, d.w), tensor.WithBacking(data))
	outputs, err := d.session.Run(ctx, d.feed(in, given, first))
	if err != nil {
		return nil, err
	}
	all := make([]judgement, len(files))
	if d.logit {
		values, err := d.column("logit", outputs)
		if err != nil {
			return nil, err
		}
		for i := range all {
			l := float64(values[i])
			all[i] = judgement{l, 1 / (1 + math.Exp(-l))}
		}
	}
	if d.probability {
		values, err := d.column("probability", outputs)
		if err != nil {
			return nil, err
		}
		for i := range all {
			p := float64(values[i])
			all[i].probability = p
			if !d.logit {
				all[i].logit = math.Log(p) - math.Log1p(-p)
			}
		}
	}
	return all, nil
}

// column returns an output that has one number for each picture of the batch.
func (d *discriminator) column(name string, outputs map[string]*tensor.Dense) ([]float32, error) {
	values, shape, err := floats(d.path, name, outputs)
	if err != nil {
		return nil, err
	}
	if len(values) != d.batch {
		return nil, fmt.Errorf("%s: output %s has shape %v, want one number for each of %d pictures", d.path, name, shape, d.batch)
	}
	return values, nil
}
