package op

import (
	"gonum.org/v1/gonum/blas"
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
func gemm[F float](a, b matrix[F], beta F, c matrix[F]) {
	k := a.cols
	if a.transposed {
		k = a.rows
	}
	flag := func(m matrix[F]) blas.Transpose {
		if m.transposed {
			return blas.Trans
		}
		return blas.NoTrans
	}
	lib := gorgonia.WhichBLAS()
	switch y := any(c.data).(type) {
	case []float32:
		lib.Sgemm(flag(a), flag(b), c.rows, c.cols, k, 1, any(a.data).([]float32), a.cols,
			any(b.data).([]float32), b.cols, float32(beta), y, c.cols)
	case []float64:
		lib.Dgemm(flag(a), flag(b), c.rows, c.cols, k, 1, any(a.data).([]float64), a.cols,
			any(b.data).([]float64), b.cols, float64(beta), y, c.cols)
	}
}
