package record

import (
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/runtime/picture"
)

// shades has n pictures of one value each, from -1 to 1.
func shades(n, channels, height, width int) *tensor.Dense {
	size := channels * height * width
	data := make([]float32, n*size)
	for i := range data {
		data[i] = float32(i/size)/float32(n-1)*2 - 1
	}
	return tensor.New(tensor.WithShape(n, channels, height, width), tensor.WithBacking(data))
}

func TestGrid(t *testing.T) {
	for _, channels := range []int{1, 3} {
		for _, inverted := range []bool{false, true} {
			path := filepath.Join(t.TempDir(), "grid.png")
			if err := Grid(path, shades(6, channels, 28, 28), 3, -1, 1, inverted); err != nil {
				t.Fatal(err)
			}
			img := decodePNG(t, path)
			// 3 columns and 2 rows of 28 pixels, each enlarged 3 times, with
			// lines of at most 4 pixels around them.
			size := img.Bounds().Size()
			if size.X < 3*84 || size.X > 3*84+16 || size.Y < 2*84 || size.Y > 2*84+12 {
				t.Errorf("%d channels: grid of %v", channels, size)
			}
			for i := range 6 {
				at := image.Pt((2*(i%3)+1)*size.X/6, (2*(i/3)+1)*size.Y/4) // middle of its cell
				want := uint8(51 * i)                                      // sixths of 255, exactly
				if inverted {
					want = 255 - want
				}
				got := color.NRGBAModel.Convert(img.At(at.X, at.Y))
				if got != (color.NRGBA{want, want, want, 255}) {
					t.Errorf("%d channels, inverted %t: picture %d is %v, want %d", channels, inverted, i, got, want)
				}
			}
		}
	}
}

// TestGridCanBeReadBack enlarges many pictures less, and shrinks what is too large.
func TestGridCanBeReadBack(t *testing.T) {
	for name, c := range map[string]struct {
		pictures *tensor.Dense
		columns  int
		want     image.Point
	}{
		"less enlarged": {shades(120, 1, 2, 28), 60, image.Pt(60*(2*28+2)+2, 2*(2*2+2)+2)}, // 3 times would make 5162
		"grey":          {shades(9, 1, 4, 1400), 3, image.Pt(picture.MaxSide, 19)},         // of 4208x20
		"coloured":      {shades(9, 3, 1400, 4), 3, image.Pt(19, picture.MaxSide)},
	} {
		path := filepath.Join(t.TempDir(), "grid.png")
		if err := Grid(path, c.pictures, c.columns, -1, 1, false); err != nil {
			t.Fatal(err)
		}
		img, err := picture.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := img.Bounds().Size(); got != c.want {
			t.Errorf("%s: %v pixels, want %v", name, got, c.want)
		}
		if _, grey := img.(*image.Gray); grey != (c.pictures.Shape()[1] == 1) {
			t.Errorf("%s: became a %T", name, img)
		}
	}
}

// TestGridDoesNotShrink keeps large pictures at their size.
func TestGridDoesNotShrink(t *testing.T) {
	path := filepath.Join(t.TempDir(), "grid.png")
	if err := Grid(path, shades(2, 1, 20, 130), 1, -1, 1, false); err != nil {
		t.Fatal(err)
	}
	if size := decodePNG(t, path).Bounds().Size(); size.X < 130 || size.X > 138 || size.Y < 40 || size.Y > 52 {
		t.Errorf("grid of %v", size)
	}
}

func TestGridRefuses(t *testing.T) {
	nan := shades(4, 1, 2, 2)
	nan.Float32s()[9] = float32(math.NaN())
	transposed := shades(4, 1, 2, 3)
	if err := transposed.T(0, 1, 3, 2); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		images  *tensor.Dense
		columns int
		lo, hi  float64
		want    string
	}{
		{"NaN", nan, 2, -1, 1, "picture 2 of 4: "},
		{"rank", tensor.New(tensor.WithShape(2, 3, 4), tensor.Of(tensor.Float32)), 2, -1, 1, "pictures are float32(2, 3, 4), expected float32 [N, C, H, W]"},
		{"float64", tensor.New(tensor.WithShape(2, 1, 4, 4), tensor.Of(tensor.Float64)), 2, -1, 1, "pictures are float64(2, 1, 4, 4)"},
		{"two channels", shades(2, 2, 4, 4), 2, -1, 1, "picture 0 of 2: "},
		{"no range", shades(2, 1, 4, 4), 2, 1, 1, "picture 0 of 2: "},
		{"view", transposed, 2, -1, 1, "row-major copy"},
		{"columns", shades(2, 1, 4, 4), -1, -1, 1, "-1 columns"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "grid.png")
			err := Grid(path, test.images, test.columns, test.lo, test.hi, false)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "record: "+path) {
				t.Errorf("error %v, want the path and %q", err, test.want)
			}
			if _, err := os.Stat(path); err == nil {
				t.Error("a picture was written")
			}
		})
	}
}
