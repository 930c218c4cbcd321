package op_test

import (
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/train/op"
)

func embeddingRows() []row {
	var rows []row
	for _, s := range []struct {
		variant              string
		n, classes, features int
	}{
		{"with repeated labels", 9, 4, 3},
		{"with rows that no label names", 3, 20, 2},
		{"batch 1", 1, 4, 3},
		{"one class", 5, 1, 3},
		{"one value", 5, 4, 1},
	} {
		rows = append(rows, row{
			name: "Embedding " + s.variant, operands: []operand{in(s.classes, s.features), labels(s.n, s.classes)}, terms: 1,
			build: func(x []*gorgonia.Node) (*gorgonia.Node, error) { return op.Embedding(x[0], x[1]) },
			naive: func(x []array) array {
				y := newArray(s.n, s.features)
				for n := range s.n {
					for i := range s.features {
						y.add(x[0].at(int(x[1].at(n, 0)), i), n, i)
					}
				}
				return y
			},
		})
	}
	return rows
}

// A label without a row is an error in both directions, not another row.
func TestLabelsOutOfRange(t *testing.T) {
	g := gorgonia.NewGraph()
	y := gorgonia.Must(op.Embedding(leaf(g, 3, 2), input(g, "label", newArray(4, 1).dense(tensor.Int64))))
	gradients, err := y.Op().(gorgonia.SDOp).SymDiff(operandsOf(y), y, leaf(g, 4, 2))
	if err != nil {
		t.Fatal(err)
	}
	for wrong, text := range map[float64]string{-1: "-1", 3: "3", 1 << 40: "1099511627776"} {
		label := array{[]int{4, 1}, []float64{0, 2, wrong, 1}}.dense(tensor.Int64)
		_, err := y.Op().Do(newArray(3, 2).dense(tensor.Float32), label)
		if want := "op: Embedding: label " + text + " of example 2 is not in [0, 3)"; err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
		_, err = gradients[0].Op().Do(label, newArray(4, 2).dense(tensor.Float32))
		if want := "op: EmbeddingGrad: label " + text + " of example 2 is not in [0, 3)"; err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
