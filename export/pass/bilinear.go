package pass

import "math"

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

// A bilinear form computes a two-dimensional correlation of real numbers,
//
//	y[o] = sum over d of x[o+d] w[d],  x zero outside its picture,
//
// as y = small · ((kernel · w) * (large · x)) with an element-wise product: one
// multiplication for each of its rows in place of one for each tap and place.
// With channels, each such product is a product of matrices.
type bilinear struct {
	large  matrix // [products, height*width of x]
	kernel matrix // [products, taps]
	small  matrix // [height*width of y, products]
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

// smallDFT gives the bilinear form that a discrete Fourier transform of the
// whole picture makes: no tiles, no large constants, rounding errors as of a sum.
// The numbers being real, one frequency of two conjugate ones is enough; it
// costs three real products (Gauss), a real frequency one.
func smallDFT(large, small [2]int, t taps) bilinear {
	period := [2]int{t.period(0, large[0], small[0]), t.period(1, large[1], small[1])}
	angles := func(f [2]int, from, size [2]int) []float64 {
		var a []float64
		for i := range size[0] {
			for j := range size[1] {
				a = append(a, 2*math.Pi*(float64(f[0]*(from[0]+i))/float64(period[0])+float64(f[1]*(from[1]+j))/float64(period[1])))
			}
		}
		return a
	}
	var d, g, a [][]float64 // rows of large, of kernel, columns of small
	for f0 := range period[0] {
		for f1 := range period[1] {
			f := [2]int{f0, f1}
			conjugate := [2]int{(period[0] - f0) % period[0], (period[1] - f1) % period[1]}
			if conjugate[0] < f0 || conjugate[0] == f0 && conjugate[1] < f1 {
				continue
			}
			x, w, y := angles(f, [2]int{}, large), angles(f, t.first, t.size()), angles(f, [2]int{}, small)
			share := 1 / float64(period[0]*period[1])
			cos := func(v []float64, scale float64) []float64 { return combine(v, scale, 0) }
			if conjugate == f {
				d, g, a = append(d, cos(x, 1)), append(g, cos(w, 1)), append(a, cos(y, share))
				continue
			}
			// (p + iq)(r + is) from pr, qs and (p+q)(r+s), where p + iq is the
			// transform of x, r + is the conjugate of that of w.
			share *= 2
			d = append(d, cos(x, 1), combine(x, 0, -1), combine(x, 1, -1))
			g = append(g, cos(w, 1), combine(w, 0, 1), combine(w, 1, 1))
			a = append(a, combine(y, share, share), combine(y, -share, share), combine(y, 0, -share))
		}
	}
	return bilinear{stack(d), stack(g), stack(a).transposed()}
}

// combine returns c·cos + s·sin of each angle.
func combine(angles []float64, c, s float64) []float64 {
	out := make([]float64, len(angles))
	for i, a := range angles {
		out[i] = c*math.Cos(a) + s*math.Sin(a)
		if math.Abs(out[i]) < 1e-15 {
			out[i] = 0 // sin(pi) and the like
		}
	}
	return out
}

func stack(rows [][]float64) matrix {
	m := newMatrix(len(rows), len(rows[0]))
	for i, r := range rows {
		copy(m.data[i*m.columns:], r)
	}
	return m
}
