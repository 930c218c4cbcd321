package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gantrain/gantrain/cmd/internal/command"
	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/bench"
)

func newBench() *cli.Command {
	return &cli.Command{
		Name:  "bench",
		Usage: "measure how fast a GAN trains and where the time goes",
		Description: "Trains on pictures of noise and writes nothing. The time by operator is that of a few steps of their own, as measuring it slows them. Example:\n\n" +
			"gantrain bench --gan michelucci-dcgan --batch 256",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "gan", Value: "guo-mlp", Usage: "train the architecture `NAME` ('gantrain list' shows all)"},
			&cli.StringFlag{Name: "variant", Usage: "use the recipe `NAME` of the architecture instead of its usual one"},
			&cli.IntFlag{Name: "batch", Usage: "show `N` real images in a step", DefaultText: "the recipe's"},
			&cli.StringFlag{Name: "engine", Value: string(train.ORT), Usage: "train on `ENGINE`: ort (ONNX Runtime) or tape (Gorgonia's machine, the reference)"},
			providerFlag("cpu"),
			&cli.IntFlag{Name: "threads", Usage: "share an operator's work among `N` threads of ONNX Runtime", DefaultText: "one for each physical core that it may use"},
			&cli.Float64Flag{Name: "seconds", Value: 10, Usage: "time steps for `S` seconds, three steps at least"},
			&cli.BoolFlag{Name: "json", Usage: "print one line of JSON", DisableDefaultText: true},
			libraryFlag,
		},
		Action: func(c *cli.Context) error {
			o, err := benchOptionsOf(c)
			if err != nil {
				return err
			}
			report, err := bench.Run(c.Context, o)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return json.NewEncoder(c.App.Writer).Encode(report)
			}
			return printReport(c.App.Writer, report)
		},
	}
}

func benchOptionsOf(c *cli.Context) (bench.Options, error) {
	o := bench.Options{Train: train.Options{Runtime: libraryOptions(c)}}
	if c.Args().Present() {
		return o, command.Usage(c, "unexpected argument %q", c.Args().First())
	}
	var err error
	if o.Train.Engine, err = engineOf(c, string(train.ORT), string(train.Tape)); err != nil {
		return o, err
	}
	if o.Train.Runtime.Provider, err = providerOf(c); err != nil {
		return o, err
	}
	o.Train.Runtime.Threads = c.Int("threads")
	if c.IsSet("threads") && (o.Train.Runtime.Threads < 1 || o.Train.Runtime.Threads > maxThreads) {
		return o, command.Usage(c, "--threads %d: want 1 to %d", o.Train.Runtime.Threads, maxThreads)
	}
	seconds := c.Float64("seconds")
	if !(seconds > 0 && seconds <= maxSeconds) {
		return o, command.Usage(c, "--seconds %g: want above 0, at most %d", seconds, maxSeconds)
	}
	o.Duration = time.Duration(seconds * float64(time.Second))
	if o.GAN, err = arch.Find(c.String("gan"), c.String("variant")); err != nil {
		return o, command.Usage(c, "%s", err)
	}
	if c.IsSet("batch") {
		if o.GAN.Recipe.Batch, err = batchOf(c); err != nil {
			return o, err
		}
	}
	return o, nil
}

const (
	maxThreads = 1024
	maxSeconds = 86400
)

func printReport(w io.Writer, r *bench.Report) error {
	name := strings.TrimSpace(r.GAN + " " + r.Variant)
	fmt.Fprintf(w, "%s, batch %d, engine %s on %s, ONNX Runtime %s\n", name, r.Batch, r.Engine, r.Provider, runtime.Version())
	if r.Note != "" {
		fmt.Fprintln(w, r.Note)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "step\t%.4g ms, the median of %d; quartiles %.4g and %.4g\n", r.StepMS, r.Steps, r.Quartiles[0], r.Quartiles[1])
	fmt.Fprintf(table, "images\t%.4g/s\n", r.Images)
	if r.FirstStep != nil {
		fmt.Fprintf(table, "first step\tdone %.2f s after the process started\n", *r.FirstStep)
	}
	if r.PeakMB != nil {
		fmt.Fprintf(table, "peak memory\t%.0f MB\n", *r.PeakMB)
	}
	fmt.Fprintf(table, "arithmetic\t%.4g GFLOP a step %s: %.4g GFLOP/s, %.0f%% of the best matrix product's %.4g\n",
		r.Work, r.Method, r.Rate, 100*r.Rate/r.GEMM, r.GEMM)
	if err := table.Flush(); err != nil {
		return err
	}
	for _, s := range r.Skipped {
		fmt.Fprintln(w, s)
	}
	if len(r.Operators) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	table = tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "OPERATOR\tON\tNODES\tMS A STEP\tSHARE\t")
	for _, o := range r.Operators {
		fmt.Fprintf(table, "%s\t%s\t%d\t%.3f\t%.1f%%\t\n", o.Op, o.Provider, o.Count, o.MS, 100*o.Share)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if r.Provider != runtime.CPU {
		fmt.Fprintln(w, fallback(r))
	}
	return nil
}

// fallback says what a provider left to the CPU: "Slice 3, Transpose 1".
func fallback(r *bench.Report) string {
	var left []string
	for _, op := range slices.Sorted(maps.Keys(r.Fallback)) {
		left = append(left, fmt.Sprintf("%s %d", op, r.Fallback[op]))
	}
	if len(left) == 0 {
		return fmt.Sprintf("%s left no node to the CPU", r.Provider)
	}
	return fmt.Sprintf("%s left nodes to the CPU: %s", r.Provider, strings.Join(left, ", "))
}
