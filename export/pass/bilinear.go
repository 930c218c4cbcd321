package pass

import (
	"math"
	"slices"
)

// matrix is stored row by row.
type matrix struct {
	rows, columns int
	data          []float64
}

func newMatrix(rows, columns int) matrix {
	return matrix{rows, columns, make([]float64, rows*columns)}
}

func (m matrix) at(i, j int) float64 { return m.data[i*m.columns+j] }

func (m matrix) transposed() matrix {
	t := newMatrix(m.columns, m.rows)
	for i := range m.rows {
		for j := range m.columns {
			t.data[j*m.rows+i] = m.at(i, j)
		}
	}
	return t
}

// A bilinear form computes a two-dimensional correlation of real numbers,
//
//	y[o] = sum over d of x[o+d] w[d],  x zero outside its picture,
//
// as y = small' · ((kernel · w) * (large · x)) with an element-wise product: one
// multiplication for each of its rows in place of one for each tap and place.
// With channels, each such product is a product of matrices.
type bilinear struct {
	large  transform // of x
	kernel matrix    // [products, taps]
	small  transform // of y
}

// transform is a matrix [products, height*width] in two factors. The first goes
// along a picture's rows, the second along its columns, with a matrix for each
// group of products:
//
//	u = rows · x  [2·groups, width],  products of group g = columns[g] · (u[2g], u[2g+1])
//
// Without rows, columns is that matrix as a whole.
type transform struct {
	rows    matrix   // [2·groups, height]
	columns []matrix // each [products of a group, 2·width]
}

func (t transform) products() int { return len(t.columns) * t.columns[0].rows }

// whole multiplies the factors of a form's transforms, and leaves out products
// that are zero.
func (b bilinear) whole() bilinear {
	keep := make([]bool, b.kernel.rows)
	var kernel [][]float64
	for i := range keep {
		row := b.kernel.data[i*b.kernel.columns:][:b.kernel.columns]
		if keep[i] = slices.ContainsFunc(row, func(v float64) bool { return v != 0 }); keep[i] {
			kernel = append(kernel, row)
		}
	}
	return bilinear{b.large.whole(keep), stack(kernel), b.small.whole(keep)}
}

func (t transform) whole(keep []bool) transform {
	height, each, width := t.rows.columns, t.columns[0].rows, t.columns[0].columns/2
	var rows [][]float64
	for i, kept := range keep {
		if !kept {
			continue
		}
		var row []float64
		for y := range height {
			for x := range width {
				first, second := t.columns[i/each].at(i%each, x), t.columns[i/each].at(i%each, width+x)
				row = append(row, first*t.rows.at(i/each*2, y)+second*t.rows.at(i/each*2+1, y))
			}
		}
		rows = append(rows, row)
	}
	return transform{columns: []matrix{stack(rows)}}
}

// withColumns takes columns by number, in their order.
func (m matrix) withColumns(order []int) matrix {
	out := newMatrix(m.rows, len(order))
	for i := range m.rows {
		for j, from := range order {
			out.data[i*len(order)+j] = m.at(i, from)
		}
	}
	return out
}

// taps are the offsets from first to last, of rows and columns.
type taps struct{ first, last [2]int }

func (t taps) size() [2]int {
	return [2]int{t.last[0] - t.first[0] + 1, t.last[1] - t.first[1] + 1}
}

// period is the length of the shortest discrete Fourier transform whose
// circular correlation equals the zero-padded one along an axis.
func (t taps) period(axis, large, small int) int {
	return max(large-t.first[axis], small+t.last[axis], large)
}

// periods is the period of both axes.
func (t taps) periods(large, small [2]int) [2]int {
	return [2]int{t.period(0, large[0], small[0]), t.period(1, large[1], small[1])}
}

// smallDFT gives the bilinear form that a discrete Fourier transform of the
// whole picture makes, of at least the periods of the taps: no tiles, no large
// constants, rounding errors as of a sum.
func smallDFT(large, small [2]int, t taps, period [2]int) bilinear {
	groups := dftTerms(period)
	var kernel [][]float64
	for _, group := range groups {
		for _, p := range group {
			var row []float64
			for i := range t.size()[0] {
				for j := range t.size()[1] {
					row = append(row, p.w.at(turn(p.f[0]*(t.first[0]+i), period[0])+turn(p.f[1]*(t.first[1]+j), period[1])))
				}
			}
			kernel = append(kernel, row)
		}
	}
	return bilinear{
		large:  dft(large, period, groups, func(p term) mix { return p.x }),
		kernel: stack(kernel),
		small:  dft(small, period, groups, func(p term) mix { return p.y }),
	}
}

