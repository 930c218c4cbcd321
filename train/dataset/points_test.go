package dataset

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gantrain/gantrain/runtime/latent"
)

// TestParabola makes the points again from the words of the generator.
func TestParabola(t *testing.T) {
	const seed, stream = 7, 3
	d := Parabola(1000, seed, stream)
	if d.Len() != 1000 || len(d.X) != 2000 {
		t.Fatalf("%d points in %d numbers", d.Len(), len(d.X))
	}
	bins := make([]int, 10)
	for i := range d.Len() {
		word := latent.Philox([2]uint64{seed, stream}, [4]uint64{uint64(i/4) + 1, 0, 0, 0})[i%4]
		u := (float64(word>>12) + 0.5) * 0x1p-52
		x := 10 * (u - 0.5)
		gotX, gotY := float64(d.X[2*i]), float64(d.X[2*i+1])
		// u comes as a float32, so x and y are off by some of their last bits:
		// 5 and 30 times 2^-24.
		if math.Abs(gotX-x) > 6e-7 || math.Abs(gotY-(x*x+5)) > 4e-6 {
			t.Fatalf("point %d is (%g, %g), want (%g, %g)", i, gotX, gotY, x, x*x+5)
		}
		bins[int(gotX+5)]++
	}
	for i, n := range bins {
		if n < 50 || n > 150 { // 100 each, five standard deviations of 9.5
			t.Errorf("%d of 1000 points have x in [%d, %d)", n, i-5, i-4)
		}
	}
	if diff := cmp.Diff(d.X[:20], Parabola(10, seed, stream).X); diff != "" {
		t.Errorf("the first of fewer points (-want +got)\n%s", diff)
	}
	for _, other := range []*Points{Parabola(1000, seed+1, stream), Parabola(1000, seed, stream+1)} {
		if other.Sum() == d.Sum() {
			t.Error("another seed or stream gives the same points")
		}
	}
}

func TestPoints(t *testing.T) {
	d := &Points{Name: "p", Licence: "l", X: []float32{1, 2, 3, 4, 5, 6}}
	got := make([]float32, 4)
	d.Scale(got, []int{2, 0}, -1, 1)
	if diff := cmp.Diff([]float32{5, 6, 1, 2}, got); diff != "" {
		t.Errorf("gathered (-want +got)\n%s", diff)
	}
	// python3 -c "import hashlib, struct; print(hashlib.sha256(struct.pack('<6f', 1, 2, 3, 4, 5, 6)).hexdigest())"
	if got, want := d.Sum(), "24ae2dfe8df57c1b80e54cef3d90ac3b417fd98973345a5f616bbc9a75dcc202"; got != want {
		t.Errorf("sum %s, want %s", got, want)
	}
	name, licence := d.About()
	if name != "p" || licence != "l" || d.Label(1) != -1 || d.String() != "p: 3 points" || !cmp.Equal(d.Shape(), []int{2}) {
		t.Errorf("%q, %q, label %d, %q, shape %v", name, licence, d.Label(1), d, d.Shape())
	}
}
