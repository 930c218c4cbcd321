package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/gantrain/gantrain/cmd/internal/command"
	"github.com/gantrain/gantrain/export/verify"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/keras"
)

type crosscheckOptions struct {
	files  []string
	check  keras.Options
	save   string
	report string
	json   bool
	force  bool
	stdout io.Writer
}

func newCrosscheck() *cli.Command {
	return &cli.Command{
		Name:      "crosscheck",
		Usage:     "hold a model that Keras exported against ours, layer by layer",
		ArgsUsage: "KERAS.onnx [OTHER.onnx]",
		Description: "Finds out which network of which GAN the file is, lays its weights out as ours, and evaluates both on the same random input. Exits 0 only if all hold. With --save, a generator and a discriminator of one GAN make a checkpoint that 'gantrain export' and 'gantrain mnist --from' take. Examples:\n\n" +
			"ganinfer crosscheck G.onnx --report crosscheck.html\n" +
			"ganinfer crosscheck G.onnx D.onnx --save keras.safetensors",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "gan", Usage: "take the file for a network of `NAME` ('gantrain list' shows all)", DefaultText: "any"},
			&cli.StringFlag{Name: "against", Usage: "hold the file's weights against ours in `OURS`: an exported model, a checkpoint or a run"},
			&cli.StringFlag{Name: "expect", Usage: "hold all evaluations against what Keras computed, MODEL.in.*.npy and MODEL.out.*.npy in `FOLDER`, and the weights against MODEL.weights.npz"},
			&cli.IntFlag{Name: "batch", Value: 5, Usage: "evaluate on `N` examples"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "draw the input, and the weights that no file has, from `SEED`"},
			&cli.Float64Flag{Name: "tolerance", Value: verify.Tolerance, Usage: "allow |a-b| up to `T` times the larger of 1 and the largest |b|"},
			&cli.StringFlag{Name: "save", Usage: "write a checkpoint with the weights to `FILE`"},
			&cli.StringFlag{Name: "report", Usage: "write a page with all differences to `FILE.html`"},
			&cli.BoolFlag{Name: "json", Usage: "print all differences as JSON", DisableDefaultText: true},
			&cli.BoolFlag{Name: "force", Usage: "overwrite files", DisableDefaultText: true},
		}, nativeFlags()...),
		Action: func(c *cli.Context) error {
			native, err := nativeOptions(c)
			if err != nil {
				return err
			}
			o := crosscheckOptions{
				files: c.Args().Slice(),
				check: keras.Options{
					GAN: c.String("gan"), Batch: c.Int("batch"), Seed: c.Uint64("seed"), Tolerance: c.Float64("tolerance"),
					Against: c.String("against"), Expect: c.String("expect"), Runtime: native,
				},
				save: c.String("save"), report: c.String("report"), json: c.Bool("json"), force: c.Bool("force"),
				stdout: c.App.Writer,
			}
			switch {
			case len(o.files) < 1 || len(o.files) > 2:
				return command.Usage(c, "%d arguments, want one file of Keras', or a generator and a discriminator", len(o.files))
			case o.check.Batch < 1 || o.check.Batch > maxBatch:
				return command.Usage(c, "--batch %d: want 1 to %d", o.check.Batch, maxBatch)
			case !(o.check.Tolerance > 0 && o.check.Tolerance < 1):
				return command.Usage(c, "--tolerance %g: want a number above 0, below 1", o.check.Tolerance)
			}
			for _, file := range o.files {
				paths := []string{file, o.save, o.report}
				if a, b, same := command.Same(paths...); same {
					return command.Usage(c, "%s and %s are the same file", paths[a], paths[b])
				}
			}
			if o.check.GAN != "" {
				if _, err := arch.Find(o.check.GAN, ""); err != nil {
					return command.Usage(c, "%s", err)
				}
			}
			return crosscheck(c.Context, o)
		},
	}
}

