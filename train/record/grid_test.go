package record

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gorgonia.org/tensor"
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

// TestClassGrid has the rows of a plain grid, each with its name at the left.
func TestClassGrid(t *testing.T) {
	for _, channels := range []int{1, 3} {
		images := shades(6, channels, 28, 28)
		plain, path := filepath.Join(t.TempDir(), "plain.png"), filepath.Join(t.TempDir(), "classes.png")
		if err := Grid(plain, images, 2, -1, 1, false); err != nil {
			t.Fatal(err)
		}
		if err := ClassGrid(path, images, []string{"0", strings.Repeat("ankle boot ", 100), ""}, -1, 1, false); err != nil {
			t.Fatal(err)
		}
		want, got := decodePNG(t, plain), decodePNG(t, path)
		left := got.Bounds().Dx() - want.Bounds().Dx()
		if left < 100 || left > 1000 || got.Bounds().Dy() != want.Bounds().Dy() {
			t.Fatalf("%v beside a grid of %v", got.Bounds(), want.Bounds())
		}
		for y := range want.Bounds().Dy() {
			for x := range want.Bounds().Dx() {
				if a, b := color.NRGBAModel.Convert(got.At(left+x, y)), color.NRGBAModel.Convert(want.At(x, y)); a != b {
					t.Fatalf("pixel %d,%d is %v, want %v", x, y, a, b)
				}
			}
		}
		third := got.Bounds().Dy() / 3
		var dark [3]int
		for row := range dark {
			for y := row * third; y < (row+1)*third; y++ {
				for x := range left {
					if r, _, _, _ := got.At(x, y).RGBA(); r < 0x8000 {
						dark[row]++
					}
				}
			}
		}
		if dark[0] < 20 || dark[1] < 10*dark[0] || dark[2] > 0 {
			t.Errorf("%v dark pixels in the rows' names", dark)
		}
		_, grey := got.(*image.Gray)
		if grey != (channels == 1) {
			t.Errorf("%d channels became a %T", channels, got)
		}
	}
	for _, classes := range [][]string{nil, make([]string, 4)} {
		err := ClassGrid("x.png", shades(6, 1, 2, 2), classes, -1, 1, false)
		if want := fmt.Sprintf("record: x.png: 6 pictures make no rows for %d classes", len(classes)); err == nil || err.Error() != want {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// TestGridCanBeReadBack enlarges many pictures less.
func TestGridCanBeReadBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "grid.png")
	if err := Grid(path, shades(120, 1, 2, 28), 60, -1, 1, false); err != nil {
		t.Fatal(err)
	}
	if size := decodePNG(t, path).Bounds().Size(); size.X != 60*(2*28+2)+2 { // 3 times would make 5162
		t.Errorf("grid of %v", size)
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
