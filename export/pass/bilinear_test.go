package pass

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// times multiplies with a vector.
func (m matrix) times(v []float64) []float64 {
	out := make([]float64, m.rows)
	for i := range out {
		for j, x := range v {
			out[i] += m.at(i, j) * x
		}
	}
	return out
}

// correlate is the definition: x is zero outside of its picture.
func correlate(large, small [2]int, t taps, x, w []float64) []float64 {
	size := t.size()
	y := make([]float64, small[0]*small[1])
	for i := range small[0] {
		for j := range small[1] {
			for p := range size[0] {
				for q := range size[1] {
					row, column := i+t.first[0]+p, j+t.first[1]+q
					if row >= 0 && row < large[0] && column >= 0 && column < large[1] {
						y[i*small[1]+j] += x[row*large[1]+column] * w[p*size[1]+q]
					}
				}
			}
		}
	}
	return y
}

func draw(r *rand.Rand, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = 2*r.Float64() - 1
	}
	return v
}

// TestSmallDFT: the form computes the correlation, of every size, with taps on
// one side or on both, and with kernels larger than the picture.
func TestSmallDFT(t *testing.T) {
	type sizes struct {
		large, small [2]int
		taps         taps
	}
	cases := []sizes{
		{[2]int{1, 1}, [2]int{1, 1}, taps{}},
		{[2]int{7, 7}, [2]int{7, 7}, taps{[2]int{-2, -2}, [2]int{2, 2}}},
		{[2]int{7, 7}, [2]int{7, 7}, taps{[2]int{-1, -1}, [2]int{1, 1}}},
		{[2]int{7, 4}, [2]int{7, 4}, taps{[2]int{-2, -1}, [2]int{2, 1}}},   // rectangular
		{[2]int{6, 6}, [2]int{4, 4}, taps{[2]int{0, 0}, [2]int{2, 2}}},     // no pads
		{[2]int{5, 5}, [2]int{5, 5}, taps{[2]int{0, 0}, [2]int{3, 3}}},     // on one side
		{[2]int{5, 5}, [2]int{5, 5}, taps{[2]int{-3, -3}, [2]int{0, 0}}},   // on the other
		{[2]int{5, 5}, [2]int{5, 5}, taps{[2]int{1, 2}, [2]int{3, 2}}},     // not even the pixel itself
		{[2]int{5, 5}, [2]int{5, 5}, taps{[2]int{-4, -3}, [2]int{-1, -3}}}, // the same before it
		{[2]int{2, 3}, [2]int{2, 3}, taps{[2]int{-3, -4}, [2]int{3, 4}}},   // larger than the picture
		{[2]int{3, 3}, [2]int{6, 5}, taps{[2]int{-4, -2}, [2]int{0, 0}}},   // more places than pixels
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var c sizes
		for axis := range 2 {
			c.large[axis], c.small[axis] = 1+r.IntN(8), 1+r.IntN(8)
			c.taps.first[axis] = r.IntN(7) - 4
			c.taps.last[axis] = c.taps.first[axis] + r.IntN(6)
		}
		cases = append(cases, c)
	}
	for _, c := range cases {
		form := smallDFT(c.large, c.small, c.taps)
		x := draw(r, c.large[0]*c.large[1])
		w := draw(r, c.taps.size()[0]*c.taps.size()[1])
		d, g := form.large.times(x), form.kernel.times(w)
		for i := range d {
			d[i] *= g[i]
		}
		got, want := form.small.times(d), correlate(c.large, c.small, c.taps, x, w)
		for i := range want {
			if !(math.Abs(got[i]-want[i]) <= 1e-12) { // float64, sums of some 400 terms
				t.Errorf("%v: y[%d] is %v, want %v", c, i, got[i], want[i])
				break
			}
		}
	}
}

// TestProducts counts the multiplications of the form: 1225 directly for 7x7
// places of 5x5 taps, 441 for 3x3.
func TestProducts(t *testing.T) {
	for _, c := range []struct{ picture, reach, products int }{{7, 2, 121}, {7, 1, 94}, {1, 0, 1}} {
		size := [2]int{c.picture, c.picture}
		form := smallDFT(size, size, taps{[2]int{-c.reach, -c.reach}, [2]int{c.reach, c.reach}})
		for part, got := range map[string]int{"large": form.large.rows, "kernel": form.kernel.rows, "small": form.small.columns} {
			if got != c.products {
				t.Errorf("%[1]dx%[1]d, taps up to %d away: %s has %d products, want %d", c.picture, c.reach, part, got, c.products)
			}
		}
	}
}

// TestSmallDFTConstants: what a form adds in rounding errors, it adds by large
// constants. This one has none.
func TestSmallDFTConstants(t *testing.T) {
	size := [2]int{14, 14}
	form := smallDFT(size, size, taps{[2]int{-2, -2}, [2]int{2, 2}})
	for name, m := range map[string]matrix{"large": form.large, "kernel": form.kernel, "small": form.small} {
		for i, v := range m.data {
			if math.Abs(v) > math.Sqrt2+1e-12 {
				t.Errorf("%s[%d] is %v, want at most the root of 2", name, i, v)
			}
		}
	}
}

// TestMatrix: the two ways of rearranging one.
func TestMatrix(t *testing.T) {
	m := matrix{2, 3, []float64{1, 2, 3, 4, 5, 6}}
	for _, c := range []struct {
		name      string
		got, want matrix
	}{
		{"transposed", m.transposed(), matrix{3, 2, []float64{1, 4, 2, 5, 3, 6}}},
		{"withColumns", m.withColumns([]int{2, 0, 0, 1}), matrix{2, 4, []float64{3, 1, 1, 2, 6, 4, 4, 5}}},
	} {
		if fmt.Sprint(c.got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
}
