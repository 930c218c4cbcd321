package record

import (
	"image"
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
