package main

import (
	"image"
	"maps"
	"math"
	"slices"
)

const (
	maxGridSide = 1 << 14 // pixels
	gridCell    = 64      // pixels that a picture of a grid is enlarged to, roughly
	gridGap     = 2       // pixels between the pictures that picture.Grid lays out
)

// layout is how the pictures of a grid stand.
type layout struct {
	columns, rows int
	byClass       bool // a row for each class, in their order
}

// layoutOf lays pictures of several classes out in a row for each, any others as
// square as they get.
func layoutOf(count int, all labels) layout {
	classes := map[int64]int{} // pictures
	for i, label := range all[:min(len(all), count)] {
		classes[label] += (count-i-1)/len(all) + 1
	}
	if len(classes) > 1 {
		return layout{slices.Max(slices.Collect(maps.Values(classes))), len(classes), true}
	}
	columns := int(math.Ceil(math.Sqrt(float64(count))))
	return layout{columns, (count + columns - 1) / columns, false}
}

// order returns the pictures row by row. The row of a class with fewer than the
// others ends in empty ones.
func (l layout) order(pictures []image.Image, all labels) []image.Image {
	if !l.byClass {
		return pictures
	}
	classes := map[int64][]image.Image{}
	for i, p := range pictures {
		classes[all.of(i)] = append(classes[all.of(i)], p)
	}
	var ordered []image.Image
	for _, class := range slices.Sorted(maps.Keys(classes)) {
		row := classes[class]
		for len(row) < l.columns {
			row = append(row, &image.Gray{})
		}
		ordered = append(ordered, row...)
	}
	return ordered
}

// scale chooses how many times the pictures of a grid are enlarged: up to
// gridCell pixels, less where the grid would be larger than maxGridSide. It
// returns the grid's size too, which is beyond that if even a scale of 1 is.
func (l layout) scale(w, h int) (int, image.Point) {
	for scale := max(1, gridCell/max(w, h)); ; scale-- {
		size := image.Pt(l.columns*(scale*w+gridGap)+gridGap, l.rows*(scale*h+gridGap)+gridGap)
		if scale == 1 || max(size.X, size.Y) <= maxGridSide {
			return scale, size
		}
	}
}
