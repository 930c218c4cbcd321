package op

import (
	"fmt"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/export/onnxpb"
)

// dense is a fully connected layer:
//
//	y[n,j] = Σᵢ x[n,i]·w[i,j] + b[j]    x [N, I], w [I, J], b [J] -> y [N, J]
//
// ONNX: Gemm, opset 13.
type dense struct{ operator }

var (
	_ gorgonia.SDOp   = (*dense)(nil)
	_ export.Operator = (*dense)(nil)
)

// Dense multiplies x [N, I] by w [I, J] and adds bias [J] to each row; bias may
// be nil. The layout of w is Keras' kernel.
func Dense(x, w, bias *gorgonia.Node) (*gorgonia.Node, error) {
	operands, types := withBias(x, w, bias, rank(2))
	return apply(&dense{newOperator("Dense", struct{}{}, rank(2), types...)}, operands...)
}

// withBias lists the operands of a layer whose bias may be nil, and their
// types: that of x and w, and a vector.
func withBias(x, w, bias *gorgonia.Node, of hm.Type) ([]*gorgonia.Node, []hm.Type) {
	if bias == nil {
		return []*gorgonia.Node{x, w}, []hm.Type{of, of}
	}
	return []*gorgonia.Node{x, w, bias}, []hm.Type{of, of, rank(1)}
}

func (o *dense) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	s := shapes(ds)
	x, w := s[0], s[1]
	if x[1] != w[0] {
		return nil, fmt.Errorf("op: Dense: x %v and w %v: x has %d features, w takes %d", x, w, x[1], w[0])
	}
	if err := checkBias("Dense", s, w[1]); err != nil {
		return nil, err
	}
	return tensor.Shape{x[0], w[1]}, nil
}

// checkBias checks the third operand, if there is one.
func checkBias(name string, s []tensor.Shape, channels int) error {
	if len(s) == 3 && !s[2].Eq(tensor.Shape{channels}) {
		return fmt.Errorf("op: %s: bias has shape %v, want (%d)", name, s[2], channels)
	}
	return nil
}

func (o *dense) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, denseKernel[float32], denseKernel[float64])
}

func (o *dense) DiffWRT(n int) []bool { return trues(n) }

func (o *dense) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := MatMul(dy, in[1], false, true)
	if err != nil {
		return nil, err
	}
	dw, err := MatMul(in[0], dy, true, false)
	if err != nil {
		return nil, err
	}
	return appendBiasGradient(gorgonia.Nodes{dx, dw}, in, dy)
}

// appendBiasGradient adds the gradient of the third operand, if there is one:
// a bias that was added to a channel gets the sum over that channel.
func appendBiasGradient(grads, in gorgonia.Nodes, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	if len(in) < 3 {
		return grads, nil
	}
	db, err := ChannelSum(dy)
	return append(grads, db), err
}

func trues(n int) []bool {
	t := make([]bool, n)
	for i := range t {
		t[i] = true
	}
	return t
}

func (o *dense) Lower(l *export.Lowering) error {
	return l.Output("Gemm", inputs(l, o.Arity()), gemmFlags(false, false)...)
}

// inputs lists the names of the first n inputs.
func inputs(l *export.Lowering, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = l.Input(i)
	}
	return names
}

// gemmFlags leaves out what is the default.
func gemmFlags(transA, transB bool) []*onnxpb.AttributeProto {
	var flags []*onnxpb.AttributeProto
	if transA {
		flags = append(flags, export.Int("transA", 1))
	}
	if transB {
		flags = append(flags, export.Int("transB", 1))
	}
	return flags
}

func denseKernel[F float](y array[F], in []array[F]) {
	var beta F
	if len(in) == 3 {
		beta = 1
		for row := 0; row < len(y.data); row += y.shape[1] {
			copy(y.data[row:], in[2].data)
		}
	}
	gemm(asMatrix(in[0]), asMatrix(in[1]), beta, asMatrix(y))
}
