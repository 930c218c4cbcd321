package picture

import (
	"image"
	"image/color"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFromGray(t *testing.T) {
	inf := float32(math.Inf(1))
	got, err := From([]float32{-1, 1, 0, -0.999, 2, -2, inf, -inf}, 1, 2, 4, -1, 1)
	if err != nil {
		t.Fatal(err)
	}
	gray, ok := got.(*image.Gray)
	if !ok {
		t.Fatalf("a %T, want *image.Gray", got)
	}
	if gray.Rect != image.Rect(0, 0, 4, 2) {
		t.Errorf("bounds %v, want 4x2", gray.Rect)
	}
	// 0 lies at 127.5, which rounds up; -0.999 at 0.1275.
	if diff := cmp.Diff([]uint8{0, 255, 128, 0, 255, 0, 255, 0}, gray.Pix); diff != "" {
		t.Errorf("pixels (-want +got):\n%s", diff)
	}
}

func TestFromColour(t *testing.T) {
	// [3, 1, 2]: reds, greens, blues.
	got, err := From([]float32{0, 1, 0.2, 0.4, 0.6, 0.8}, 3, 1, 2, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	want := []color.NRGBA{{0, 51, 153, 255}, {255, 102, 204, 255}}
	for x, c := range want {
		if got.At(x, 0) != c {
			t.Errorf("pixel %d is %v, want %v", x, got.At(x, 0), c)
		}
	}
}

func TestErrors(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		data    []float32
		c, h, w int
		lo, hi  float64
		want    string
	}{
		{make([]float32, 3), 1, 2, 2, -1, 1, "3 values, want 4"},
		{[]float32{0, 0, 0, 0, nan, 0}, 1, 2, 3, -1, 1, "[0, 1, 1] is not a number"},
		{make([]float32, 2), 2, 1, 1, -1, 1, "2 channels, want 1 or 3"},
		{nil, 1, 0, 2, -1, 1, "2x0 pixels"},
		{nil, 1, math.MaxInt, 2, -1, 1, "pixels"},
		{make([]float32, 1), 1, 1, 1, 1, 1, "from 1 to 1"},
		{make([]float32, 1), 1, 1, 1, math.NaN(), 1, "from NaN to 1"},
		{make([]float32, 1), 1, 1, 1, 0, math.Inf(1), "from 0 to +Inf"},
	} {
		if _, err := From(c.data, c.c, c.h, c.w, c.lo, c.hi); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
	_, err := ToTensor(image.NewGray(image.Rect(0, 0, 3, 2)), 1, 28, 27, -1, 1)
	if err == nil || !strings.Contains(err.Error(), "3x2 pixels, want 27x28") {
		t.Errorf("error %v, want both sizes", err)
	}
}

func TestEveryLevelComesBack(t *testing.T) {
	for _, channels := range []int{1, 3} {
		for _, limits := range [][2]float64{{-1, 1}, {0, 1}, {0, 255}, {-3, 0.1}} {
			lo, hi := limits[0], limits[1]
			var data []float32
			for level := range 256 * channels {
				data = append(data, float32(lo+float64(level%256)*(hi-lo)/255))
			}
			img, err := From(data, channels, 16, 16, lo, hi)
			if err != nil {
				t.Fatal(err)
			}
			got, err := ToTensor(img, channels, 16, 16, lo, hi)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(data, got); diff != "" {
				t.Errorf("%d channels, %g to %g (-want +got):\n%s", channels, lo, hi, diff)
			}
		}
	}
}

func TestToTensorConverts(t *testing.T) {
	colours := image.NewNRGBA(image.Rect(5, 5, 9, 6)) // not at the origin
	for x, c := range []color.NRGBA{{255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}, {255, 255, 255, 0}} {
		colours.SetNRGBA(5+x, 5, c)
	}
	got, err := ToTensor(colours, 1, 1, 4, 0, 255)
	if err != nil {
		t.Fatal(err)
	}
	// 0.299, 0.587 and 0.114 of 255; a transparent pixel over black.
	if diff := cmp.Diff([]float32{76, 150, 29, 0}, got); diff != "" {
		t.Errorf("luma (-want +got):\n%s", diff)
	}

	gray := image.NewGray(image.Rect(0, 0, 2, 1))
	gray.Pix = []uint8{10, 20}
	got, err = ToTensor(gray, 3, 1, 2, 0, 255)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]float32{10, 20, 10, 20, 10, 20}, got); diff != "" {
		t.Errorf("grey in three channels (-want +got):\n%s", diff)
	}
}
