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

// gemm computes c = a·b + beta·c by the BLAS library that Gorgonia uses, which
// runs on all cores.
//
// gonum's own product is twice as fast where both operands lie along the sum
// (its inner loop is then a dot product), so the others are copied first.
func gemm[F float](a, b matrix[F], beta F, c matrix[F]) {
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
	k := a.cols
	if a.transposed {
		k = a.rows
	}
	switch y := any(c.data).(type) {
	case []float32:
		lib.Sgemm(a.flag(), b.flag(), c.rows, c.cols, k, 1, any(a.data).([]float32), a.cols,
			any(b.data).([]float32), b.cols, float32(beta), y, c.cols)
	case []float64:
		lib.Dgemm(a.flag(), b.flag(), c.rows, c.cols, k, 1, any(a.data).([]float64), a.cols,
			any(b.data).([]float64), b.cols, float64(beta), y, c.cols)
	}
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
