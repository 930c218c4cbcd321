package op_test

import (
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/train/op"
)

// TestRefusals: each of these is one line that names the operator and what is
// wrong.
func TestRefusals(t *testing.T) {
	g := gorgonia.NewGraph()
	x := func(shape ...int) *gorgonia.Node { return leaf(g, shape...) }
	of := func(dt tensor.Dtype, shape ...int) *gorgonia.Node {
		return input(g, "input of "+dt.String(), newArray(shape...).dense(dt))
	}
	same := geometry(3, 3, 1, 1, 1, 1, 1, 1)
	one := func(n *gorgonia.Node, err error) error { return err }
	for _, c := range []struct {
		err  error
		want string
	}{
		{one(op.Dense(x(2, 3), x(4, 5), nil)), "op: Dense: x (2, 3) and w (4, 5): x has 3 features, w takes 4"},
		{one(op.Dense(x(2, 3), x(3, 5), x(4))), "op: Dense: bias has shape (4), want (5)"},
		{one(op.Dense(x(2, 3, 1, 1), x(3, 5), nil)), "op: Dense: operand 0 has shape (2, 3, 1, 1), want 2 axes"},
		{one(op.Dense(x(3), x(3, 5), nil)), "op: Dense: operand 0 has shape (3), want 2 axes"},
		{one(op.Dense(x(2, 3), x(3, 5), x(1, 5))), "op: Dense: operand 2 has shape (1, 5), want 1 axes"},
		{one(op.Dense(x(2, 3), of(tensor.Float32, 3, 5), nil)), "op: Dense: operand 1 has elements of type float32, others float64"},
		{one(op.MatMul(x(2, 3), x(2, 3), false, false)), "op: MatMul: (2, 3)·(2, 3): the inner sizes differ"},
		{one(op.MatMul(x(2, 3), x(3, 2), true, false)), "op: MatMul: (3, 2)·(3, 2): the inner sizes differ"},
		{one(op.MatMul(x(2, 3), x(3), false, false)), "op: MatMul: operand 1 has shape (3), want 2 axes"},
		{one(op.ReLU(of(tensor.Uint8, 2))), "op: ReLU: operand 0 has elements of type uint8, want float32 or float64"},
		{one(op.Dropout(x(2, 3), x(2, 3), 0.5)), "op: Dropout: operand 1 has elements of type float64, want uint8"},
		{one(op.Dropout(x(2, 3), of(tensor.Uint8, 3, 2), 0.5)), "op: Dropout: operands of shapes (2, 3) and (3, 2), want one shape"},
		{one(op.Dropout(x(2), of(tensor.Uint8, 2), 1)), "op: Dropout: rate 1 is not in [0, 1)"},
		{one(op.Dropout(x(2), of(tensor.Uint8, 2), -0.1)), "op: Dropout: rate -0.1 is not in [0, 1)"},
		{one(op.Embedding(x(3, 2), x(4, 1))), "op: Embedding: operand 1 has elements of type float64, want int64"},
		{one(op.Embedding(x(3, 2), of(tensor.Int64, 4, 2))), "op: Embedding: labels (4, 2), want one an example"},
		{one(op.Embedding(x(3, 2), of(tensor.Int64, 4))), "op: Embedding: operand 1 has shape (4), want 2 axes"},
		{one(op.Embedding(x(3, 2, 1), of(tensor.Int64, 4, 1))), "op: Embedding: operand 0 has shape (3, 2, 1), want 2 axes"},
		{one(op.Reshape(x(2, 6), 4)), "op: Reshape: x (2, 6) can't become (2, 4): 12 values against 8"},
		{one(op.Reshape(x(2, 6), -2, -3)), "op: Reshape: an axis of -2 in (-2, -3)"},
		{one(op.Reshape(x(), 1)), "op: Reshape: a scalar has no batch axis"},
		{one(op.Flatten(x())), "op: Flatten: a scalar has no batch axis"},
		{one(op.Concat(2, x(2, 3), x(2, 3))), "op: Concat: axis 2 of 2"},
		{one(op.Concat(-1, x(2, 3), x(2, 3))), "op: Concat: axis -1 of 2"},
		{one(op.Concat(0, x(), x())), "op: Concat: axis 0 of 0"},
		{one(op.Concat(1, x(2, 3), x(3, 3))), "op: Concat: (2, 3) and (3, 3) differ in axis 0, not only in axis 1"},
		{one(op.Concat(1, x(2, 3), x(2, 3, 1))), "op: Concat: operand 1 has shape (2, 3, 1), want 2 axes"},
		{one(op.ChannelSum(x(3))), "op: ChannelSum: x (3) has no channel axis"},
		{first2(op.Statistics(x(3))), "op: ChannelMean: x (3) has no channel axis"},
		{one(op.BatchNorm(x(2, 3), x(3), x(3), x(3), x(2), 1e-3, false)), "op: BatchNorm: an operand of shape (2) for x (2, 3), want (3)"},
		{one(op.BatchNorm(x(2, 3), x(2, 3), x(3), x(3), x(3), 1e-3, false)), "op: BatchNorm: operand 1 has shape (2, 3), want 1 axes"},
		{one(op.BatchNorm(x(3), x(3), x(3), x(3), x(3), 1e-3, false)), "op: BatchNorm: x (3) has no channel axis"},
		{one(op.BatchNorm(x(2, 3), x(3), x(3), x(3), x(3), 0, false)), "op: BatchNorm: epsilon 0 is not above 0"},
		{one(op.MovingAverage(x(2, 3), x(3, 2), 0.9)), "op: MovingAverage: operands of shapes (2, 3) and (3, 2), want one shape"},
		{first3(op.Adam(x(2), x(3), x(2), x(2), x(), 0.9, 0.999, 1e-7)), "op: MovingAverage: operands of shapes (3) and (2), want one shape"},
		{first3(op.Adam(x(2), x(2), x(3), x(2), x(), 0.9, 0.999, 1e-7)), "op: SecondMoment: operands of shapes (3) and (2), want one shape"},
		{first3(op.Adam(x(2), x(2), x(2), x(2), x(1), 0.9, 0.999, 1e-7)), "op: AdamStep: operand 3 has shape (1), want 0 axes"},
		{one(op.SigmoidCrossEntropy(x(4, 1))), "op: SigmoidCrossEntropy: logits (4, 1), want (0, 1) for the targets"},
		{one(op.SigmoidCrossEntropy(x(4, 1), op.Target{Rows: 3})), "op: SigmoidCrossEntropy: logits (4, 1), want (3, 1) for the targets"},
		{one(op.SigmoidCrossEntropy(x(4, 1), op.Target{Rows: 5}, op.Target{Rows: -1})), "op: SigmoidCrossEntropy: a target of -1 rows"},
		{one(op.SigmoidCrossEntropy(x(4, 2), op.Target{Rows: 4})), "op: SigmoidCrossEntropy: logits (4, 2), want (4, 1) for the targets"},
		{one(op.SigmoidCrossEntropy(x(4), op.Target{Rows: 4})), "op: SigmoidCrossEntropy: operand 0 has shape (4), want 2 axes"},
		{one(op.LogLoss(x(4, 1), -1, op.Target{Rows: 4})), "op: LogLoss: epsilon -1 is below 0"},
		{one(op.LogLoss(x(4, 1), 0.1, op.Target{Rows: 3})), "op: LogLoss: logits (4, 1), want (3, 1) for the targets"},
		{one(op.MeanProbability(x(4, 2))), "op: MeanProbability: logits (4, 2), want (4, 1)"},
		{one(op.Accuracy(x(4, 1), x(4, 2))), "op: Accuracy: logits (4, 2), want (4, 1)"},
		{one(op.Accuracy(x(4, 1), x(4))), "op: Accuracy: operand 1 has shape (4), want 2 axes"},
		{one(op.Towards(x(2), x(3), x())), "op: Towards: from (2) to (3) by (): want one shape and a scalar"},
		{one(op.Towards(x(2), x(2), x(2))), "op: Towards: operand 2 has shape (2), want 0 axes"},
		{one(op.Slice(x(4, 2), 0, 3, 5)), "op: Slice: places 3 to 5 of axis 0 of (4, 2)"},
		{one(op.Slice(x(4, 2), 2, 0, 1)), "op: Slice: places 0 to 1 of axis 2 of (4, 2)"},
		{one(op.Conv2D(x(2, 3, 5, 5), x(4, 2, 3, 3), nil, same)), "op: Conv2D: x (2, 3, 5, 5) has 3 channels, w (4, 2, 3, 3) takes 2"},
		{one(op.Conv2D(x(2, 3, 5, 5), x(4, 3, 3, 3), x(3), same)), "op: Conv2D: bias has shape (3), want (4)"},
		{one(op.Conv2D(x(2, 3, 5, 5), x(4, 3, 5, 5), nil, same)), "op: Conv2D: w (4, 3, 5, 5) holds kernels of 5x5, the geometry says 3x3"},
		{one(op.Conv2D(x(2, 3), x(4, 3, 3, 3), nil, same)), "op: Conv2D: operand 0 has shape (2, 3), want 4 axes"},
		{one(op.Conv2D(x(2, 3, 1, 5), x(4, 3, 2, 3), nil, geometry(2, 3, 2, 1))), "op: Conv2D: a kernel of 2x3 doesn't fit on a picture of 1x5 with pads of 0+0 rows and 0+0 columns"},
		{one(op.Conv2D(x(2, 3, 5, 5), x(4, 3, 3, 3), nil, geometry(3, 3, 1, 0))), "op: Conv2D: stride of the width 0 is below 1"},
		{one(op.Conv2D(x(2, 3, 5, 5), x(4, 3, 3, 3), nil, op.Geometry{})), "op: Conv2D: kernel height 0 is below 1"},
		{one(op.Conv2D(x(2, 3, 5, 5), x(4, 3, 3, 3), nil, geometry(3, 3, 1, 1, 0, -1, 0, 0))), "op: Conv2D: negative pads 0, -1, 0, 0"},
		{one(op.ConvTranspose2D(x(2, 3, 5, 5), x(4, 3, 3, 3), nil, same, 5, 5)), "op: ConvTranspose2D: x (2, 3, 5, 5) has 3 channels, w (4, 3, 3, 3) takes 4"},
		{one(op.ConvTranspose2D(x(2, 4, 5, 5), x(4, 3, 3, 3), x(4), same, 5, 5)), "op: ConvTranspose2D: bias has shape (4), want (3)"},
		{one(op.ConvTranspose2D(x(2, 4, 5, 5), x(4, 3, 3, 3), nil, same, 5, 6)), "op: ConvTranspose2D: a picture of 5x6 has 5x6 places, not 5x5"},
		{one(op.ConvTranspose2D(x(2, 4, 1, 1), x(4, 3, 3, 3), nil, geometry(3, 3, 2, 2), 0, 2)), "op: ConvTranspose2D: a kernel of 3x3 doesn't fit on a picture of 0x2 with pads of 0+0 rows and 0+0 columns"},
		{one(op.ConvWeight(x(2, 3, 5, 5), x(3, 4, 5, 5), same)), "op: ConvWeight: batches of 2 and of 3"},
		{one(op.ConvWeight(x(2, 3, 5, 5), x(2, 4, 3, 3), same)), "op: ConvWeight: a picture of 5x5 has 5x5 places, not 3x3"},
	} {
		switch {
		case c.err == nil:
			t.Errorf("no error, want %q", c.want)
		case c.err.Error() != c.want:
			t.Errorf("error %q, want %q", c.err, c.want)
		}
	}
}

