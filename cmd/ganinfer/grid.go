package main

import (
	"image"
	"math"
)

const (
	maxGridSide = 1 << 14 // pixels
	gridCell    = 64      // pixels that a picture of a grid is enlarged to, roughly
	gridGap     = 2       // pixels between the pictures that picture.Grid lays out
)

// gridScale chooses how many times the pictures of a grid are enlarged: up to
// gridCell pixels, less where the grid would be larger than maxGridSide. It
// returns the grid's size too, which is beyond that if even a scale of 1 is.
func gridScale(count, w, h int) (int, image.Point) {
	columns := int(math.Ceil(math.Sqrt(float64(count))))
	rows := (count + columns - 1) / columns
	for scale := max(1, gridCell/max(w, h)); ; scale-- {
		size := image.Pt(columns*(scale*w+gridGap)+gridGap, rows*(scale*h+gridGap)+gridGap)
		if scale == 1 || max(size.X, size.Y) <= maxGridSide {
			return scale, size
		}
	}
}
