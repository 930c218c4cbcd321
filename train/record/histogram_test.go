package record

import (
	"image"
	"image/color"
	"math"
	"path/filepath"
	"strings"
	"testing"
)

// shade is how a colour's faint form looks on white.
func shade(c color.NRGBA, alpha int) color.NRGBA {
	over := func(v uint8) uint8 { return uint8((int(v)*alpha + 255*(255-alpha)) / 255) }
	return color.NRGBA{over(c.R), over(c.G), over(c.B), 255}
}

// near tells how many pixels of a part look like a colour.
func near(img image.Image, part image.Rectangle, c color.NRGBA) (n int) {
	close := func(a, b uint8) bool { return max(a, b)-min(a, b) < 8 }
	for y := part.Min.Y; y < part.Max.Y; y++ {
		for x := part.Min.X; x < part.Max.X; x++ {
			got := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
			if close(got.R, c.R) && close(got.G, c.G) && close(got.B, c.B) {
				n++
			}
		}
	}
	return n
}

func TestHistogram(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	left, right := image.Rect(85, 100, 630, 620), image.Rect(650, 100, 1180, 620)
	tests := []struct {
		name       string
		real, fake []float64
		// whether real and generated ones are in the left and the right half
		realLeft, realRight, fakeLeft, fakeRight bool
	}{
		{"probabilities", []float64{0.8, 0.9, nan}, []float64{0.1, 0.3, inf, 0.1}, false, true, true, false},
		{"logits", []float64{30, 90}, []float64{-90, -2}, false, true, true, false},
		{"at the ends", []float64{1, 1}, []float64{0, 0}, false, true, true, false},
		{"one value", []float64{0.2}, []float64{nan}, true, false, false, false},
		{"only generated", nil, []float64{0.1, 0.9}, false, false, true, true},
		{"huge", []float64{math.MaxFloat32, math.MaxFloat64}, []float64{-math.MaxFloat32}, false, true, true, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "histogram.png")
			if err := Histogram(path, "a title", test.real, test.fake); err != nil {
				t.Fatal(err)
			}
			img := decodePNG(t, path)
			if size := img.Bounds().Size(); size != image.Pt(1200, 700) {
				t.Errorf("picture of %v", size)
			}
			for _, want := range []struct {
				half image.Rectangle
				ink  color.NRGBA
				seen bool
			}{{left, blue, test.realLeft}, {right, blue, test.realRight}, {left, orange, test.fakeLeft}, {right, orange, test.fakeRight}} {
				if n := near(img, want.half, shade(want.ink, 0x60)); (n > 500) != want.seen {
					t.Errorf("%d pixels of %v in %v", n, want.ink, want.half)
				}
			}
		})
	}
	err := Histogram("x.png", "", nil, []float64{nan})
	if err == nil || err.Error() != "record: x.png: holds no finite output to plot" {
		t.Errorf("no values: %v", err)
	}
	folder := filepath.Join(t.TempDir(), "missing", "x.png")
	if err := Histogram(folder, "", []float64{1}, nil); err == nil || !strings.Contains(err.Error(), folder) {
		t.Errorf("no folder: %v", err)
	}
}

// TestOutline counts values at the edges of the bars.
func TestOutline(t *testing.T) {
	got := outline([]float64{0, 0.024, 0.025, 1}, 0, 1)
	heights := map[float64]float64{}
	for i := 1; i < len(got)-1; i += 2 {
		if got[i].Y != 0 {
			heights[got[i].X] = got[i].Y
		}
	}
	if len(heights) != 3 || heights[0] != 50 || heights[0.025] != 25 || heights[0.975] != 25 {
		t.Errorf("bars at %v, want 50%% at 0 and 25%% at 0.025 and 0.975", heights)
	}
	if got[0].Y != 0 || got[len(got)-1] != (struct{ X, Y float64 }{1, 0}) {
		t.Errorf("the outline begins at %v and ends at %v", got[0], got[len(got)-1])
	}
}
