package record

import (
	"errors"
	"fmt"
	"image"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/runtime/picture"
)

// cellSide is about how many pixels a small picture is enlarged to, by a whole
// factor, so that a digit of 28 pixels can be looked at.
const cellSide = 96

// Grid writes the pictures [N, C, H, W], float32, as one PNG: row by row in the
// given number of columns (0 makes it as square as it gets). The value lo is
// black and hi white, the other way round if inverted; what lies outside is
// clamped. A NaN is an error, and then nothing is written.
func Grid(path string, images *tensor.Dense, columns int, lo, hi float64, inverted bool) error {
	pictures, err := split(images, lo, hi, inverted)
	if err != nil {
		return fmt.Errorf("record: %s: %w", path, err)
	}
	if columns < 0 {
		return fmt.Errorf("record: %s: %d columns", path, columns)
	}
	size := pictures[0].Bounds().Size()
	scale := max(1, cellSide/max(size.X, size.Y))
	if err := picture.WritePNG(path, picture.Grid(pictures, columns, scale)); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

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
