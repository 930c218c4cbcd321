package train

import (
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"github.com/gantrain/gantrain/runtime/latent"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/record"
)

// frameTime is how long an animation shows each picture of samples.
const frameTime = 200 * time.Millisecond

// resultSteps is the number of last steps whose means a report gives: single
// ones say little.
const resultSteps = 100

// conclude writes what a finished run is looked at by: the animation of its
// samples, the histogram of what its discriminator says, and the page with all.
func (r *Run) conclude() error {
	if drawn(r.Model().GAN.Image) {
		frames, err := r.frames()
		if err != nil {
			return err
		}
		if err := record.Animate(r.Path("samples", "samples.gif"), frames, frameTime); err != nil {
			return err
		}
	}
	real, fake, err := r.trainer.judge()
	if err != nil {
		return err
	}
	if err := record.Histogram(r.Path("histogram.png"), r.Model().GAN.Name, real, fake); err != nil {
		return err
	}
	page, err := r.page()
	if err != nil {
		return err
	}
	return record.Report(r.Path("report.html"), page)
}

// frames are the pictures of samples, by step.
func (r *Run) frames() ([]record.Frame, error) {
	entries, err := os.ReadDir(r.Path("samples")) // sorted
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	var frames []record.Frame
	for _, e := range entries {
		var step int
		if _, err := fmt.Sscanf(e.Name(), "step-%d.png", &step); err == nil {
			frames = append(frames, record.Frame{Path: r.Path("samples", e.Name()), Caption: fmt.Sprint("step ", step)})
		}
	}
	return frames, nil
}

// page says what there is to say of the run.
func (r *Run) page() (record.Page, error) {
	gan, report := r.Model().GAN, r.report
	table, err := record.ReadLosses(r.Path("losses.csv"))
	if err != nil {
		return record.Page{}, err
	}
	p := record.Page{
		Title:    fmt.Sprintf("%s on %s", gan.Name, report.Data.Name),
		Subtitle: gan.Title,
		Warnings: r.Model().Watch.Said,
		Asked:    asked(report),
		Results:  finalNumbers(table),

		Losses:       r.Path("losses.png"),
		Distribution: r.Path("histogram.png"),
	}
	if drawn(gan.Image) {
		p.Samples, p.Real, p.Animation = r.LastSamples(), r.Path("samples", "real.png"), r.Path("samples", "samples.gif")
	}
	for _, part := range parts(gan) {
		rows, err := part.net.Rows()
		if err != nil {
			return record.Page{}, fmt.Errorf("train: %s: %w", part.role, err)
		}
		p.Networks = append(p.Networks, network(string(part.role), rows, gan.Sources))
	}
	if report.NotExported == "" {
		output := "points"
		if gan.Image.Picture() {
			output = "image"
		}
		p.Generator = record.Generator{
			File: "generator.onnx", Latent: gan.Latent.Size, Uniform: gan.Latent.Distribution == string(latent.Uniform),
			Classes: r.Model().classes(arch.Generator), Output: output, Shape: join(gan.Image, ", "), Min: gan.Min, Max: gan.Max,
		}
	}
	return p, nil
}

// asked says what was asked of a run, but no path, which another machine may not
// have.
func asked(r Report) []record.Fact {
	facts := []record.Fact{{Name: "GAN", Value: r.GAN}}
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, record.Fact{Name: name, Value: value})
		}
	}
	add("variant", r.Variant)
	add("changes to the recipe", r.Arguments)
	add("data", fmt.Sprintf("%s, %d examples", r.Data.Name, r.Data.Images))
	add("its licence", r.Data.Licence)
	var classes []string
	for label, name := range r.Data.ClassNames {
		classes = append(classes, fmt.Sprintf("%d %s", label, name))
	}
	add("classes", strings.Join(classes, ", "))
	add("steps", fmt.Sprint(r.Goal))
	add("seed", fmt.Sprint(r.Seed))
	add("engine", string(r.Engine))
	add("computed by", r.Versions.Compute)
	add("gantrain", r.Versions.Gantrain)
	add("Gorgonia", r.Versions.Gorgonia)
	add("Go", r.Versions.Go)
	return facts
}

// finalNumbers are the means of a table's last rows.
func finalNumbers(t record.Table) []record.Fact {
	rows := min(resultSteps, len(t.Steps))
	facts := []record.Fact{{Name: "means of the last", Value: fmt.Sprint(rows, " steps")}}
	for i, name := range t.Columns {
		total, count := 0.0, 0
		for _, v := range t.Values[i][len(t.Steps)-rows:] {
			if !math.IsNaN(v) { // not computed in that step
				total, count = total+v, count+1
			}
		}
		if count > 0 {
			facts = append(facts, record.Fact{Name: name, Value: fmt.Sprintf("%.4g", total/float64(count))})
		}
	}
	return facts
}

// network is the table of a network's layers.
func network(name string, rows []arch.Row, sources arch.Sources) record.Network {
	n := record.Network{Name: name}
	for _, row := range rows {
		topic := arch.Networks
		if _, ok := row.Layer.(arch.BatchNorm); ok {
			topic = arch.Normalising
		}
		n.Layers = append(n.Layers, record.Layer{
			Name: row.Name, Settings: arch.Settings(row.Layer), Output: join(row.Output, "x"),
			Parameters: row.Count(), Source: string(sources[topic].Source),
		})
	}
	return n
}

// join writes a shape, or other numbers, with something between them.
func join(s []int, between string) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(s), " ", between), "[]")
}
