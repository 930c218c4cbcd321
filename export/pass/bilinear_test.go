package pass

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
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

func (t transform) times(x []float64) []float64 {
	if t.rows.rows == 0 {
		return t.columns[0].times(x)
	}
	width := t.columns[0].columns / 2
	u := make([]float64, t.rows.rows*width)
	for j := range width {
		column := make([]float64, t.rows.columns)
		for i := range column {
			column[i] = x[i*width+j]
		}
		for i, v := range t.rows.times(column) {
			u[i*width+j] = v
		}
	}
	var out []float64
	for g, m := range t.columns {
		out = append(out, m.times(u[2*g*width:][:2*width])...)
	}
	return out
}

// transposedTimes multiplies the transpose with a vector.
func (t transform) transposedTimes(v []float64) []float64 {
	positions := t.columns[0].columns
	if t.rows.rows > 0 {
		positions = t.rows.columns * positions / 2
	}
	out := make([]float64, positions)
	for i := range out {
		unit := make([]float64, len(out))
		unit[i] = 1
		for j, x := range t.times(unit) {
			out[i] += x * v[j]
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
		x := draw(r, c.large[0]*c.large[1])
		w := draw(r, c.taps.size()[0]*c.taps.size()[1])
		want := correlate(c.large, c.small, c.taps, x, w)
		period := c.taps.periods(c.large, c.small)
		for _, period := range [][2]int{period, {period[0] + 1, period[1]}, {period[0], period[1] + 1}} { // odd and even
			steps := smallDFT(c.large, c.small, c.taps, period)
			for _, form := range []bilinear{steps, steps.whole()} {
				d, g := form.large.times(x), form.kernel.times(w)
				for i := range d {
					d[i] *= g[i]
				}
				got := form.small.transposedTimes(d)
				for i := range want {
					if !(math.Abs(got[i]-want[i]) <= 1e-12) { // float64, sums of some 400 terms
						t.Errorf("%v, period %v: y[%d] is %v, want %v", c, period, i, got[i], want[i])
						break
					}
				}
			}
		}
	}
}

// TestProducts counts the multiplications of the form: 1225 directly for 7x7
// places of 5x5 taps, 441 for 3x3.
func TestProducts(t *testing.T) {
	for _, c := range []struct {
		picture, reach, period int
		products, whole        int
	}{{7, 2, 9, 135, 121}, {7, 2, 10, 135, 134}, {7, 1, 8, 96, 94}, {4, 1, 5, 45, 37}, {1, 0, 1, 3, 1}} {
		size := [2]int{c.picture, c.picture}
		steps := smallDFT(size, size, taps{[2]int{-c.reach, -c.reach}, [2]int{c.reach, c.reach}}, [2]int{c.period, c.period - c.period/10})
		for i, form := range []bilinear{steps, steps.whole()} {
			want := []int{c.products, c.whole}[i]
			for part, got := range map[string]int{"large": form.large.products(), "kernel": form.kernel.rows, "small": form.small.products()} {
				if got != want {
					t.Errorf("%[1]dx%[1]d, taps up to %d away: %s has %d products, want %d", c.picture, c.reach, part, got, want)
				}
			}
		}
	}
}

// TestSmallDFTConstants: what a form adds in rounding errors, it adds by large
// constants. This one has none.
func TestSmallDFTConstants(t *testing.T) {
	size := [2]int{14, 14}
	form := smallDFT(size, size, taps{[2]int{-2, -2}, [2]int{2, 2}}, [2]int{16, 16})
	matrices := slices.Concat(form.large.columns, form.small.columns, []matrix{form.large.rows, form.kernel, form.small.rows})
	for n, m := range matrices {
		for i, v := range m.data {
			if math.Abs(v) > math.Sqrt2+1e-12 {
				t.Errorf("matrix %d holds %v at %d, want at most the root of 2", n, v, i)
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
