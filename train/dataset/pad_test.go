package dataset

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPadded(t *testing.T) {
	d := &Images{Name: "d", Channels: 2, Height: 1, Width: 2, Pixels: []byte{1, 2, 3, 4, 5, 6, 7, 8}, Labels: []byte{1, 0}}
	got, err := d.Padded(4)
	if err != nil {
		t.Fatal(err)
	}
	// A margin of three rows is one above and two below.
	plane := func(a, b byte) []byte { return []byte{0, 0, 0, 0, 0, a, b, 0, 0, 0, 0, 0, 0, 0, 0, 0} }
	want := &Images{Name: "d", Channels: 2, Height: 4, Width: 4, Labels: []byte{1, 0}}
	for i := byte(1); i < 8; i += 2 {
		want.Pixels = append(want.Pixels, plane(i, i+1)...)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if same, err := got.Padded(4); same != got || err != nil {
		t.Errorf("padded to its own size: %v, %v", same, err)
	}
	for to, want := range map[int]string{1: "larger than the 1x1", 1 << 16: "at most 2147483647 values"} {
		if _, err := d.Padded(to); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Padded(%d): error %v, want %q", to, err, want)
		}
	}
}

// TestPaddedAsMNIST has 2 pixels on each side.
func TestPaddedAsMNIST(t *testing.T) {
	d := &Images{Channels: 1, Height: 28, Width: 28, Pixels: bytes.Repeat([]byte("0123456789"), 3*784/10+1)[:3*784]}
	padded, err := d.Padded(32)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{1, 32, 32}, padded.Shape()); diff != "" || padded.Len() != 3 {
		t.Fatalf("%d pictures of %v", padded.Len(), padded.Shape())
	}
	for i, p := range padded.Pixels {
		n, y, x := i/1024, i/32%32, i%32
		want := byte(0)
		if y >= 2 && y < 30 && x >= 2 && x < 30 {
			want = d.Pixels[n*784+(y-2)*28+x-2]
		}
		if p != want {
			t.Fatalf("pixel %d, %d of picture %d is %d, want %d", y, x, n, p, want)
		}
	}
}
