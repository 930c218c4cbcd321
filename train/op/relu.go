package op

import (
	"gorgonia.org/gorgonia"

	"github.com/gantrain/gantrain/export"
)

// relu is the rectifier y = max(x, 0); x, y of one shape. Its gradient is the
// leaky one's with slope 0. ONNX: Relu, opset 14.
type relu struct{ elementwise }

var (
	_ gorgonia.SDOp   = (*relu)(nil)
	_ export.Operator = (*relu)(nil)
)

// ReLU applies the rectifier.
func ReLU(x *gorgonia.Node) (*gorgonia.Node, error) {
	return apply(&relu{elementwise{newOperator("ReLU", struct{}{}, like(x), like(x))}}, x)
}

func (o *relu) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, reluKernel[float32], reluKernel[float64])
}

func (o *relu) DiffWRT(int) []bool { return []bool{true} }

func (o *relu) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	x := in[0]
	g := newOperator("LeakyReLUGrad", slopeAttr{0}, like(x), like(x), like(x))
	dx, err := apply(&leakyReLUGrad{elementwise{g}, 0}, x, dy)
	return gorgonia.Nodes{dx}, err
}

func (o *relu) Lower(l *export.Lowering) error { return l.Output("Relu", inputs(l, 1)) }

func reluKernel[F float](y array[F], in []array[F]) {
	x := in[0].data
	parallel(len(x), elementGrain, func(from, to int) {
		for i := from; i < to; i++ {
			y.data[i] = max(x[i], 0)
		}
	})
}
