package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
)

// matMul is the matrix product of two matrices or of their transposes:
//
//	y = a'·b'    a' [M, K], b' [K, N] -> y [M, N]
//
// It is the gradient of dense. ONNX: Gemm, opset 13.
type matMul struct {
	operator
	transA, transB bool
}

var (
	_ gorgonia.SDOp   = (*matMul)(nil)
	_ export.Operator = (*matMul)(nil)
)

// MatMul multiplies a by b; a flag makes it take the transpose of that factor.
func MatMul(a, b *gorgonia.Node, transA, transB bool) (*gorgonia.Node, error) {
	attrs := struct{ TransA, TransB bool }{transA, transB}
	o := &matMul{newOperator("MatMul", attrs, rank(2), rank(2), rank(2)), transA, transB}
	return apply(o, a, b)
}

func (o *matMul) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	a, b := shapes(ds)[0].Clone(), shapes(ds)[1].Clone()
	if o.transA {
		a[0], a[1] = a[1], a[0]
	}
	if o.transB {
		b[0], b[1] = b[1], b[0]
	}
	if a[1] != b[0] {
		return nil, fmt.Errorf("op: MatMul: %v·%v: the inner sizes differ", a, b)
	}
	return tensor.Shape{a[0], b[1]}, nil
}

func (o *matMul) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, matMulKernel[float32](o), matMulKernel[float64](o))
}

func (o *matMul) DiffWRT(int) []bool { return []bool{true, true} }

// SymDiff: with y = a·b, da = dy·bᵀ and db = aᵀ·dy; transposed factors get the
// transposes of these.
func (o *matMul) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	a, b := in[0], in[1]
	da, err := MatMul(dy, b, false, !o.transB)
	if o.transA {
		da, err = MatMul(b, dy, o.transB, true)
	}
	if err != nil {
		return nil, err
	}
	db, err := MatMul(a, dy, !o.transA, false)
	if o.transB {
		db, err = MatMul(dy, a, true, o.transA)
	}
	return gorgonia.Nodes{da, db}, err
}

func (o *matMul) Lower(l *export.Lowering) error {
	if o.transA {
		l.SumsBatch()
	}
	return l.Output("Gemm", []string{l.Input(0), l.Input(1)}, gemmFlags(o.transA, o.transB)...)
}

func matMulKernel[F float](o *matMul) kernel[F] {
	return func(y array[F], in []array[F]) {
		a, b := asMatrix(in[0]), asMatrix(in[1])
		a.transposed, b.transposed = o.transA, o.transB
		gemm(a, b, 0, asMatrix(y))
	}
}

// asMatrix takes the first axis as rows and all others as columns.
func asMatrix[F float](a array[F]) matrix[F] {
	return matrix[F]{rows: a.shape[0], cols: len(a.data) / a.shape[0], data: a.data}
}
