package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/gantrain/gantrain/cmd/internal/command"
	"github.com/gantrain/gantrain/internal/nearest"
	"github.com/gantrain/gantrain/train"
	"github.com/gantrain/gantrain/train/keras"
)

func newParity() *cli.Command {
	return &cli.Command{
		Name:      "parity",
		Usage:     "repeat training steps that Keras has recorded, and compare losses and tensors",
		ArgsUsage: "FIXTURE.npz",
		Description: "The recipe and the tolerances stand in training.json, in the folder above the recording's. Exit code 0 only if all variants hold. Example:\n\n" +
			"gantrain parity train/keras/testdata/training/fredriksson-2d.npz",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "variant", Usage: "follow the recorded recipe `NAME`", DefaultText: "all"},
			&cli.StringFlag{Name: "engine", Value: string(train.ORT), Usage: "train on `ENGINE`: ort (ONNX Runtime) or tape (Gorgonia's machine, the reference)"},
			&cli.BoolFlag{Name: "float64", Usage: "compute in float64, on the tape", DisableDefaultText: true},
			libraryFlag,
		},
		Action: parity,
	}
}

func parity(c *cli.Context) error {
	if c.NArg() != 1 {
		return command.Usage(c, "want one recording, got %d arguments", c.NArg())
	}
	o := keras.ParityOptions{Float64: c.Bool("float64"), Runtime: libraryOptions(c)}
	var err error
	if o.Engine, err = engineOf(c, string(train.ORT), string(train.Tape)); err != nil {
		return err
	}
	if o.Float64 && o.Engine != train.Tape {
		if c.IsSet("engine") {
			return command.Usage(c, "--float64: not on engine %s, on tape alone", o.Engine)
		}
		o.Engine = train.Tape
	}
	path := c.Args().First()
	f, err := keras.OpenFixture(path)
	if err != nil {
		return err
	}
	defer f.Close()
	variants := f.Variants()
	if given := c.String("variant"); c.IsSet("variant") {
		if !slices.Contains(variants, given) {
			return command.Usage(c, "--variant %s: %s has %s%s", given, path, strings.Join(variants, ", "), nearest.Hint(given, variants))
		}
		variants = []string{given}
	}
	var depart []string
	followed := 0
	for _, v := range variants {
		p, err := f.Parity(c.Context, v, o)
		if err != nil {
			return err
		}
		printParity(c.App.Writer, p, o)
		if p.NotFollowed != "" {
			continue
		}
		followed++
		if !p.Holds() {
			depart = append(depart, v)
		}
	}
	switch {
	case len(depart) > 0:
		return fmt.Errorf("%s: %d of %d variants depart from Keras: %s", path, len(depart), followed, strings.Join(depart, ", "))
	case followed == 0:
		return fmt.Errorf("%s: no variant was followed, so nothing is proven", path)
	}
	return nil
}

// printParity prints a variant: its losses, its tensors, a line that sums up.
func printParity(w io.Writer, p *keras.Parity, o keras.ParityOptions) {
	name := fmt.Sprintf("%s %s", p.GAN.Name, p.Variant)
	if p.NotFollowed != "" {
		fmt.Fprintf(w, "%s: not followed: %s\n\n", name, p.NotFollowed)
		return
	}
	on := fmt.Sprintf("engine %s", o.Engine)
	if o.Float64 {
		on += " in float64"
	}
	fmt.Fprintf(w, "%s, batch %d, %s\n", name, p.GAN.Recipe.Batch, on)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "STEP\tLOSS\tHERE\tKERAS\tDIFFERENCE\tTOLERANCE\t")
	for _, l := range p.Losses {
		fmt.Fprintf(table, "%d\t%s\t%.8f\t%.8f\t%.1e\t%.1e\t%s\n", l.Step, l.Name, l.Ours, l.Keras, l.Difference(), l.Tolerance, verdict(l.Holds()))
	}
	table.Flush()
	table = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TENSOR\tIN KERAS\tSHAPE\tDIFFERENCE\tTOLERANCE\t")
	excepted := 0
	for _, t := range p.Tensors {
		says := verdict(t.Holds())
		if t.Excepted {
			excepted++
			says = "excepted: rounding moves it"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%.1e\t%.1e\t%s\n", t.Name, t.Keras, size(t.Shape), t.Difference, t.Tolerance, says)
	}
	table.Flush()
	fmt.Fprintln(w, summary(name, p, excepted))
	fmt.Fprintln(w)
}

func verdict(holds bool) string {
	if holds {
		return "holds"
	}
	return "DEPARTS"
}

// summary is the worst of the losses and the tensors, in a line.
func summary(name string, p *keras.Parity, excepted int) string {
	loss, tensor := 0.0, 0.0
	for _, l := range p.Losses {
		loss = max(loss, l.Difference())
	}
	for _, t := range p.Tensors {
		if !t.Excepted {
			tensor = max(tensor, t.Difference)
		}
	}
	return fmt.Sprintf("%s %s: %d losses within %.1e of Keras, %d tensors within %.1e, %d excepted",
		name, verdict(p.Holds()), len(p.Losses), loss, len(p.Tensors)-excepted, tensor, excepted)
}
