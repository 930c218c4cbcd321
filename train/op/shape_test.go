package op_test

import (
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/gantrain/gantrain/train/op"
)

func shapeRows() []row {
	var rows []row
	for _, s := range []struct{ from, to []int }{
		{[]int{3, 12}, []int{2, 3, 2}},
		{[]int{3, 2, 3, 2}, []int{12}},
		{[]int{2, 4, 3}, []int{3, 4}},
		{[]int{1, 5}, []int{5, 1, 1}},
		{[]int{4, 1}, nil},
		{[]int{4}, []int{1}},
	} {
		rows = append(rows, row{
			name: fmt.Sprintf("Reshape %v to %v", s.from, s.to), operands: []operand{in(s.from...)}, terms: 1,
			build: func(x []*gorgonia.Node) (*gorgonia.Node, error) { return op.Reshape(x[0], s.to...) },
			naive: func(x []array) array { return array{append([]int{s.from[0]}, s.to...), x[0].data} },
		})
	}
	for _, from := range [][]int{{2, 3, 2, 2}, {1, 1, 1, 1}, {3, 4}, {3}} {
		rows = append(rows, row{
			name: fmt.Sprintf("Flatten %v", from), operands: []operand{in(from...)}, terms: 1,
			build: func(x []*gorgonia.Node) (*gorgonia.Node, error) { return op.Flatten(x[0]) },
			naive: func(x []array) array { return array{[]int{from[0], len(x[0].data) / from[0]}, x[0].data} },
		})
	}
	for _, s := range []struct {
		axis int
		a, b []int
	}{
		{0, []int{2, 3}, []int{4, 3}},
		{1, []int{2, 3}, []int{2, 1}},
		{0, []int{2}, []int{3}},
		{1, []int{2, 1, 3, 2}, []int{2, 4, 3, 2}},
		{2, []int{2, 2, 1, 3}, []int{2, 2, 2, 3}},
		{3, []int{1, 2, 2, 3}, []int{1, 2, 2, 2}},
	} {
		rows = append(rows, row{
			name: fmt.Sprintf("Concat axis %d of %v and %v", s.axis, s.a, s.b), operands: []operand{in(s.a...), in(s.b...)}, terms: 1,
			build: func(x []*gorgonia.Node) (*gorgonia.Node, error) { return op.Concat(s.axis, x[0], x[1]) },
			naive: func(x []array) array { return naiveConcat(s.axis, x[0], x[1]) },
		})
	}
	return rows
}

func naiveConcat(axis int, a, b array) array {
	shape := append([]int(nil), a.shape...)
	shape[axis] += b.shape[axis]
	y := newArray(shape...)
	for i := range y.data {
		place, rest := make([]int, len(shape)), i
		for d := len(shape) - 1; d >= 0; d-- {
			place[d], rest = rest%shape[d], rest/shape[d]
		}
		if place[axis] < a.shape[axis] {
			y.data[i] = a.at(place...)
			continue
		}
		place[axis] -= a.shape[axis]
		y.data[i] = b.at(place...)
	}
	return y
}
