package record

import (
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func decodePNG(t *testing.T, path string) image.Image {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// count tells how many pixels of a part of the picture have exactly this colour.
func count(img image.Image, part image.Rectangle, c color.NRGBA) (n int) {
	for y := part.Min.Y; y < part.Max.Y; y++ {
		for x := part.Min.X; x < part.Max.X; x++ {
			if color.NRGBAModel.Convert(img.At(x, y)) == c {
				n++
			}
		}
	}
	return n
}

// noisy writes rows of two losses, d below and g above.
func noisy(t *testing.T, rows int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "losses.csv")
	l, err := Create(path, names)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		wave := math.Sin(float64(i)) / 4
		if err := l.Append(i, 0.5+wave, 2-wave); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPlotLosses(t *testing.T) {
	for _, rows := range []int{1, 2, 3, 30, 20000} {
		out := filepath.Join(t.TempDir(), "losses.png")
		if err := PlotLosses(noisy(t, rows), out, "a title"); err != nil {
			t.Fatalf("%d rows: %v", rows, err)
		}
		img := decodePNG(t, out)
		if size := img.Bounds().Size(); size != image.Pt(1200, 700) {
			t.Errorf("%d rows: picture of %v", rows, size)
		}
		// Below the legend, d lies in the lower half and g in the upper one.
		lower, upper := image.Rect(80, 350, 1190, 620), image.Rect(80, 80, 1190, 350)
		for i, where := range []image.Rectangle{lower, upper} {
			if n := count(img, where, lineInks[i]); n < 20 {
				t.Errorf("%d rows: %d pixels of line %d where it should be", rows, n, i)
			}
			if n := count(img, where, lineInks[1-i]); n > 0 {
				t.Errorf("%d rows: %d pixels of line %d where it should not be", rows, n, 1-i)
			}
		}
	}
}

func TestPlotLossesIsDeterministic(t *testing.T) {
	csv := noisy(t, 500)
	var first string
	for range 2 {
		out := filepath.Join(t.TempDir(), "losses.png")
		if err := PlotLosses(csv, out, "a title"); err != nil {
			t.Fatal(err)
		}
		if got := contents(t, out); first == "" {
			first = got
		} else if got != first {
			t.Error("the same table gave another picture")
		}
	}
}

func TestPlotLossesWithGaps(t *testing.T) {
	csv := table(t, "step,d_loss,g_loss,other\n1,0.5,NaN,3\n2,NaN,NaN,+Inf\n3,0.7,NaN,-1\n")
	out := filepath.Join(t.TempDir(), "losses.png")
	if err := PlotLosses(csv, out, ""); err != nil {
		t.Fatal(err)
	}
	img := decodePNG(t, out)
	for i, drawn := range []bool{true, false, true} {
		if n := count(img, img.Bounds(), lineInks[i]); (n > 0) != drawn {
			t.Errorf("column %d: %d pixels", i, n)
		}
	}
}

func TestPlotLossesRefuses(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.csv")
	good := table(t, "step,a\n1,2\n")
	folder := filepath.Join(t.TempDir(), "missing", "losses.png")
	tests := []struct{ name, csv, png, want string }{
		{"no rows", table(t, "step,a\n"), "x.png", "holds no finite value to plot"},
		{"no columns", table(t, "step\n1\n"), "x.png", "holds no finite value to plot"},
		{"only NaN", table(t, "step,a\n1,NaN\n"), "x.png", "holds no finite value to plot"},
		{"missing", missing, "x.png", missing},
		{"no folder", good, folder, folder},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			err := PlotLosses(test.csv, test.png, "")
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "record: ") {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if _, err := os.Stat("x.png"); err == nil {
				t.Error("a picture was written")
			}
		})
	}
}
