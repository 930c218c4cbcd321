package record

import (
	"image"
	"math"
	"path/filepath"
	"strings"
	"testing"
)

func parabola(n int, shift float64) [][2]float64 {
	points := make([][2]float64, n)
	for i := range points {
		x := 10 * (float64(i)/float64(n-1) - 0.5)
		points[i] = [2]float64{x + shift, x*x + 5}
	}
	return points
}

// TestScatter draws frames of an animation: whatever the generator makes, what
// is not generated stays where it is.
func TestScatter(t *testing.T) {
	real := parabola(300, 0)
	var first image.Image
	for name, test := range map[string]struct {
		fake [][2]float64
		seen bool
	}{
		"the data alone": {nil, false},
		"beside it":      {parabola(300, 1), true},
		"at the edge":    {[][2]float64{{7.5, 36.2}, {-7.5, -1.2}, {7.5, 5}}, true},
		"far away":       {[][2]float64{{1e300, 5}, {0, -1e300}}, false},
		"no numbers":     {[][2]float64{{math.NaN(), 5}, {0, math.Inf(1)}}, false},
	} {
		path := filepath.Join(t.TempDir(), "scatter.png")
		if err := Scatter(path, "a title", real, test.fake); err != nil {
			t.Fatal(err)
		}
		img := decodePNG(t, path)
		if size := img.Bounds().Size(); size != image.Pt(800, 700) {
			t.Errorf("%s: picture of %v", name, size)
		}
		field := image.Rect(30, 80, 800, 700)
		if n := near(img, field, shade(orange, 0x90)); (n > 0) != test.seen {
			t.Errorf("%s: %d orange pixels", name, n)
		}
		axes := image.NewAlpha(img.Bounds())
		for i := range axes.Pix {
			if n := count(img, image.Rect(i%800, i/800, i%800+1, i/800+1), axisInk); n > 0 && i/800 > 80 {
				axes.Pix[i] = 255
			}
		}
		if first == nil {
			first = axes
		} else if string(first.(*image.Alpha).Pix) != string(axes.Pix) && name != "at the edge" { // which has points on them
			t.Errorf("%s: the axes have moved", name)
		}
	}
}

func TestScatterRefuses(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing", "x.png")
	for _, test := range []struct {
		path string
		real [][2]float64
		want string
	}{
		{"x.png", nil, "record: x.png: 0 points"},
		{"x.png", [][2]float64{{1, 2}, {3, math.NaN()}}, "record: x.png: point 1 is [3 NaN]"},
		{"x.png", [][2]float64{{-math.MaxFloat64, 2}, {math.MaxFloat64, 2}}, "record: x.png: 2 points, which make no axes"},
		{missing, parabola(3, 0), missing},
	} {
		err := Scatter(test.path, "", test.real, nil)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want %q", err, test.want)
		}
	}
	if err := Scatter(filepath.Join(t.TempDir(), "fake.png"), "", nil, parabola(3, 0)); err != nil {
		t.Errorf("generated points alone: %v", err)
	}
	if err := Scatter(filepath.Join(t.TempDir(), "one.png"), "", [][2]float64{{3, 4}}, nil); err != nil {
		t.Errorf("one point: %v", err)
	}
}
