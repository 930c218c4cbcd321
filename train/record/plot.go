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

// lineInks are told apart with any colour vision, the first two at least.
var lineInks = []color.NRGBA{
	{0x2b, 0x6c, 0xb0, 0xff}, // blue
	{0xd9, 0x6b, 0x27, 0xff}, // orange
	{0x3a, 0x8f, 0x5c, 0xff}, // green
	{0x8a, 0x56, 0xa5, 0xff}, // violet
}

// lineNames are how the legend calls the columns that most runs have.
var lineNames = map[string]string{"d_loss": "discriminator", "g_loss": "generator"}

// curve is a column as it is drawn.
type curve struct {
	name          string
	ink           color.NRGBA
	raw, smoothed plotter.XYs
}

// PlotLosses draws the columns of a file of losses over the steps as a PNG of
// 1200 by 700 pixels: each as a faint line, averaged where rows are closer than
// pixels, and a smoothed one. Values that are not finite are left out, and
// rare extreme ones lie beyond the edge.
func PlotLosses(csvPath, pngPath, title string) error {
	table, err := ReadLosses(csvPath)
	if err != nil {
		return err
	}
	curves := curvesOf(table)
	if len(curves) == 0 {
		return fmt.Errorf("record: %s: holds no finite value to plot", csvPath)
	}

	p, legend := newPlot(), newLegend()
	for _, c := range curves {
		faint := c.ink
		faint.A = 0x50
		p.Add(&plotter.Line{XYs: c.raw, LineStyle: draw.LineStyle{Color: faint, Width: vg.Points(0.8)}})
	}
	for _, c := range curves { // no faint line over a smoothed one
		line := &plotter.Line{XYs: c.smoothed, LineStyle: draw.LineStyle{Color: c.ink, Width: vg.Points(2)}}
		p.Add(line)
		legend.Add(c.name, line)
		if len(c.raw) == 1 { // a line needs two points
			dot := draw.GlyphStyle{Color: c.ink, Radius: vg.Points(4), Shape: draw.CircleGlyph{}}
			p.Add(&plotter.Scatter{XYs: c.raw, GlyphStyle: dot})
		}
	}
	p.Y.Min, p.Y.Max = verticalRange(curves) // after Add, which widens it
	if err := writePlot(pngPath, p, legend, title); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// curvesOf leaves out columns without a finite value.
func curvesOf(table Table) []curve {
	var curves []curve
	for i, column := range table.Columns {
		points := downsample(table.Steps, table.Values[i], plotPoints)
		if len(points) == 0 {
			continue
		}
		name, known := lineNames[column]
		if !known {
			name = column
		}
		reach := max(2, int(smoothPart*float64(len(points))))
		curves = append(curves, curve{name, lineInks[i%len(lineInks)], points, smooth(points, reach)})
	}
	return curves
}
