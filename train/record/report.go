package record

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"io"

	"github.com/gantrain/gantrain/internal/safefile"
)

// Page is what a report says of a run. Whatever is empty is left out.
type Page struct {
	Title, Subtitle string
	Warnings        []string
	Asked           []Fact // GAN, recipe, data, seed, versions
	Results         []Fact // final numbers

	// Pictures are paths of PNG files, the animation that of a GIF.
	Samples, Real        string // newest samples, and the data to hold them against
	Animation            string
	Losses, Distribution string // plots, the latter of the discriminator's outputs

	Networks  []Network
	Generator Generator
}

// Fact is a number or a word with its name.
type Fact struct{ Name, Value string }

// Network is a table of layers.
type Network struct {
	Name   string
	Layers []Layer
}

// Layer is a row of a network's table.
type Layer struct {
	Name, Settings string
	Output         string // shape, like "128x7x7"
	Parameters     int
	Source         string // where it comes from
}

// Parameters is the number of all parameters.
func (n Network) Parameters() int {
	total := 0
	for _, l := range n.Layers {
		total += l.Parameters
	}
	return total
}

// Generator is the exported model that a report shows how to load.
type Generator struct {
	File     string // beside the report: "generator.onnx"
	Latent   int    // size of its input z
	Uniform  bool   // whether z is uniform in [-1, 1], and not standard normal
	Classes  int    // of its input label; 0 where it has none
	Output   string // its name: "image"
	Shape    string // of one output: "1, 28, 28"
	Min, Max float64
}

//go:embed report.html
var reportHTML string

// Style is what pages of this project look like: on a phone, in the dark and on
// paper.
//
//go:embed style.css
var Style string

var reportTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"style":     func() template.CSS { return template.CSS(Style) },
	"thousands": func(n int) string { return thousands(fmt.Sprint(n)) },
}).Parse(reportHTML))

// Report writes a page of HTML that stands alone: its pictures are part of it,
// and it runs no script. It shows on a phone, in the dark and on paper.
func Report(path string, page Page) error {
	inlined := struct {
		Page
		Inline map[string]template.HTMLAttr
	}{page, map[string]template.HTMLAttr{}}
	for _, picture := range []string{page.Samples, page.Real, page.Animation, page.Losses, page.Distribution} {
		if picture == "" {
			continue
		}
		var err error
		if inlined.Inline[picture], err = inline(picture); err != nil {
			return fmt.Errorf("record: %s: %w", path, err)
		}
	}
	err := safefile.WriteUnsynced(path, func(w io.Writer) error { return reportTemplate.Execute(w, inlined) })
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// inline returns the attributes of an img element that holds a picture file.
// Nothing in them needs to be escaped.
func inline(path string) (template.HTMLAttr, error) {
	content, err := readPicture(path)
	if err != nil {
		return "", err
	}
	config, format, err := image.DecodeConfig(bytes.NewReader(content))
	if err != nil {
		return "", fmt.Errorf("%s: no PNG or GIF picture: %w", path, err)
	}
	return template.HTMLAttr(fmt.Sprintf(`src="data:image/%s;base64,%s" width="%d" height="%d"`,
		format, base64.StdEncoding.EncodeToString(content), config.Width, config.Height)), nil
}
