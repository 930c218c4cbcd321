package dataset

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ramp has one picture of all 256 bytes, and one of their mirror image.
func ramp() *Images {
	d := &Images{Channels: 2, Height: 8, Width: 16, Pixels: make([]byte, 512)}
	for i := range 256 {
		d.Pixels[i], d.Pixels[511-i] = byte(i), byte(i)
	}
	return d
}

func TestScale(t *testing.T) {
	tests := []struct {
		name   string
		lo, hi float64
		want   func(p float32) float32 // in float32, as NumPy would compute it
	}{
		{"keras", -1, 1, func(p float32) float32 { return (p - 127.5) / 127.5 }},
		{"unit", 0, 1, func(p float32) float32 { return p / 255 }},
		{"bytes", 0, 255, func(p float32) float32 { return p }},
		{"reversed", 1, -1, func(p float32) float32 { return (127.5 - p) / 127.5 }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := make([]float32, 256)
			ramp().Scale(got, []int{0}, test.lo, test.hi)
			for p, g := range got {
				if want := test.want(float32(p)); g != want {
					t.Errorf("%d is mapped to %v, want %v", p, g, want)
				}
			}
		})
	}
}

func TestScaleGathers(t *testing.T) {
	d := ramp()
	if d.Len() != 2 {
		t.Fatalf("Len() = %d, want 2", d.Len())
	}
	dst := make([]float32, 4*256)
	d.Scale(dst, []int{1, 0, 1, 1}, 0, 255)
	var first []float32
	for i := range 4 {
		first = append(first, dst[i*256])
	}
	if diff := cmp.Diff([]float32{255, 0, 255, 255}, first); diff != "" {
		t.Errorf("first pixels (-want +got)\n%s", diff)
	}
}

func TestScaleEndsAreExact(t *testing.T) {
	for _, r := range [][2]float64{{-1, 1}, {0, 1}, {-0.5, 0.5}, {0.1, 0.7}, {-math.Pi, math.E}} {
		table := scaleTable(r[0], r[1])
		if table[0] != float32(r[0]) || table[255] != float32(r[1]) {
			t.Errorf("range %v is mapped to [%v, %v]", r, table[0], table[255])
		}
	}
}

func TestImagesAbout(t *testing.T) {
	d := &Images{Name: "d", Licence: "l", Channels: 1, Height: 1, Width: 3, Pixels: []byte("abcdef")}
	// printf abcdef | sha256sum: what the report of a run holds.
	if got, want := d.Sum(), "bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721"; got != want {
		t.Errorf("sum %s, want %s", got, want)
	}
	name, licence := d.About()
	if name != "d" || licence != "l" || d.Label(1) != -1 || !cmp.Equal(d.Shape(), []int{1, 1, 3}) {
		t.Errorf("%q, %q, label %d, shape %v", name, licence, d.Label(1), d.Shape())
	}
	if got, want := d.String(), "d: 2 pictures of 1x1x3"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	d.Labels, d.Classes = []byte{1, 0}, []string{"cat", "dog"}
	if got, want := d.String(), "d: 2 pictures of 1x1x3, classes cat, dog"; got != want || d.Label(0) != 1 {
		t.Errorf("%q, label %d, want %q and 1", got, d.Label(0), want)
	}
}
