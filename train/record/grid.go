package record

import (
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"

	"golang.org/x/image/draw"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/internal/safefile"
	"github.com/gantrain/gantrain/runtime/picture"
)

// cellSide is about how many pixels a small picture is enlarged to, by a whole
// factor, so that a digit of 28 pixels can be looked at.
const cellSide = 96

// Grid writes the pictures [N, C, H, W], float32, as one PNG: row by row in the
// given number of columns. The value lo is black and hi white, the other way round
// if inverted; what lies outside is clamped. A NaN is an error, and then nothing is
// written. The file reaches the disk before Grid returns, since a run that goes on
// after a loss of power reads it again.
func Grid(path string, images *tensor.Dense, columns int, lo, hi float64, inverted bool) error {
	pictures, err := split(images, lo, hi, inverted)
	if err == nil && columns < 1 {
		err = fmt.Errorf("%d columns", columns)
	}
	if err != nil {
		return fmt.Errorf("record: %s: %w", path, err)
	}
	grid := layOut(pictures, columns)
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := safefile.Write(path, func(w io.Writer) error { return encoder.Encode(w, grid) }); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// layOut makes a grid of pictures of one size, small ones enlarged as far as the
// grid can still be read back; what even then can't be is made smaller as a whole.
func layOut(pictures []image.Image, columns int) image.Image {
	size := pictures[0].Bounds().Size()
	scale := max(1, cellSide/max(size.X, size.Y))
	grid := picture.Grid(pictures, columns, scale)
	for longest(grid) > picture.MaxSide && scale > 1 {
		scale--
		grid = picture.Grid(pictures, columns, scale)
	}
	if side := longest(grid); side > picture.MaxSide {
		bounds := grid.Bounds()
		to := image.Rect(0, 0, max(1, bounds.Dx()*picture.MaxSide/side), max(1, bounds.Dy()*picture.MaxSide/side))
		var smaller draw.Image = image.NewNRGBA(to)
		if _, ok := grid.(*image.Gray); ok {
			smaller = image.NewGray(to)
		}
		draw.CatmullRom.Scale(smaller, to, grid, bounds, draw.Src, nil)
		return smaller
	}
	return grid
}

func longest(img image.Image) int { return max(img.Bounds().Dx(), img.Bounds().Dy()) }

// split makes a picture of each array along the first axis.
func split(images *tensor.Dense, lo, hi float64, inverted bool) ([]image.Image, error) {
	shape := images.Shape()
	if len(shape) != 4 || images.Dtype() != tensor.Float32 {
		return nil, fmt.Errorf("pictures are %v%v, expected float32 [N, C, H, W]", images.Dtype(), shape)
	}
	if images.RequiresIterator() || images.DataOrder().IsColMajor() {
		return nil, errors.New("pictures are a view: a row-major copy is needed")
	}
	data := images.Float32s()
	size := shape[1] * shape[2] * shape[3]
	pictures := make([]image.Image, shape[0])
	for i := range pictures {
		img, err := picture.From(data[i*size:(i+1)*size], shape[1], shape[2], shape[3], lo, hi)
		if err != nil {
			return nil, fmt.Errorf("picture %d of %d: %w", i, len(pictures), err)
		}
		if inverted {
			img = picture.Invert(img)
		}
		pictures[i] = img
	}
	return pictures, nil
}
