package main

import (
	"image"
	"image/color"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gantrain/gantrain/runtime/picture"
)

func TestGridScale(t *testing.T) {
	for _, c := range []struct {
		count, w, h, scale int
		fits               bool
	}{
		{1, 8, 8, 8, true},
		{5, 20, 6, 3, true},
		{12, 100, 80, 1, true},
		{40_000, 8, 8, 8, true},  // 200 columns: 200 (8 8 + 2) + 2 = 13202
		{340_000, 8, 8, 3, true}, // 584 columns: 584 (3 8 + 2) + 2 = 15186
		{340_000, 28, 28, 1, false},
		{3_000_000, 8, 8, 1, false}, // the pictures alone would fit, not their lines
	} {
		l := layoutOf(c.count, nil)
		scale, size := l.scale(c.w, c.h)
		if fits := max(size.X, size.Y) <= maxGridSide; scale != c.scale || fits != c.fits {
			t.Errorf("%d pictures of %dx%d: scale %d, size %v, want scale %d, fits %v", c.count, c.w, c.h, scale, size, c.scale, c.fits)
		}
		if c.count > 100 {
			continue // as a picture it would take long
		}
		pictures := make([]image.Image, c.count)
		for i := range pictures {
			pictures[i] = image.NewGray(image.Rect(0, 0, c.w, c.h))
		}
		if drawn := picture.Grid(l.order(pictures, nil), l.columns, scale).Bounds().Size(); size != drawn {
			t.Errorf("%d pictures of %dx%d: size %v, but it is drawn as %v", c.count, c.w, c.h, size, drawn)
		}
	}
}

// Each class that occurs has a row, in the order of their numbers; a single one
// has no use for it.
func TestGridRowsAreClasses(t *testing.T) {
	const empty = 255
	for _, c := range []struct {
		name   string
		count  int
		labels labels
		layout layout
		want   []uint8
	}{
		{"three in turn", 7, labels{0, 1, 2}, layout{3, 3, true}, []uint8{0, 3, 6, 1, 4, empty, 2, 5, empty}},
		{"out of order, one twice", 5, labels{4, 2, 4}, layout{3, 2, true}, []uint8{1, 4, empty, 0, 2, 3}},
		{"more classes than pictures", 2, labels{5, 1, 9}, layout{1, 2, true}, []uint8{1, 0}},
		{"one class", 5, labels{3}, layout{3, 2, false}, []uint8{0, 1, 2, 3, 4}},
		{"the same twice", 4, labels{3, 3}, layout{2, 2, false}, []uint8{0, 1, 2, 3}},
		{"no classes", 3, nil, layout{2, 2, false}, []uint8{0, 1, 2}},
	} {
		var pictures []image.Image
		for i := range c.count {
			p := image.NewGray(image.Rect(0, 0, 1, 1))
			p.SetGray(0, 0, color.Gray{Y: uint8(i)})
			pictures = append(pictures, p)
		}
		l := layoutOf(c.count, c.labels)
		if l != c.layout {
			t.Errorf("%s: layout %v, want %v", c.name, l, c.layout)
		}
		var got []uint8
		for _, p := range l.order(pictures, c.labels) {
			if p.Bounds().Empty() {
				got = append(got, empty)
			} else {
				got = append(got, p.(*image.Gray).Pix[0])
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}