// TestConvWeightOnPadsAlone: a kernel in one place, above and left of the
// picture. The gradient is 0; ONNX has no form for it.
func TestConvWeightOnPadsAlone(t *testing.T) {
	g := gorgonia.NewGraph()
	large, small := leaf(g, 1, 2, 1, 1), leaf(g, 1, 3, 1, 1)
	w, err := op.ConvWeight(large, small, geometry(2, 2, 5, 5, 3, 3, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	_, err = export.Graph(export.Model{
		Inputs:  []export.Port{{Name: "large", Node: large}, {Name: "small", Node: small}},
		Outputs: []export.Port{{Name: "w", Node: w}},
	})
	if err == nil || !strings.HasSuffix(err.Error(), "the kernel never leaves the pads") {
		t.Errorf("error %v", err)
	}
}

func first2(_, _ *gorgonia.Node, err error) error    { return err }
func first3(_, _, _ *gorgonia.Node, err error) error { return err }

// TestShapesAtRunTime hands every operator of the table, of its forward and of
// its backward pass, operands that it wasn't built for: one at a time, an axis
// longer, an axis more, or bytes. It may accept them where the formula does,
// as a larger batch; else there is an error, from a check and not from a
// kernel that ran out of its slice.
func TestShapesAtRunTime(t *testing.T) {
	refused := 0
	for _, r := range allRows() {
		if r.large {
			continue
		}
		values := r.draw()
		weight := outputWeight(newMachine(t, r, tensor.Float32, values).forward(t).shape)
		for _, n := range newGradients(t, r, tensor.Float32, values, weight).graph.AllNodes() {
			if !ours(n) {
				continue
			}
			name, _, _ := strings.Cut(n.Op().String(), "{")
			for i, operand := range operandsOf(n) {
				for _, shape := range otherShapes(operand.Shape()) {
					if tryShape(t, name, n, i, shape) {
						refused++
					}
				}
			}
			if _, err := n.Op().Do(); err == nil || !strings.Contains(err.Error(), "op: "+name+": takes") {
				t.Errorf("%s without operands: %v", name, err)
			}
		}
	}
	if refused < 1000 { // of some 2,000
		t.Errorf("only %d refusals", refused)
	}
}

// tryShape runs an operator on zeros, operand i in another shape, and reports
// whether it was refused.
func tryShape(t *testing.T, name string, n *gorgonia.Node, i int, shape []int) bool {
	t.Helper()
	var values []gorgonia.Value
	for j, operand := range operandsOf(n) {
		a := newArray(operand.Shape()...)
		if j == i {
			a = newArray(shape...)
		}
		values = append(values, a.dense(operand.Dtype()))
	}
	_, err := n.Op().Do(values...)
	if err == nil {
		return false
	}
	if !strings.HasPrefix(err.Error(), "op: "+name+": ") || strings.Contains(err.Error(), "runtime error") {
		t.Errorf("%v, operand %d of shape %v: error %q", n.Op(), i, shape, err)
	}
	return true
}

// otherShapes returns shapes near one: each axis longer, an axis more, one less.
func otherShapes(shape tensor.Shape) [][]int {
	others := [][]int{append([]int{1}, shape...)}
	for axis := range shape {
		longer := append([]int(nil), shape...)
		longer[axis]++
		others = append(others, longer)
	}
	if len(shape) > 0 {
		others = append(others, shape[1:])
	}
	return others
}