func crosscheck(ctx context.Context, o crosscheckOptions) error {
	for _, path := range []string{o.save, o.report} {
		if path == "" {
			continue
		}
		if err := command.NewFile(path, o.force); err != nil {
			return err
		}
	}
	var reports []*keras.Report
	var departs []string
	for _, path := range o.files {
		r, err := keras.Check(ctx, path, o.check)
		if err != nil {
			return err
		}
		reports = append(reports, r)
		if !r.Holds {
			departs = append(departs, fmt.Sprintf("%s: %s", path, r.Verdict()))
		}
	}
	if o.json {
		e := json.NewEncoder(o.stdout)
		e.SetIndent("", "  ")
		if err := e.Encode(reports); err != nil {
			return err
		}
	} else {
		for _, r := range reports {
			printReport(o.stdout, r)
		}
	}
	if o.report != "" {
		if err := keras.WritePage(o.report, reports...); err != nil {
			return err
		}
	}
	if len(departs) > 0 {
		if o.save != "" {
			departs = append(departs, o.save+" is not written")
		}
		return errors.New(strings.Join(departs, "; "))
	}
	if o.save == "" {
		return nil
	}
	model, err := keras.Model(o.check.Seed, reports...)
	if err != nil {
		return err
	}
	if err := model.Save(o.save); err != nil {
		return err
	}
	if !o.json {
		fmt.Fprintf(o.stdout, "%s: a checkpoint of %s; go on with 'gantrain export %s' or 'gantrain %s --from %s'\n",
			o.save, model.GAN.Name, o.save, model.GAN.Dataset, o.save)
	}
	return nil
}

func printReport(w io.Writer, r *keras.Report) {
	if r.Unknown != nil {
		fmt.Fprintf(w, "%s: %s, opset %d\n", r.File, r.Producer, r.Opset)
		for _, line := range r.Unknown.Known {
			fmt.Fprintln(w, "  "+line)
		}
		return
	}
	fmt.Fprintf(w, "%s: %s, %s; %s, opset %d\n", r.File, r.Name(), r.Width, r.Producer, r.Opset)
	for i, way := range r.Ways {
		fmt.Fprintf(w, "  %c  %s\n", 'A'+i, way)
	}
	for _, s := range r.Skipped {
		fmt.Fprintln(w, "  skipped:", s)
	}
	for _, note := range r.Notes {
		fmt.Fprintln(w, "  note:", note)
	}
	fmt.Fprintf(w, "batch %d, seed %d: the largest |a-b|, and divided by the larger of 1 and the largest |b|, which is held against %g\n",
		r.Batch, r.Seed, r.Tolerance)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "layer\tin the file\tshape\t%s\tverdict\n", strings.Join(r.Pairs, "\t"))
	for _, l := range r.Layers {
		fmt.Fprintf(table, "%s\t%s\t%v\t", l.Ours, l.Keras, l.Shape)
		for _, d := range l.Pairs {
			if d == nil {
				fmt.Fprint(table, "-\t")
				continue
			}
			fmt.Fprintf(table, "%.0e %.0e\t", d.Absolute, d.Relative)
		}
		fmt.Fprintln(table, keras.Verdict(l.Holds))
	}
	table.Flush()
	if len(r.Expected) > 0 {
		table = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprint(table, "against Keras itself\tby\tabsolute\trelative\tverdict\n")
		for _, e := range r.Expected {
			fmt.Fprintf(table, "%s: %s\t%s\t%.1e\t%.1e\t%s\n", e.Output, e.File, r.Ways[e.Way], e.Absolute, e.Relative, keras.Verdict(e.Holds))
		}
		table.Flush()
	}
	if len(r.Tensors) > 0 {
		table = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprint(table, "tensor\tin the file\tshape\tagainst\tabsolute\trelative\tverdict\n")
		for _, t := range r.Tensors {
			fmt.Fprintf(table, "%s\t%s\t%v\t%s\t%.1e\t%.1e\t%s\n", t.Name, t.Keras, t.Shape, t.From, t.Absolute, t.Relative, keras.Verdict(t.Holds))
		}
		table.Flush()
	}
	fmt.Fprintf(w, "%s: %s\n", r.File, r.Verdict())
}
