package main

import (
	"image"
	"testing"

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
		scale, size := gridScale(c.count, c.w, c.h)
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
		if drawn := picture.Grid(pictures, 0, scale).Bounds().Size(); size != drawn {
			t.Errorf("%d pictures of %dx%d: size %v, but it is drawn as %v", c.count, c.w, c.h, size, drawn)
		}
	}
}
