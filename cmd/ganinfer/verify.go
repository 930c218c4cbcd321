package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/gantrain/gantrain/cmd/internal/command"
	"github.com/gantrain/gantrain/export/verify"
	"github.com/gantrain/gantrain/runtime"
)

type verifyOptions struct {
	a, b      string
	batch     int
	seed      uint64
	tolerance float64
	runtime   runtime.Options
	stdout    io.Writer
	stderr    io.Writer
}

func newVerify() *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "compare two models on the same inputs",
		ArgsUsage: "A.onnx B.onnx",
		Description: "Runs both on ONNX Runtime and tells how far the outputs of one name lie apart: the largest and the mean |a-b|, divided by the larger of 1 and the largest |b|. Pictures of bytes are held against pictures of numbers. Exits 0 only if all are within the tolerance. Example:\n\n" +
			"ganinfer verify half.onnx generator.onnx --tolerance 0.01",
		Flags: append([]cli.Flag{
			&cli.IntFlag{Name: "batch", Value: 5, Usage: "run `N` examples, or as many as a model takes"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "draw the inputs from `SEED`"},
			&cli.Float64Flag{Name: "tolerance", Value: verify.Tolerance, Usage: "allow a largest difference of `T`"},
		}, nativeFlags()...),
		Action: func(c *cli.Context) error {
			native, err := nativeOptions(c)
			if err != nil {
				return err
			}
			o := verifyOptions{
				a: c.Args().Get(0), b: c.Args().Get(1), batch: c.Int("batch"), seed: c.Uint64("seed"), tolerance: c.Float64("tolerance"),
				runtime: native, stdout: c.App.Writer, stderr: c.App.ErrWriter,
			}
			switch {
			case c.NArg() != 2:
				return command.Usage(c, "%d arguments, want two models", c.NArg())
			case o.batch < 1 || o.batch > maxBatch:
				return command.Usage(c, "--batch %d: want 1 to %d", o.batch, maxBatch)
			case !(o.tolerance >= 0 && o.tolerance < 1):
				return command.Usage(c, "--tolerance %g: want a number from 0 on, below 1", o.tolerance)
			}
			return compareModels(c.Context, o)
		},
	}
}

func compareModels(ctx context.Context, o verifyOptions) error {
	a, err := runtime.Open(ctx, o.a, o.runtime)
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := runtime.Open(ctx, o.b, o.runtime)
	if err != nil {
		return err
	}
	defer b.Close()
	sayProvider(b, o.stderr) // as a's
	batch := o.batch
	for _, p := range b.Inputs() { // a's own size wins
		if len(p.Shape) > 0 && p.Shape[0] > 0 {
			batch = int(min(p.Shape[0], maxBatch))
		}
	}
	in, err := verify.Inputs(a, batch, o.seed)
	if err != nil {
		return fmt.Errorf("%s: %w", o.a, err)
	}
	pairs, err := verify.Pairs(ctx, a, b, in)
	if err != nil {
		return fmt.Errorf("%s against %s: %w", o.a, o.b, err)
	}
	table := tabwriter.NewWriter(o.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "output\tbatch\tlargest\tmean\tlevels of 255\tverdict")
	var departs []string
	for _, p := range pairs {
		verdict, levels := "holds", ""
		if !(p.Max <= o.tolerance) {
			verdict = "departs"
			departs = append(departs, p.Output)
		}
		if p.Levels > 0 {
			levels = fmt.Sprintf("%.2f", p.Levels)
		}
		fmt.Fprintf(table, "%s\t%d\t%.1e\t%.1e\t%s\t%s\n", p.Output, p.Batch, p.Max, p.Mean, levels, verdict)
	}
	table.Flush()
	if len(departs) > 0 {
		return fmt.Errorf("%s departs from %s by more than %g: %s", o.a, o.b, o.tolerance, strings.Join(departs, ", "))
	}
	return nil
}
