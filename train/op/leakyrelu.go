package op

import (
	"gorgonia.org/gorgonia"

	"github.com/gantrain/gantrain/export"
)

// leakyReLU lets a share of the negative values through:
//
//	y = x where x > 0, slope·x elsewhere    x, y of one shape
//
// ONNX: LeakyRelu, opset 6. Maas, Hannun and Ng 2013.
type leakyReLU struct {
	elementwise
	slope float64
}

// leakyReLUGrad is its gradient: dx = dy where x > 0, slope·dy elsewhere.
type leakyReLUGrad struct {
	elementwise
	slope float64
}

var (
	_ gorgonia.SDOp   = (*leakyReLU)(nil)
	_ export.Operator = (*leakyReLU)(nil)
	_ export.Operator = (*leakyReLUGrad)(nil)
)

// LeakyReLU applies the leaky rectifier; slope is what Keras calls
// negative_slope and ONNX alpha.
func LeakyReLU(x *gorgonia.Node, slope float64) (*gorgonia.Node, error) {
	o := newOperator("LeakyReLU", slopeAttr{slope}, like(x), like(x))
	return apply(&leakyReLU{elementwise{o}, slope}, x)
}

type slopeAttr struct{ Slope float64 }

func (o *leakyReLU) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, leakyReLUKernel[float32](o.slope), leakyReLUKernel[float64](o.slope))
}

func (o *leakyReLU) DiffWRT(int) []bool { return []bool{true} }

func (o *leakyReLU) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	x := in[0]
	g := newOperator("LeakyReLUGrad", slopeAttr{o.slope}, like(x), like(x), like(x))
	dx, err := apply(&leakyReLUGrad{elementwise{g}, o.slope}, x, dy)
	return gorgonia.Nodes{dx}, err
}

func (o *leakyReLU) Lower(l *export.Lowering) error {
	return l.Output("LeakyRelu", inputs(l, 1), export.Float("alpha", o.slope))
}

func (o *leakyReLUGrad) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, leakyReLUGradKernel[float32](o.slope), leakyReLUGradKernel[float64](o.slope))
}

func (o *leakyReLUGrad) Lower(l *export.Lowering) error {
	positive := l.Add("Greater", []string{l.Input(0), l.Scalar("zero", 0)})
	leaked := l.Add("Mul", []string{l.Input(1), l.Scalar("slope", o.slope)})
	return l.Output("Where", []string{positive, l.Input(1), leaked})
}

func leakyReLUKernel[F float](slope float64) kernel[F] {
	return func(y array[F], in []array[F]) {
		leak(y.data, in[0].data, in[0].data, F(slope))
	}
}

func leakyReLUGradKernel[F float](slope float64) kernel[F] {
	return func(dx array[F], in []array[F]) {
		leak(dx.data, in[0].data, in[1].data, F(slope))
	}
}

// leak writes v where x > 0 and slope·v elsewhere. It has no branch, which the
// processor would guess wrong half of the time.
func leak[F float](y, x, v []F, slope F) {
	factors := [2]F{slope, 1}
	parallel(len(x), elementGrain, func(from, to int) {
		x, v, y := x[from:to], v[from:to], y[from:to]
		for i, x := range x {
			positive := 0
			if x > 0 {
				positive = 1
			}
			y[i] = v[i] * factors[positive&1]
		}
	})
}
