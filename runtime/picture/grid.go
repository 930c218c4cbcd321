package picture

import (
	"image"
	"image/color"
	"image/draw"
	"math"
)

// gap is the width in pixels of the lines between the pictures of a grid and
// around them.
const gap = 2

var midGrey = color.Gray{Y: 128}

// Grid lays pictures out row by row in the given number of columns, each
// enlarged scale times by repeating its pixels (below 1 counts as 1), with thin
// lines in mid grey around them. 0 columns make the grid as square as it gets.
// Cells have the size of the largest picture. The grid is an *image.Gray if
// every picture is, an *image.NRGBA otherwise.
func Grid(pictures []image.Image, columns, scale int) image.Image {
	if columns < 1 {
		columns = int(math.Ceil(math.Sqrt(float64(len(pictures)))))
	}
	columns = min(columns, len(pictures))
	scale = max(scale, 1)
	rows := 0
	if columns > 0 {
		rows = (len(pictures) + columns - 1) / columns
	}

	var cell image.Point
	gray := true
	for _, p := range pictures {
		cell.X = max(cell.X, scale*p.Bounds().Dx())
		cell.Y = max(cell.Y, scale*p.Bounds().Dy())
		_, isGray := p.(*image.Gray)
		gray = gray && isGray
	}
	bounds := image.Rect(0, 0, columns*(cell.X+gap)+gap, rows*(cell.Y+gap)+gap)
	var grid draw.Image
	if gray {
		grid = image.NewGray(bounds)
	} else {
		grid = image.NewNRGBA(bounds)
	}
	draw.Draw(grid, bounds, image.NewUniform(midGrey), image.Point{}, draw.Src)
	for i, p := range pictures {
		at := image.Pt(gap+i%columns*(cell.X+gap), gap+i/columns*(cell.Y+gap))
		big := enlarged{p, scale}
		draw.Draw(grid, big.Bounds().Add(at), big, image.Point{}, draw.Src)
	}
	return grid
}

// enlarged is a picture moved to the origin, each of its pixels a square.
type enlarged struct {
	image.Image
	scale int
}

func (e enlarged) Bounds() image.Rectangle {
	size := e.Image.Bounds().Size().Mul(e.scale)
	return image.Rectangle{Max: size}
}

func (e enlarged) At(x, y int) color.Color {
	from := e.Image.Bounds().Min
	return e.Image.At(from.X+x/e.scale, from.Y+y/e.scale)
}

// Invert returns a copy of the picture with black for white: a grey picture
// stays an *image.Gray, any other becomes an *image.RGBA. Opacity is kept.
func Invert(img image.Image) image.Image {
	if _, ok := img.(*image.Gray); ok {
		out := toGray(img)
		for i, v := range out.Pix {
			out.Pix[i] = 255 - v
		}
		return out
	}
	out := toRGBA(img)
	for i := 0; i < len(out.Pix); i += 4 {
		alpha := out.Pix[i+3] // colours are stored multiplied by it
		for channel := range 3 {
			out.Pix[i+channel] = alpha - out.Pix[i+channel]
		}
	}
	return out
}

// toGray returns a copy of the picture in grey, its corner at the origin.
func toGray(img image.Image) *image.Gray {
	out := image.NewGray(image.Rectangle{Max: img.Bounds().Size()})
	draw.Draw(out, out.Rect, img, img.Bounds().Min, draw.Src)
	return out
}

// toRGBA returns a copy of the picture in colour, its corner at the origin.
func toRGBA(img image.Image) *image.RGBA {
	out := image.NewRGBA(image.Rectangle{Max: img.Bounds().Size()})
	draw.Draw(out, out.Rect, img, img.Bounds().Min, draw.Src)
	return out
}
