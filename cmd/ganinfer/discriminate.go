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
		Flags: sessionFlags(),
		Action: func(c *cli.Context) error {
			engine, err := sessionOptions(c)
			if err != nil {
				return err
			}
			if c.NArg() < 2 {
				return command.Usage(c, "%d arguments, want a discriminator and pictures", c.NArg())
			}
			return discriminate(c.Context, c.Args().First(), c.Args().Tail(), engine, c.App.Writer, c.App.ErrWriter)
		},
	}
}

// judgement is a discriminator's answer to one picture.
type judgement struct{ logit, probability float64 }

// discriminate writes a table of what the model says of each picture.
func discriminate(ctx context.Context, path string, pictures []string, engine runtime.Options, stdout, stderr io.Writer) error {
	d, err := openDiscriminator(ctx, path, engine, len(pictures), stderr)
	if err != nil {
		return err
	}
	defer d.session.Close()
	var all []judgement
	for first := 0; first < len(pictures); first += d.batch {
		some, err := d.judge(ctx, pictures[first:min(first+d.batch, len(pictures))])
		if err != nil {
			return err
		}
		all = append(all, some...)
	}

	t := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "file\tlogit%s\tprobability%s\n", computed(d.logit), computed(d.probability))
	for i, j := range all {
		fmt.Fprintf(t, "%s\t%.6g\t%.6g\n", printable(pictures[i]), j.logit, j.probability)
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
	path               string
	session            *runtime.Session
	info               modelinfo.Info // the range is set
	input              string
	c, h, w, batch     int
	logit, probability bool // what it gives
}

func openDiscriminator(ctx context.Context, path string, o runtime.Options, pictures int, stderr io.Writer) (_ *discriminator, err error) {
	s, info, err := open(ctx, path, o, stderr)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if info.Network == modelinfo.Generator {
		return nil, fmt.Errorf("%s: a generator, want a discriminator", path)
	}
	in, err := onlyInput(path, s, 4)
	if err != nil {
		return nil, err
	}
	for _, size := range in.Shape[1:] {
		if size < 1 || size > picture.MaxSide {
			return nil, fmt.Errorf("%s: input %s, want fixed channels, height and width", path, names([]runtime.Port{in}))
		}
	}
	d := &discriminator{path: path, session: s, info: info, input: in.Name,
		c: int(in.Shape[1]), h: int(in.Shape[2]), w: int(in.Shape[3])}
	for _, out := range s.Outputs() {
		d.logit = d.logit || out.Name == "logit"
		d.probability = d.probability || out.Name == "probability"
	}
	if !d.logit && !d.probability {
		return nil, fmt.Errorf("%s: outputs %s, want logit or probability", path, names(s.Outputs()))
	}
	if d.batch, err = batchOf(path, in.Shape[0], 0); err != nil {
		return nil, err
	}
	if in.Shape[0] < 1 {
		d.batch = min(d.batch, pictures)
	}
	defaults(&d.info, path, "", stderr)
	return d, nil
}

// judge asks the model about at most one batch of picture files.
func (d *discriminator) judge(ctx context.Context, files []string) ([]judgement, error) {
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
	outputs, err := d.session.Run(ctx, map[string]*tensor.Dense{d.input: in})
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
