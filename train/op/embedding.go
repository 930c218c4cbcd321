package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
)

// embedding looks up a row of a table for each label:
//
//	y[n] = table[label[n]]    table [C, S], label [N, 1] of int64 -> y [N, S]
//
// A label outside of [0, C) is an error here; ONNX counts those from -C on from the
// end. ONNX: Gather and Flatten, opset 13.
type embedding struct{ operator }

// embeddingGrad is the table's gradient:
//
//	y[c] = sum of dy[n] over the n with label[n] = c    label [N, 1], dy [N, S] -> y [C, S]
//
// A row that is looked up twice gets both, and one that isn't gets 0, so that
// Adam moves it too, as Keras does on JAX; on TensorFlow it squares the parts of
// such a sum one by one. ONNX: the one-hot matrix of the labels times dy, by
// Equal, Cast and Gemm, opset 13.
type embeddingGrad struct {
	operator
	classes int
}

var (
	_ gorgonia.SDOp   = (*embedding)(nil)
	_ gorgonia.SDOp   = (*embeddingGrad)(nil)
	_ export.Operator = (*embedding)(nil)
	_ export.Operator = (*embeddingGrad)(nil)
)

// labelType is the type of labels [N, 1].
var labelType = gorgonia.TensorType{Dims: 2, Of: tensor.Int64}

// Embedding returns the rows of table that the labels name.
func Embedding(table, label *gorgonia.Node) (*gorgonia.Node, error) {
	return apply(&embedding{newOperator("Embedding", "", rank(2), rank(2), labelType)}, table, label)
}

func (o *embedding) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	table, label := shapes(ds)[0], shapes(ds)[1]
	if label[1] != 1 {
		return nil, fmt.Errorf("op: Embedding: labels %v, want one an example", label)
	}
	return tensor.Shape{label[0], table[1]}, nil
}

func (o *embedding) checkValues(in []gorgonia.Value) error {
	return checkLabels(o.name, in[1], in[0].Shape()[0])
}

// checkLabels refuses labels that are none of so many classes.
func checkLabels(name string, labels gorgonia.Value, classes int) error {
	for n, label := range labels.Data().([]int64) {
		if label < 0 || label >= int64(classes) {
			return fmt.Errorf("op: %s: label %d of example %d is not in [0, %d)", name, label, n, classes)
		}
	}
	return nil
}

func (o *embedding) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, embeddingKernel[float32], embeddingKernel[float64])
}

func (o *embedding) DiffWRT(int) []bool { return []bool{true, false} }

func (o *embedding) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	classes := in[0].Shape()[0]
	grad := newOperator("EmbeddingGrad", struct{ Classes int }{classes}, rank(2), labelType, rank(2))
	dtable, err := apply(&embeddingGrad{grad, classes}, in[1], dy)
	return gorgonia.Nodes{dtable, nil}, err
}

func (o *embedding) Lower(l *export.Lowering) error {
	rows := l.Add("Gather", inputs(l, 2), export.Int("axis", 0)) // [N, 1, S]
	return l.Output("Flatten", []string{rows}, export.Int("axis", 1))
}

func (o *embeddingGrad) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	label, dy := shapes(ds)[0], shapes(ds)[1]
	if label[0] != dy[0] || label[1] != 1 {
		return nil, fmt.Errorf("op: EmbeddingGrad: labels %v for dy %v, want one an example", label, dy)
	}
	return tensor.Shape{o.classes, dy[1]}, nil
}

func (o *embeddingGrad) checkValues(in []gorgonia.Value) error {
	return checkLabels(o.name, in[0], o.classes)
}

func (o *embeddingGrad) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, embeddingGradKernel[float32], embeddingGradKernel[float64])
}

func (o *embeddingGrad) DiffWRT(int) []bool { return []bool{false, false} }

func (o *embeddingGrad) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return gorgonia.Nodes{nil, nil}, nil
}

func (o *embeddingGrad) Lower(l *export.Lowering) error {
	l.SumsBatch()
	classes := make([]int64, o.classes)
	for c := range classes {
		classes[c] = int64(c)
	}
	all := l.Const("classes", tensor.New(tensor.WithShape(1, o.classes), tensor.WithBacking(classes)))
	hot := asFloats(l, l.Add("Equal", []string{l.Input(0), all}))
	return l.Output("Gemm", []string{hot, l.Input(1)}, gemmFlags(true, false)...)
}

func embeddingKernel[F float](y array[F], in []array[F]) {
	table, size := in[0].data, y.shape[1]
	for n, label := range in[1].labels {
		copy(y.data[n*size:(n+1)*size], table[int(label)*size:])
	}
}

func embeddingGradKernel[F float](y array[F], in []array[F]) {
	dy, size := in[1].data, y.shape[1]
	clear(y.data)
	for n, label := range in[0].labels {
		row := y.data[int(label)*size:][:size]
		for i, d := range dy[n*size : (n+1)*size] {
			row[i] += d
		}
	}
}
