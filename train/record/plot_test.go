package record

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
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

// TestPlotLossesInTwoPanels keeps what the discriminator says apart from the
// losses, which may be of any size.
func TestPlotLossesInTwoPanels(t *testing.T) {
	for _, test := range []struct {
		columns string
		values  []float64
		height  int
		// pixels of colours in the upper and in the lower half
		upper, lower []color.NRGBA
	}{
		{"d_loss,g_loss,d_real,d_fake,d_accuracy", []float64{50, 30, 0.8, 0.2, 0.6}, 1100, []color.NRGBA{blue, orange}, []color.NRGBA{blue, orange, green}},
		{"d_loss_real,d_accuracy", []float64{3, 0.6}, 1100, []color.NRGBA{blue}, []color.NRGBA{green}},
		{"d_accuracy", []float64{0.2}, 700, nil, []color.NRGBA{green}},
		{"d_loss,d_loss_real,d_loss_fake", []float64{0.2, 0.5, 0.1}, 700, []color.NRGBA{blue}, []color.NRGBA{blue, orange}},
	} {
		var text strings.Builder
		text.WriteString("step," + test.columns + "\n")
		for step := range 50 {
			text.WriteString(fmt.Sprint(step))
			for _, v := range test.values { // a slope puts some of a line on whole pixels
				text.WriteString(fmt.Sprintf(",%g", v*(1+float64(step)/500)))
			}
			text.WriteString("\n")
		}
		out := filepath.Join(t.TempDir(), "losses.png")
		if err := PlotLosses(table(t, text.String()), out, "a title"); err != nil {
			t.Fatal(err)
		}
		img := decodePNG(t, out)
		if size := img.Bounds().Size(); size != image.Pt(1200, test.height) {
			t.Errorf("%s: picture of %v", test.columns, size)
		}
		upper, lower := image.Rect(80, 80, 1200, test.height/2-20), image.Rect(80, test.height/2+30, 1200, test.height)
		for _, ink := range lineInks {
			for half, want := range map[image.Rectangle][]color.NRGBA{upper: test.upper, lower: test.lower} {
				if n := near(img, half, ink); (n > 20) != slices.Contains(want, ink) {
					t.Errorf("%s: %d pixels of %v in %v", test.columns, n, ink, half)
				}
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
