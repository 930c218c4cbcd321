package record

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// scatterMargin is how far the axes reach beyond the real data, as a part of
// its extent: for what an unfinished generator makes around it.
const scatterMargin = 0.25

// Scatter draws real and generated points as a PNG of 800 by 700 pixels. The
// axes depend on the real ones only, so that pictures of one run can follow each
// other in an animation; the legend says how many generated ones lie beyond. Without
// real ones the axes hold the generated.
func Scatter(path, title string, real, fake [][2]float64) error {
	p := newPanel("", "")
	p.X.Tick.Marker, p.Y.Tick.Marker = ticker{about: 8}, ticker{about: 8}
	var low, high [2]float64
	framed := real
	if len(real) == 0 {
		framed = fake
	}
	for axis := range 2 {
		low[axis], high[axis] = math.Inf(1), math.Inf(-1)
		for i, v := range framed {
			if math.IsNaN(v[axis]) || math.IsInf(v[axis], 0) {
				return fmt.Errorf("record: %s: point %d is %v", path, i, v)
			}
			low[axis], high[axis] = min(low[axis], v[axis]), max(high[axis], v[axis])
		}
		reach := scatterMargin * (high[axis] - low[axis])
		if reach == 0 { // all in one place
			reach = 1
		}
		low[axis], high[axis] = low[axis]-reach, high[axis]+reach
	}
	if len(framed) == 0 || math.IsInf(high[0]-low[0], 0) || math.IsInf(high[1]-low[1], 0) {
		return fmt.Errorf("record: %s: %d points, which make no axes", path, len(framed))
	}

	within := func(points [][2]float64) (kept plotter.XYs) {
		for _, v := range points {
			if v[0] >= low[0] && v[0] <= high[0] && v[1] >= low[1] && v[1] <= high[1] {
				kept = append(kept, plotter.XY{X: v[0], Y: v[1]})
			}
		}
		return kept
	}
	add := func(name string, points plotter.XYs, ink color.NRGBA) {
		style := draw.GlyphStyle{Color: faint(ink, 0x90), Radius: vg.Points(2.2), Shape: draw.CircleGlyph{}}
		p.Add(steady{&plotter.Scatter{XYs: points, GlyphStyle: style}})
		style.Radius = vg.Points(4)
		p.legend(name, &plotter.Scatter{GlyphStyle: style})
	}
	if len(real) > 0 {
		add("real", within(real), blue)
	}
	if len(fake) > 0 {
		points := within(fake)
		name := "generated"
		if beyond := len(fake) - len(points); beyond > 0 {
			name += fmt.Sprintf(", %s of %s beyond the edge", thousands(fmt.Sprint(beyond)), thousands(fmt.Sprint(len(fake))))
		}
		add(name, points, orange)
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = low[0], high[0], low[1], high[1]
	if err := writePanels(path, title, 800, 700, p); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// steady points take no room beyond the axes, which would move them.
type steady struct{ *plotter.Scatter }

func (steady) GlyphBoxes(*plot.Plot) []plot.GlyphBox { return nil }
