package picture

import (
	"image"
	"image/color"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func flat(level uint8, w, h int) *image.Gray {
	g := image.NewGray(image.Rect(0, 0, w, h))
	for i := range g.Pix {
		g.Pix[i] = level
	}
	return g
}

func TestGridSize(t *testing.T) {
	for _, c := range []struct {
		pictures, columns, scale int
		want                     image.Point
	}{
		{1, 1, 1, image.Pt(2+3+2, 2+2+2)},
		{6, 3, 1, image.Pt(2+3*5, 2+2*4)},
		{5, 3, 2, image.Pt(2+3*8, 2+2*6)},
		{2, 10, 1, image.Pt(2+2*5, 2+4)}, // no empty columns
		{5, 0, 0, image.Pt(2+3*5, 2+2*4)},
		{0, 4, 1, image.Pt(2, 2)},
	} {
		var pictures []image.Image
		for range c.pictures {
			pictures = append(pictures, flat(9, 3, 2))
		}
		if got := Grid(pictures, c.columns, c.scale).Bounds(); got != (image.Rectangle{Max: c.want}) {
			t.Errorf("%d pictures, %d columns, scale %d: %v, want %v", c.pictures, c.columns, c.scale, got, c.want)
		}
	}
}

func TestGridPixels(t *testing.T) {
	a := image.NewGray(image.Rect(0, 0, 2, 1))
	a.Pix = []uint8{10, 20}
	grid, ok := Grid([]image.Image{a, flat(30, 1, 1)}, 1, 2).(*image.Gray)
	if !ok {
		t.Fatal("a grid of grey pictures is not grey")
	}
	const g = 128
	want := []uint8{
		g, g, g, g, g, g, g, g,
		g, g, g, g, g, g, g, g,
		g, g, 10, 10, 20, 20, g, g,
		g, g, 10, 10, 20, 20, g, g,
		g, g, g, g, g, g, g, g,
		g, g, g, g, g, g, g, g,
		g, g, 30, 30, g, g, g, g,
		g, g, 30, 30, g, g, g, g,
		g, g, g, g, g, g, g, g,
		g, g, g, g, g, g, g, g,
	}
	if diff := cmp.Diff(want, grid.Pix); diff != "" {
		t.Errorf("pixels (-want +got):\n%s", diff)
	}
}

func TestGridOfColours(t *testing.T) {
	red := image.NewNRGBA(image.Rect(3, 3, 4, 4))
	red.SetNRGBA(3, 3, color.NRGBA{255, 0, 0, 255})
	grid := Grid([]image.Image{flat(7, 1, 1), red}, 2, 1)
	for at, want := range map[image.Point]color.NRGBA{
		{0, 0}: {128, 128, 128, 255},
		{2, 2}: {7, 7, 7, 255},
		{5, 2}: {255, 0, 0, 255},
	} {
		if got := grid.At(at.X, at.Y); got != want {
			t.Errorf("pixel %v is %v, want %v", at, got, want)
		}
	}
}

func TestInvert(t *testing.T) {
	gray := image.NewGray(image.Rect(0, 0, 3, 1))
	gray.Pix = []uint8{0, 100, 255}
	inverted, ok := Invert(gray).(*image.Gray)
	if !ok || !cmp.Equal(inverted.Pix, []uint8{255, 155, 0}) {
		t.Errorf("%v, want 255, 155, 0 in grey", inverted)
	}
	if gray.Pix[0] != 0 {
		t.Error("the original changed")
	}
	colour := image.NewNRGBA(image.Rect(1, 1, 2, 2))
	colour.SetNRGBA(1, 1, color.NRGBA{10, 20, 30, 255})
	if got, want := Invert(colour).At(0, 0), (color.RGBA{245, 235, 225, 255}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}
