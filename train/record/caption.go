package record

import (
	"image"
	"image/color"
	"image/draw"

	"golang.org/x/image/font"
	"golang.org/x/image/math/fixed"
	plotfont "gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

const (
	captionSize = 12 // points
	captionPad  = 8  // pixels around a caption
	maxCaption  = 80 // characters, more than fit most pictures
)

// captions writes text into pictures in the plots' typeface.
type captions struct {
	font.Face
	height int // of a capital letter
}

func newCaptions() captions {
	style := textStyle(captionSize)
	face := plotfont.DefaultCache.Lookup(style.Font, vg.Points(captionSize))
	f := face.FontFace(dpi)
	return captions{f, f.Metrics().CapHeight.Ceil()}
}

// width is how wide a caption becomes.
func (c captions) width(text string) int { return font.MeasureString(c.Face, text).Ceil() }

// draw writes a caption with the middle of its height at a point.
func (c captions) draw(img draw.Image, text string, at image.Point) {
	d := font.Drawer{Dst: img, Src: image.NewUniform(ink), Face: c.Face, Dot: fixed.P(at.X, at.Y+c.height/2)}
	d.DrawString(text)
}

// shorten cuts a caption that is too long.
func shorten(text string) string {
	if runes := []rune(text); len(runes) > maxCaption {
		return string(runes[:maxCaption-1]) + "…"
	}
	return text
}

// framed returns a picture with white strips above it and at its left. A grey
// one stays an *image.Gray.
func framed(img image.Image, above, left int) draw.Image {
	bounds := image.Rectangle{Max: img.Bounds().Size().Add(image.Pt(left, above))}
	var out draw.Image = image.NewNRGBA(bounds)
	if _, ok := img.(*image.Gray); ok {
		out = image.NewGray(bounds)
	}
	draw.Draw(out, bounds, image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.Draw(out, bounds.Add(image.Pt(left, above)), img, img.Bounds().Min, draw.Src)
	return out
}

// captionRows writes the names of a grid's rows at their left.
func captionRows(grid image.Image, names []string) image.Image {
	c := newCaptions()
	widest := 0
	for _, name := range names {
		widest = max(widest, c.width(shorten(name)))
	}
	height := grid.Bounds().Dy()
	out := framed(grid, 0, widest+2*captionPad)
	for i, name := range names {
		name = shorten(name)
		at := image.Pt(captionPad+widest-c.width(name), (2*i+1)*height/(2*len(names)))
		c.draw(out, name, at)
	}
	return out
}
