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
	if err == nil && columns < 0 {
		err = fmt.Errorf("%d columns", columns)
	}
	if err != nil {
		return fmt.Errorf("record: %s: %w", path, err)
	}
	return writePNG(path, layOut(pictures, columns))
}

// ClassGrid is Grid with a row for each class and its name at the left. The
// pictures of the first class come first, and there are equally many of each.
func ClassGrid(path string, images *tensor.Dense, classes []string, lo, hi float64, inverted bool) error {
	pictures, err := split(images, lo, hi, inverted)
	if err == nil && (len(classes) == 0 || len(pictures)%len(classes) != 0) {
		err = fmt.Errorf("%d pictures make no rows for %d classes", len(pictures), len(classes))
	}
	if err != nil {
		return fmt.Errorf("record: %s: %w", path, err)
	}
	return writePNG(path, captionRows(layOut(pictures, len(pictures)/len(classes)), classes))
}

func writePNG(path string, img image.Image) error {
	if err := picture.WritePNG(path, img); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// layOut makes a grid of pictures of one size, small ones enlarged as far as the
// grid can still be read back.
func layOut(pictures []image.Image, columns int) image.Image {
	size := pictures[0].Bounds().Size()
	for scale := max(1, cellSide/max(size.X, size.Y)); ; scale-- {
		grid := picture.Grid(pictures, columns, scale)
		if scale == 1 || max(grid.Bounds().Dx(), grid.Bounds().Dy()) <= picture.MaxSide {
			return grid
		}
	}
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
