package op

import (
	"path"
	"reflect"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
	"gorgonia.org/gorgonia"
)

// matrix is an operand of gemm: rows by columns as stored, row by row.
type matrix[F float] struct {
	rows, cols int
	data       []F
	transposed bool // whether gemm takes its transpose
}

// t is the transpose of a matrix.
func (m matrix[F]) t() matrix[F] {
	m.transposed = !m.transposed
	return m
}

// oneThread says that the BLAS library computes a product on its caller's core
// alone, and leaves it to gemm to use them all.
var oneThread bool

// leastSide is the fewest rows or columns of a product worth a part of their
// own: each part reads all of the other operand.
const leastSide = 128

// gemm computes c = a·b + beta·c by the BLAS library that Gorgonia uses, on all
// cores.
func gemm[F float](a, b matrix[F], beta F, c matrix[F]) {
	if !oneThread {
		product(a, b, beta, c, c.rows, c.cols)
		return
	}
	if c.rows > c.cols {
		eachPart(c.rows, func(from, to int) {
			product(a.skip(from), b, beta, c.skip(from), to-from, c.cols)
		})
		return
	}
	eachPart(c.cols, func(from, to int) {
		product(a, b.t().skip(from).t(), beta, c.t().skip(from).t(), c.rows, to-from)
	})
}

// eachPart cuts the longer side of a product into 2, 4, 8 or 16 parts, or not at
// all. The library rounds differently in products of other sizes, so the parts
// don't depend on the number of cores.
func eachPart(side int, f func(from, to int)) {
	parts := 1
	for parts < 16 && side >= 2*parts*leastSide {
		parts *= 2
	}
	parallel(parts, 1, func(from, to int) {
		for i := from; i < to; i++ {
			f(i*side/parts, (i+1)*side/parts)
		}
	})
}

// product is gemm for the first rows and columns of c, as the library does it.
//
// gonum's own product is twice as fast where both operands lie along the sum
// (its inner loop is then a dot product), so the others are copied first.
func product[F float](a, b matrix[F], beta F, c matrix[F], rows, cols int) {
	lib := gorgonia.WhichBLAS()
	if _, ok := lib.(gonum.Implementation); ok {
		if a.transposed {
			spare := turn(&a)
			defer giveBack(spare)
		}
		if !b.transposed {
			spare := turn(&b)
			defer giveBack(spare)
		}
	}
	switch y := any(c.data).(type) {
	case []float32:
		lib.Sgemm(a.flag(), b.flag(), rows, cols, a.inner(), 1, any(a.data).([]float32), a.cols,
			any(b.data).([]float32), b.cols, float32(beta), y, c.cols)
	case []float64:
		lib.Dgemm(a.flag(), b.flag(), rows, cols, a.inner(), 1, any(a.data).([]float64), a.cols,
			any(b.data).([]float64), b.cols, float64(beta), y, c.cols)
	}
}

// inner is the length of the sum in a product with m on the left.
func (m matrix[F]) inner() int {
	if m.transposed {
		return m.rows
	}
	return m.cols
}

// skip leaves out the first n rows, by the offset alone: the sizes stay.
func (m matrix[F]) skip(n int) matrix[F] {
	if !m.transposed {
		n *= m.cols
	}
	m.data = m.data[n:]
	return m
}

func (m matrix[F]) flag() blas.Transpose {
	if m.transposed {
		return blas.Trans
	}
	return blas.NoTrans
}

// turn stores a matrix the other way round, in borrowed memory that it returns.
func turn[F float](m *matrix[F]) []F {
	spare := borrow[F](len(m.data))
	transpose(spare, m.data, m.rows, m.cols)
	m.rows, m.cols, m.data, m.transposed = m.cols, m.rows, spare, !m.transposed
	return spare
}

// transpose writes src [rows, cols] into dst [cols, rows], a tile that fits the
// first-level cache at a time.
func transpose[F float](dst, src []F, rows, cols int) {
	const tile = 32
	parallel((cols+tile-1)/tile, elementGrain/(tile*max(rows, 1))+1, func(from, to int) {
		for i0 := 0; i0 < rows; i0 += tile {
			for j0 := from * tile; j0 < min(to*tile, cols); j0 += tile {
				for j := j0; j < min(j0+tile, cols); j++ {
					out := dst[j*rows : (j+1)*rows]
					for i := i0; i < min(i0+tile, rows); i++ {
						out[i] = src[i*cols+j]
					}
				}
			}
		}
	})
}

// BLAS names the library that computes matrix products: gonum or netlib.
func BLAS() string {
	return path.Base(reflect.TypeOf(gorgonia.WhichBLAS()).PkgPath())
}