// term is a product of the form: a frequency, and how x, w and y are
// mixed from their cosines and sines at it.
type term struct {
	f       [2]int
	x, w, y mix
}

type mix struct{ cos, sin float64 }

func (m mix) at(angle float64) float64 {
	v := m.cos*math.Cos(angle) + m.sin*math.Sin(angle)
	if math.Abs(v) < 1e-15 {
		return 0 // sin(pi) and the like
	}
	return v
}

// turn is the angle of i parts of a circle of n.
func turn(i, n int) float64 { return 2 * math.Pi * float64(i) / float64(n) }

// dftTerms lists the products, in groups of one size. The numbers being real,
// one frequency of two conjugate ones is enough; it costs three real products
// (Gauss), a real frequency one.
//
// A group is a frequency along the rows; the first is those that are their own
// conjugates, 0 and half of an even period, and is filled up with products that
// are zero: one or two, or half of a group where the period is odd.
func dftTerms(period [2]int) [][]term {
	share := 1 / float64(period[0]*period[1])
	alone := func(f0, f1 int) []term {
		return []term{{[2]int{f0, f1}, mix{1, 0}, mix{1, 0}, mix{share, 0}}}
	}
	// (p + iq)(r + is) from pr, qs and (p+q)(r+s), where p + iq is the transform
	// of x, r + is the conjugate of that of w.
	pair := func(f0, f1 int) []term {
		f := [2]int{f0, f1}
		return []term{
			{f, mix{1, 0}, mix{1, 0}, mix{2 * share, 2 * share}},
			{f, mix{0, -1}, mix{0, 1}, mix{-2 * share, 2 * share}},
			{f, mix{1, -1}, mix{1, 1}, mix{0, -2 * share}},
		}
	}
	own := []int{0}
	if period[0]%2 == 0 {
		own = append(own, period[0]/2)
	}
	groups := make([][]term, (period[0]+1)/2)
	for _, f0 := range own {
		for f1 := 0; 2*f1 <= period[1]; f1++ {
			if f1 == 0 || 2*f1 == period[1] {
				groups[0] = append(groups[0], alone(f0, f1)...)
			} else {
				groups[0] = append(groups[0], pair(f0, f1)...)
			}
		}
	}
	groups[0] = append(groups[0], make([]term, 3*period[1]-len(groups[0]))...)
	for f0 := 1; f0 < len(groups); f0++ {
		for f1 := range period[1] {
			groups[f0] = append(groups[f0], pair(f0, f1)...)
		}
	}
	return groups
}

// dft is the transform of a picture of a size, mixed for the products.
func dft(size, period [2]int, groups [][]term, of func(term) mix) transform {
	t := transform{rows: newMatrix(2*len(groups), size[0])}
	for g, group := range groups {
		for i := range size[0] {
			angle, second := turn(g*i, period[0]), mix{0, -1}
			if g == 0 { // another frequency in place of the imaginary part
				angle, second = turn(i, 2), mix{1, 0}
			}
			t.rows.data[2*g*size[0]+i] = mix{1, 0}.at(turn(g*i, period[0]))
			t.rows.data[(2*g+1)*size[0]+i] = second.at(angle)
		}
		m := newMatrix(len(group), 2*size[1])
		for i, p := range group {
			for j := range size[1] {
				angle, v := turn(p.f[1]*j, period[1]), of(p)
				at := m.data[2*i*size[1]+j:]
				switch {
				case g > 0:
					at[0], at[size[1]] = v.at(angle), mix{-v.sin, v.cos}.at(angle)
				case p.f[0] == 0:
					at[0] = v.at(angle)
				default:
					at[size[1]] = v.at(angle)
				}
			}
		}
		t.columns = append(t.columns, m)
	}
	return t
}

func stack(rows [][]float64) matrix {
	m := newMatrix(len(rows), len(rows[0]))
	for i, r := range rows {
		copy(m.data[i*m.columns:], r)
	}
	return m
}
