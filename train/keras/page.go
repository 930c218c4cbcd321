package keras

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"path/filepath"

	"github.com/gantrain/gantrain/internal/safefile"
	"github.com/gantrain/gantrain/train/record"
)

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"style":   func() template.CSS { return template.CSS(record.Style) },
	"verdict": Verdict,
}).Parse(pageHTML))

// Verdict is a word for what was found.
func Verdict(holds bool) string {
	if holds {
		return "holds"
	}
	return "departs"
}

// WritePage writes what checks have found as a page of HTML that stands alone.
func WritePage(path string, reports ...*Report) error {
	return safefile.WriteUnsynced(path, func(w io.Writer) error { return pageTemplate.Execute(w, reports) })
}

// Title names the file.
func (r *Report) Title() string { return filepath.Base(r.File) }

// Facts are what was checked, and how.
func (r *Report) Facts() []record.Fact {
	return []record.Fact{
		{Name: "network", Value: r.Name()},
		{Name: "width", Value: r.Width},
		{Name: "written by", Value: fmt.Sprintf("%s, opset %d", r.Producer, r.Opset)},
		{Name: "input", Value: fmt.Sprintf("random, batch %d, seed %d", r.Batch, r.Seed)},
		{Name: "tolerance", Value: fmt.Sprint(r.Tolerance)},
		{Name: "verdict", Value: r.Verdict()},
	}
}

// Name is the network: "generator of intro-mlp nobn".
func (r *Report) Name() string {
	name := fmt.Sprintf("%s of %s", r.Network, r.GAN)
	if r.Variant != "" {
		name += " " + r.Variant
	}
	return name
}

// Verdict says in a line what was found first.
func (r *Report) Verdict() string {
	switch {
	case r.Unknown != nil:
		return r.Unknown.Error()
	case r.Holds:
		return "all hold"
	}
	for _, t := range r.Tensors {
		if !t.Holds {
			return fmt.Sprintf("%s (in the file %s) departs from %s by %.1e", t.Name, t.Keras, t.From, t.Absolute)
		}
	}
	for _, l := range r.Layers {
		if !l.Holds {
			return fmt.Sprintf("%s (in the file %s) is the first layer that departs, by %.1e", l.Ours, l.Keras, l.Worst())
		}
	}
	for _, e := range r.Expected {
		if !e.Holds {
			return fmt.Sprintf("%s of %s departs from %s by %.1e", e.Output, r.Ways[e.Way], e.File, e.Relative)
		}
	}
	return "departs"
}
