package export

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
)

// The numbers of Gorgonia's āBinaryOperator.
const (
	matMul = iota
	matVecMul
	vecDot
	outerProduct
	batchedMatMul
)

// linear writes a product of matrices or vectors.
func linear(n *gorgonia.Node, in gorgonia.Nodes) (form, error) {
	f := fieldsOf(n.Op())
	which, transA, transB := f.int("āBinaryOperator"), f.bool("transA"), f.bool("transB")
	if f.err != nil {
		return form{}, f.err
	}
	switch which {
	case matMul:
		return form{"MatMul", in, contracted(transA, transB), func(l *Lowering) error {
			if !transA && !transB {
				return l.Output("MatMul", []string{l.Input(0), l.Input(1)})
			}
			return l.Output("Gemm", []string{l.Input(0), l.Input(1)}, Int("transA", toInt(transA)), Int("transB", toInt(transB)))
		}}, nil
	case matVecMul:
		return form{"MatMul", in, contracted(transA, false), func(l *Lowering) error {
			if transA {
				return l.Output("MatMul", []string{flat(l, 1), l.Input(0)})
			}
			return l.Output("MatMul", []string{l.Input(0), flat(l, 1)})
		}}, nil
	case vecDot:
		return form{"MatMul", in, contracted(false, false), func(l *Lowering) error {
			return l.Output("MatMul", []string{flat(l, 0), flat(l, 1)})
		}}, nil
	case outerProduct:
		return form{"Mul", in, outer, func(l *Lowering) error {
			column := l.Add("Reshape", []string{l.Input(0), l.Ints("column", -1, 1)})
			return l.Output("Mul", []string{column, flat(l, 1)})
		}}, nil
	case batchedMatMul:
		return form{"MatMul", in, contracted(transA, transB), func(l *Lowering) error {
			return l.Output("MatMul", []string{swapped(l, 0, transA), swapped(l, 1, transB)})
		}}, nil
	}
	return form{}, fmt.Errorf("%v has no ONNX form here", n.Op())
}

// contracted derives the batch of a [..., m, k] times b [..., k, n], either
// transposed or a vector [k].
func contracted(transA, transB bool) rule {
	return func(l *Lowering) (batch, error) {
		a, b := l.batchOf(0), l.batchOf(1)
		dimsA, dimsB := len(l.Shape(0)), len(l.Shape(1))
		innerA, innerB := dimsA-1, max(dimsB-2, 0)
		if transA {
			innerA = dimsA - 2
		}
		if transB {
			innerB = dimsB - 1
		}
		sums := func(x batch, inner int) bool { return x != unbatched && x.axis == inner }
		switch {
		case a == unbatched && b == unbatched:
			return unbatched, nil
		case sums(a, innerA) != sums(b, innerB), sums(a, innerA) && a.per != b.per:
			return unbatched, errOneBatch
		case sums(a, innerA):
			return unbatched, nil
		case a != unbatched && b != unbatched && (a != b || a.axis >= dimsA-2):
			return unbatched, fmt.Errorf("multiplies each example by each")
		case a != unbatched && a.axis < dimsA-2, b != unbatched && b.axis < dimsB-2: // one of the matrices
			if a != b {
				return unbatched, errOneBatch
			}
			return a, nil
		case a != unbatched:
			return batch{max(dimsA-2, 0), a.per}, nil
		}
		return batch{len(l.OutputShape()) - 1, b.per}, nil
	}
}

// outer derives the batch of a column times a row.
func outer(l *Lowering) (batch, error) {
	a, b := l.batchOf(0), l.batchOf(1)
	switch {
	case a != unbatched && b != unbatched:
		return unbatched, fmt.Errorf("multiplies each example by each")
	case a != unbatched:
		return batch{0, a.per}, nil
	case b != unbatched:
		return batch{1, b.per}, nil
	}
	return unbatched, nil
}

// flat is a vector that may lie as a row or a column.
func flat(l *Lowering, i int) string {
	if len(l.Shape(i)) == 1 {
		return l.Input(i)
	}
	return l.Add("Reshape", []string{l.Input(i), l.Ints("flat", -1)})
}

// swapped is input i with its last two axes exchanged, if it is to be transposed.
func swapped(l *Lowering, i int, trans bool) string {
	if !trans {
		return l.Input(i)
	}
	perm := make([]int, len(l.Shape(i)))
	for axis := range perm {
		perm[axis] = axis
	}
	slices.Reverse(perm[len(perm)-2:])
	return l.Add("Transpose", []string{l.Input(i)}, Ints("perm", perm...))
}

func toInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
