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

// dpi makes 96 pixels of 72 points.
const dpi = 96

const (
	margin    = 14 * vg.Length(1)
	titleRow  = 27 * vg.Length(1) // strip for the title
	legendRow = 22 * vg.Length(1) // strip for the legend below it
)

// Whatever stands for the data or the discriminator is blue, for the generator
// or what it makes orange: told apart with any colour vision.
var (
	blue   = color.NRGBA{0x2b, 0x6c, 0xb0, 0xff}
	orange = color.NRGBA{0xd9, 0x6b, 0x27, 0xff}
	green  = color.NRGBA{0x3a, 0x8f, 0x5c, 0xff}
	violet = color.NRGBA{0x8a, 0x56, 0xa5, 0xff}

	ink     = color.NRGBA{0x33, 0x38, 0x40, 0xff}
	axisInk = color.NRGBA{0x9a, 0xa1, 0xab, 0xff}
	gridInk = color.NRGBA{0xdf, 0xe3, 0xe8, 0xff}
)

// faint is a colour that what lies below shines through.
func faint(c color.NRGBA, alpha uint8) color.NRGBA {
	c.A = alpha
	return c
}

func textStyle(size float64) text.Style {
	return text.Style{
		Color:   ink,
		Font:    font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(size)},
		Handler: plot.DefaultTextHandler,
	}
}

// panel is a plot with a legend above it, where no line runs under it.
type panel struct {
	*plot.Plot
	keys []key
}

type key struct {
	name string
	look plot.Thumbnailer
}

// newPanel has axes with these names, and a grid.
func newPanel(x, y string) *panel {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = x, y
	p.X.Tick.Marker, p.Y.Tick.Marker = ticker{about: 10}, ticker{about: 7}
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
	return &panel{Plot: p}
}

// legend names what is drawn in a look.
func (p *panel) legend(name string, look plot.Thumbnailer) {
	p.keys = append(p.keys, key{name, look})
}

func (p *panel) drawLegend(c draw.Canvas) {
	const icon, gap, between = 22 * vg.Length(1), 5 * vg.Length(1), 18 * vg.Length(1)
	style := textStyle(12)
	height := style.Rectangle("A").Max.Y
	x := c.Min.X
	for _, k := range p.keys {
		corner := vg.Point{X: x, Y: c.Max.Y - height}
		k.look.Thumbnail(&draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{Min: corner, Max: corner.Add(vg.Point{X: icon, Y: height})}})
		x += icon + gap
		c.FillText(style, vg.Point{X: x, Y: corner.Y}, k.name)
		x += style.Width(k.name) + between
	}
}

// writePanels draws panels of equal height below each other and a title above
// them, and writes them as a PNG of that many pixels, which reaches the disk: see Grid.
func writePanels(path, title string, width, height vg.Length, panels ...*panel) error {
	canvas := vgimg.NewWith(vgimg.UseWH(width*vg.Inch/dpi, height*vg.Inch/dpi), vgimg.UseDPI(dpi))
	page := draw.Crop(draw.New(canvas), margin, -2*margin, margin, -margin)
	style := textStyle(16)
	style.YAlign = draw.YTop
	page.FillText(style, vg.Point{X: page.Min.X, Y: page.Max.Y}, title)
	page.Max.Y -= titleRow

	tiles := draw.Tiles{Cols: 1, Rows: len(panels), PadY: margin}
	plots := make([]draw.Canvas, len(panels))
	var widest vg.Length // of the labels left of the axes
	for i, p := range panels {
		tile := tiles.At(page, 0, i)
		p.drawLegend(tile)
		plots[i] = draw.Crop(tile, 0, 0, 0, -legendRow)
		widest = max(widest, p.DataCanvas(plots[i]).Min.X-tile.Min.X)
	}
	for i, p := range panels {
		left := widest - (p.DataCanvas(plots[i]).Min.X - plots[i].Min.X)
		p.Draw(draw.Crop(plots[i], left, 0, 0, 0))
	}
	return safefile.Write(path, func(w io.Writer) error {
		_, err := vgimg.PngCanvas{Canvas: canvas}.WriteTo(w)
		return err
	})
}
