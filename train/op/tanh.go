package op

import (
	"math"

	"gorgonia.org/gorgonia"

	"github.com/gantrain/gantrain/export"
)

// tanh is the hyperbolic tangent; x, y of one shape, y in [-1, 1]. ONNX: Tanh,
// opset 13.
type tanh struct{ elementwise }

// tanhGrad is its gradient from its output: dx = dy·(1 - y²).
type tanhGrad struct{ elementwise }

var (
	_ gorgonia.SDOp   = (*tanh)(nil)
	_ export.Operator = (*tanh)(nil)
	_ export.Operator = (*tanhGrad)(nil)
)

// Tanh applies the hyperbolic tangent.
func Tanh(x *gorgonia.Node) (*gorgonia.Node, error) {
	return apply(&tanh{elementwise{newOperator("Tanh", struct{}{}, like(x), like(x))}}, x)
}

func (o *tanh) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, tanhKernel[float32], tanhKernel[float64])
}

func (o *tanh) DiffWRT(int) []bool { return []bool{true} }

func (o *tanh) SymDiff(_ gorgonia.Nodes, y, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	g := &tanhGrad{elementwise{newOperator("TanhGrad", struct{}{}, like(y), like(y), like(y))}}
	dx, err := apply(g, y, dy)
	return gorgonia.Nodes{dx}, err
}

func (o *tanh) Lower(l *export.Lowering) error { return l.Output("Tanh", inputs(l, 1)) }

func (o *tanhGrad) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, tanhGradKernel[float32], tanhGradKernel[float64])
}

func (o *tanhGrad) Lower(l *export.Lowering) error {
	square := l.Add("Mul", []string{l.Input(0), l.Input(0)})
	slope := l.Add("Sub", []string{l.Scalar("one", 1), square})
	return l.Output("Mul", []string{l.Input(1), slope})
}

func tanhKernel[F float](y array[F], in []array[F]) {
	x := in[0].data
	parallel(len(x), elementGrain/16, func(from, to int) {
		for i := from; i < to; i++ {
			y.data[i] = F(math.Tanh(float64(x[i])))
		}
	})
}

func tanhGradKernel[F float](dx array[F], in []array[F]) {
	y, dy := in[0].data, in[1].data
	parallel(len(y), elementGrain, func(from, to int) {
		for i := from; i < to; i++ {
			dx.data[i] = dy[i] * (1 - y[i]*y[i])
		}
	})
}
