package record

import (
	"fmt"
	"image/color"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

const (
	// plotPoints is about two points for each pixel of the axis.
	plotPoints = 2000
	// smoothPart of the axis is what a smoothed point reaches to either side.
	smoothPart = 0.015
)

// look is how a column is drawn.
type look struct {
	name        string // in the legend
	ink         color.NRGBA
	part        bool // of another column: dashed, and without its noise
	probability bool // in the panel below
}

// looks are those of the columns that runs have.
var looks = map[string]look{
	"d_loss":      {name: "discriminator", ink: blue},
	"g_loss":      {name: "generator", ink: orange},
	"d_loss_real": {name: "discriminator on real data", ink: blue, part: true},
	"d_loss_fake": {name: "discriminator on generated data", ink: orange, part: true},
	"d_real":      {name: "D(x), real", ink: blue, probability: true},
	"d_fake":      {name: "D(G(z)), generated", ink: orange, probability: true},
	"d_accuracy":  {name: "discriminator's accuracy", ink: green, probability: true},
}

// lineInks are those of other columns, by their place.
var lineInks = []color.NRGBA{blue, orange, green, violet}

// curve is a column as it is drawn.
type curve struct {
	look
	raw, smoothed plotter.XYs
}

// PlotLosses draws the columns of a file of losses over the steps as a PNG of
// 1200 by 700 pixels: each as a faint line, averaged where rows are closer than
// pixels, and a smoothed one. Values that are not finite are left out, and
// rare extreme ones lie beyond the edge. What the discriminator says (d_real,
// d_fake, d_accuracy), where the file has it, gets a panel of its own below,
// and the picture 1100 pixels.
func PlotLosses(csvPath, pngPath, title string) error {
	table, err := ReadLosses(csvPath)
	if err != nil {
		return err
	}
	losses, probabilities := curvesOf(table)
	if len(losses)+len(probabilities) == 0 {
		return fmt.Errorf("record: %s: holds no finite value to plot", csvPath)
	}
	var panels []*panel
	height := vg.Length(700)
	if len(losses) > 0 {
		p := newCurves("loss", losses)
		p.Y.Min, p.Y.Max = verticalRange(losses) // after Add, which widens it
		panels = append(panels, p)
	}
	if len(probabilities) > 0 {
		p := newCurves("probability", probabilities)
		p.Y.Min, p.Y.Max = 0, 1
		panels = append(panels, p)
	}
	if len(panels) == 2 {
		height = 1100
		a, b := panels[0], panels[1]
		a.X.Min, a.X.Max = min(a.X.Min, b.X.Min), max(a.X.Max, b.X.Max)
		b.X.Min, b.X.Max = a.X.Min, a.X.Max
	}
	if err := writePanels(pngPath, title, 1200, height, panels...); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// newCurves draws curves over the steps.
func newCurves(y string, curves []curve) *panel {
	p := newPanel("step", y)
	p.X.Tick.Marker = ticker{about: 10, whole: true}
	for _, c := range curves {
		if !c.part {
			p.Add(&plotter.Line{XYs: c.raw, LineStyle: draw.LineStyle{Color: faint(c.ink, 0x50), Width: vg.Points(0.8)}})
		}
	}
	for _, c := range curves { // no faint line over a smoothed one
		line := &plotter.Line{XYs: c.smoothed, LineStyle: draw.LineStyle{Color: c.ink, Width: vg.Points(2)}}
		if c.part {
			line.Width, line.Dashes = vg.Points(1.2), []vg.Length{vg.Points(4), vg.Points(2)}
		}
		p.Add(line)
		p.legend(c.name, line)
		if len(c.raw) == 1 { // a line needs two points
			dot := draw.GlyphStyle{Color: c.ink, Radius: vg.Points(4), Shape: draw.CircleGlyph{}}
			p.Add(&plotter.Scatter{XYs: c.raw, GlyphStyle: dot})
		}
	}
	return p
}

// curvesOf leaves out columns without a finite value.
func curvesOf(table Table) (losses, probabilities []curve) {
	for i, column := range table.Columns {
		points := downsample(table.Steps, table.Values[i], plotPoints)
		if len(points) == 0 {
			continue
		}
		style, known := looks[column]
		if !known {
			style = look{name: column, ink: lineInks[i%len(lineInks)]}
		}
		reach := max(2, int(smoothPart*float64(len(points))))
		c := curve{style, points, smooth(points, reach)}
		if style.probability {
			probabilities = append(probabilities, c)
		} else {
			losses = append(losses, c)
		}
	}
	return losses, probabilities
}
