package op

import (
	"math"

	"gorgonia.org/gorgonia"

	"github.com/gantrain/gantrain/export"
)

// sigmoid is the logistic function y = 1/(1 + exp(-x)); x, y of one shape, y in
// [0, 1]. ONNX: Sigmoid, opset 13.
type sigmoid struct{ elementwise }

// sigmoidGrad is its gradient from its output: dx = dy·y·(1 - y).
type sigmoidGrad struct{ elementwise }

// probability is the sigmoid that a loss of log(1 - y) is taken of. ONNX: Neg,
// Exp, Add, Reciprocal. The Sigmoid of ONNX Runtime's CPU provider is off by
// 1e-7 and more near y = 1, where 1 - y has as little: that has moved a loss by
// 1e-3.
type probability struct{ sigmoid }

var (
	_ gorgonia.SDOp   = (*sigmoid)(nil)
	_ gorgonia.SDOp   = (*probability)(nil)
	_ export.Operator = (*sigmoid)(nil)
	_ export.Operator = (*probability)(nil)
	_ export.Operator = (*sigmoidGrad)(nil)
)

// Sigmoid turns logits into probabilities.
func Sigmoid(x *gorgonia.Node) (*gorgonia.Node, error) {
	return apply(&sigmoid{elementwise{newOperator("Sigmoid", struct{}{}, like(x), like(x))}}, x)
}

// Probability does the same, and in ONNX more exactly, for [LogLoss].
func Probability(x *gorgonia.Node) (*gorgonia.Node, error) {
	return apply(&probability{sigmoid{elementwise{newOperator("Probability", struct{}{}, like(x), like(x))}}}, x)
}

func (o *sigmoid) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, sigmoidKernel[float32], sigmoidKernel[float64])
}

func (o *sigmoid) DiffWRT(int) []bool { return []bool{true} }

func (o *sigmoid) SymDiff(_ gorgonia.Nodes, y, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	g := &sigmoidGrad{elementwise{newOperator("SigmoidGrad", struct{}{}, like(y), like(y), like(y))}}
	dx, err := apply(g, y, dy)
	return gorgonia.Nodes{dx}, err
}

func (o *sigmoid) Lower(l *export.Lowering) error { return l.Output("Sigmoid", inputs(l, 1)) }

func (o *probability) Lower(l *export.Lowering) error {
	e := l.Add("Exp", []string{l.Add("Neg", inputs(l, 1))}) // infinite below -88, and y 0
	return l.Output("Reciprocal", []string{l.Add("Add", []string{l.Scalar("one", 1), e})})
}

func (o *sigmoidGrad) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, sigmoidGradKernel[float32], sigmoidGradKernel[float64])
}

func (o *sigmoidGrad) Lower(l *export.Lowering) error {
	rest := l.Add("Sub", []string{l.Scalar("one", 1), l.Input(0)})
	slope := l.Add("Mul", []string{l.Input(0), rest})
	return l.Output("Mul", []string{l.Input(1), slope})
}

// logistic doesn't overflow at either end: exp only ever sees values below 0.
func logistic(x float64) float64 {
	if x >= 0 {
		return 1 / (1 + math.Exp(-x))
	}
	e := math.Exp(x)
	return e / (1 + e)
}

func sigmoidKernel[F float](y array[F], in []array[F]) {
	x := in[0].data
	parallel(len(x), elementGrain/16, func(from, to int) {
		for i := from; i < to; i++ {
			y.data[i] = F(logistic(float64(x[i])))
		}
	})
}

func sigmoidGradKernel[F float](dx array[F], in []array[F]) {
	y, dy := in[0].data, in[1].data
	parallel(len(y), elementGrain, func(from, to int) {
		for i := from; i < to; i++ {
			dx.data[i] = dy[i] * y[i] * (1 - y[i])
		}
	})
}
