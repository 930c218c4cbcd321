package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/gantrain/gantrain/cmd/internal/command"
	"github.com/gantrain/gantrain/train/arch"
)

func newShow() *cli.Command {
	return &cli.Command{
		Name:        "show",
		Usage:       "show an architecture: layers, shapes, parameters, recipe, sources",
		ArgsUsage:   "NAME_OR_FILE.yaml",
		Description: "Examples:\n\ngantrain show guo-mlp\ngantrain show silva-dcgan --yaml > my-gan.yaml",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "variant", Usage: "show the recipe `NAME` of the architecture"},
			&cli.BoolFlag{Name: "yaml", Usage: "print a file that 'gantrain train' takes, to start one's own from", DisableDefaultText: true},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return command.Usage(c, "want the name of one architecture, got %d arguments", c.NArg())
			}
			gan, err := described(c, c.Args().First())
			if err != nil {
				return err
			}
			if c.Bool("yaml") {
				return showYAML(c.App.Writer, gan)
			}
			return show(c.App.Writer, gan)
		},
	}
}

// showYAML prints a file to start one's own from: it names a published GAN in a
// comment only, and is called as its file is.
func showYAML(w io.Writer, gan arch.GAN) error {
	if gan.Sources != nil {
		fmt.Fprintf(w, "# From %s: %s\n", strings.TrimSuffix(gan.Name+", variant "+gan.Variant, ", variant "), gan.Title)
		gan.Name, gan.Variant, gan.Title = "", "", ""
	}
	text, err := gan.YAML()
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

// described is a published GAN, or the one that a file describes.
func described(c *cli.Context, name string) (arch.GAN, error) {
	if isYAML(name) {
		if c.IsSet("variant") {
			return arch.GAN{}, command.Usage(c, "--variant: %s has one recipe", name)
		}
		return arch.ReadYAML(name)
	}
	gan, err := arch.Find(name, c.String("variant"))
	if err != nil {
		return gan, command.Usage(c, "%s", err)
	}
	return gan, nil
}

func show(w io.Writer, gan arch.GAN) error {
	fmt.Fprintln(w, strings.TrimSuffix(gan.Name+": "+gan.Title, ": "))
	for _, part := range []struct {
		name string
		net  arch.Network
	}{{"generator", gan.Generator}, {"discriminator", gan.Discriminator}} {
		fmt.Fprintf(w, "\n%s: from %s\n", part.name, size(part.net.Input))
		if err := layers(w, part.net); err != nil {
			return err
		}
	}
	fmt.Fprint(w, "\nrecipe\n")
	if err := steps(w, gan); err != nil {
		return err
	}
	if gan.Sources == nil { // one's own
		return nil
	}
	fmt.Fprint(w, "\nsources\n")
	if err := origins(w, gan.Sources); err != nil {
		return err
	}
	variants(w, gan.Name)
	return nil
}

func layers(w io.Writer, net arch.Network) error {
	rows, err := net.Rows()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  LAYER\tSETTINGS\tOUTPUT\tPARAMETERS")
	total := 0
	for _, r := range rows {
		own := r.Count()
		for _, inner := range r.Rows {
			fmt.Fprintf(table, "  %s\t%s\t%s\t%d\n", inner.Name, arch.Settings(inner.Layer), size(inner.Output), inner.Count())
			own -= inner.Count()
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\t%d\n", r.Name, arch.Settings(r.Layer), size(r.Output), own)
		total += r.Count()
	}
	fmt.Fprintf(table, "  total\t\t\t%d\n", total)
	return table.Flush()
}

func steps(w io.Writer, gan arch.GAN) error {
	r := gan.Recipe
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(table, "  %s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	if gan.Image.Picture() {
		line("data", "%s, pixels scaled to [%g, %g]", cmp.Or(gan.Dataset, "given"), gan.Min, gan.Max)
	} else {
		line("data", "%s, as they are", cmp.Or(gan.Dataset, "given"))
	}
	line("latent vectors", "%d values, %s", gan.Latent.Size, gan.Latent.Distribution)
	if gan.Classes > 0 {
		line("classes", "%d, as labelled or, of generated images, uniform", gan.Classes)
	}
	line("batch", "%d, %s", r.Batch, r.Sampling)
	if r.Steps > 0 {
		line("steps", "%d", r.Steps)
	} else {
		line("epochs", "%d", r.Epochs)
	}
	for i, u := range r.Updates {
		line(fmt.Sprintf("update %d", i+1), "%s", describe(u))
	}
	for i, p := range r.Phases {
		line(fmt.Sprintf("phase %d", i+1), "%d steps of the %s alone", p.Steps, p.Trains)
	}
	if r.Simultaneous {
		line("order", "all updates from the weights before the step, in one forward pass")
	} else {
		line("order", "each update after the one before it")
	}
	for _, role := range []arch.Role{arch.Discriminator, arch.Generator} {
		a := r.Adam[role]
		line(string(role), "Adam, rate %g, beta1 %g, beta2 %g, epsilon %g", a.Rate, a.Beta1, a.Beta2, a.Epsilon)
	}
	if r.EMA > 0 {
		line("running average", "of the generator's weights, decay %g", r.EMA)
	}
	samples := fmt.Sprintf("%dx%d", gan.Grid.Rows, gan.Grid.Columns)
	if !gan.Image.Picture() {
		samples = fmt.Sprint(gan.Grid.Rows * gan.Grid.Columns)
	}
	line("samples", "%s %s", samples, moments(gan.Grid))
	return table.Flush()
}

// moments says when samples are kept.
func moments(g arch.Grid) string {
	text := fmt.Sprintf("after epoch 1 and every %d", g.Every)
	switch {
	case g.Steps > 0:
		text = fmt.Sprintf("every %d steps", g.Steps)
	case g.Start:
		text = fmt.Sprintf("every %d epochs", g.Every)
	}
	if g.Start {
		text = "before training and " + text
	}
	if g.Print > 0 {
		text += fmt.Sprintf(", losses printed every %d", g.Print)
	}
	return text
}

func describe(u arch.Update) string {
	loss := "cross-entropy on logits"
	if u.Epsilon > 0 {
		loss = fmt.Sprintf("-log(p + %g)", u.Epsilon)
	}
	if u.Half {
		loss += ", half of the batch"
	}
	if u.Real > 0 {
		loss += fmt.Sprintf(", real batch %d", u.Real+1)
	}
	mode := "training"
	if u.Predicted {
		mode = "inference"
	}
	if u.Minimax {
		loss = "minimax, minus " + loss
	}
	if u.Trains == arch.Generator {
		return fmt.Sprintf("generator: %s, generated images labelled %g (generator in %s mode), noise %d", loss, u.FakeLabel, mode, u.Noise+1)
	}
	if u.Only == arch.Real {
		return fmt.Sprintf("discriminator: %s, real images labelled %g", loss, u.RealLabel)
	}
	if u.Only == arch.Fake {
		return fmt.Sprintf("discriminator: %s, generated images labelled %g (generator in %s mode), noise %d", loss, u.FakeLabel, mode, u.Noise+1)
	}
	how := "the sum of two means"
	if u.Joined {
		how = "one mean over both"
	}
	return fmt.Sprintf("discriminator: %s, real images labelled %g, generated %g (generator in %s mode), %s, noise %d",
		loss, u.RealLabel, u.FakeLabel, mode, how, u.Noise+1)
}

func origins(w io.Writer, s arch.Sources) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, topic := range arch.Topics {
		text := string(s[topic].Source)
		if remark := s[topic].Remark; remark != "" {
			text += ": " + remark
		}
		fmt.Fprintf(table, "  %s\t%s\n", topic, text)
	}
	return table.Flush()
}

func variants(w io.Writer, name string) {
	for _, p := range arch.All() {
		if p.Name != name {
			continue
		}
		for _, v := range p.Variants {
			fmt.Fprintf(w, "\nvariant %s: %s\n", v.Name, v.Doc)
		}
	}
}

// size prints a shape as 1x28x28.
func size(s arch.Shape) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(s), " ", "x"), "[]")
}
