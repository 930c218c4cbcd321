package op_test

import (
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/gantrain/gantrain/train/op"
)

func denseRows() []row {
	var rows []row
	for _, s := range []struct {
		variant       string
		n, from, to   int
		biased, large bool
	}{
		{"with bias", 3, 5, 4, true, false},
		{"without bias", 3, 5, 4, false, false},
		{"batch 1", 1, 5, 4, true, false},
		{"one feature", 4, 1, 1, true, false},
		{"on all cores", 130, 300, 210, true, true},
	} {
		operands := []operand{in(s.n, s.from), in(s.from, s.to)}
		if s.biased {
			operands = append(operands, in(s.to))
		}
		rows = append(rows, row{
			name: "Dense " + s.variant, operands: operands, naive: naiveDense, terms: s.from, large: s.large,
			build: func(x []*gorgonia.Node) (*gorgonia.Node, error) { return op.Dense(x[0], x[1], optional(x)) },
		})
	}
	for _, flags := range [][2]bool{{false, false}, {false, true}, {true, false}, {true, true}} {
		transA, transB := flags[0], flags[1]
		a, b := in(3, 5), in(5, 4)
		if transA {
			a = in(5, 3)
		}
		if transB {
			b = in(4, 5)
		}
		rows = append(rows, row{
			name: fmt.Sprintf("MatMul transposed: %v, %v", transA, transB), operands: []operand{a, b}, terms: 5,
			build: func(x []*gorgonia.Node) (*gorgonia.Node, error) { return op.MatMul(x[0], x[1], transA, transB) },
			naive: func(x []array) array { return naiveMatMul(x[0], x[1], transA, transB) },
		})
	}
	return rows
}

// optional is the third operand, where there is one.
func optional(x []*gorgonia.Node) *gorgonia.Node {
	if len(x) < 3 {
		return nil
	}
	return x[2]
}

func naiveDense(x []array) array {
	y := newArray(x[0].shape[0], x[1].shape[1])
	for n := range y.shape[0] {
		for j := range y.shape[1] {
			if len(x) == 3 {
				y.add(x[2].at(j), n, j)
			}
			for i := range x[1].shape[0] {
				y.add(x[0].at(n, i)*x[1].at(i, j), n, j)
			}
		}
	}
	return y
}

func naiveMatMul(a, b array, transA, transB bool) array {
	if transA {
		a = naiveTranspose(a)
	}
	if transB {
		b = naiveTranspose(b)
	}
	return naiveDense([]array{a, b})
}

func naiveTranspose(a array) array {
	y := newArray(a.shape[1], a.shape[0])
	for i := range a.shape[0] {
		for j := range a.shape[1] {
			y.add(a.at(i, j), j, i)
		}
	}
	return y
}
