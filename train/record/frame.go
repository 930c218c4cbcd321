package record

import (
	"image/color"
	"io"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/gantrain/gantrain/internal/safefile"
)

// A plot's canvas is 1200 by 700 pixels, at 96 pixels for 72 points.
const (
	dpi        = 96
	plotWidth  = 1200 * vg.Inch / dpi
	plotHeight = 700 * vg.Inch / dpi

	margin = 14 * vg.Length(1)
	head   = 44 * vg.Length(1) // strip for title and legend
)

var (
	ink     = color.NRGBA{0x33, 0x38, 0x40, 0xff}
	axisInk = color.NRGBA{0x9a, 0xa1, 0xab, 0xff}
	gridInk = color.NRGBA{0xdf, 0xe3, 0xe8, 0xff}
)

func textStyle(size float64) text.Style {
	return text.Style{
		Color:   ink,
		Font:    font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(size)},
		Handler: plot.DefaultTextHandler,
	}
}

// newPlot has axes called step and loss, and a grid.
func newPlot() *plot.Plot {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = "step", "loss"
	p.X.Tick.Marker = ticker{about: 10, whole: true}
	p.Y.Tick.Marker = ticker{about: 7}
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font, axis.Label.TextStyle.Color = textStyle(13).Font, ink
		axis.Tick.Label.Font, axis.Tick.Label.Color = textStyle(11).Font, ink
		axis.Label.Padding = vg.Points(6)
		axis.LineStyle.Color, axis.Tick.LineStyle.Color = axisInk, axisInk
		axis.Padding = 0
	}
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = gridInk, gridInk
	p.Add(grid)
	return p
}

func newLegend() *plot.Legend {
	legend := plot.NewLegend()
	legend.Top, legend.TextStyle = true, textStyle(12)
	legend.Padding, legend.ThumbnailWidth = vg.Points(3), vg.Points(26)
	return &legend
}

// writePlot draws the title and the legend above the plot, where no line runs
// under them.
func writePlot(path string, p *plot.Plot, legend *plot.Legend, title string) error {
	canvas := vgimg.NewWith(vgimg.UseWH(plotWidth, plotHeight), vgimg.UseDPI(dpi))
	page := draw.Crop(draw.New(canvas), margin, -2*margin, margin, -margin)
	style := textStyle(16)
	style.YAlign = draw.YTop
	page.FillText(style, vg.Point{X: page.Min.X, Y: page.Max.Y}, title)
	legend.Draw(page)
	p.Draw(draw.Crop(page, 0, 0, 0, -head))
	return safefile.WriteUnsynced(path, func(w io.Writer) error {
		_, err := vgimg.PngCanvas{Canvas: canvas}.WriteTo(w)
		return err
	})
}
