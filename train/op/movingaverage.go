package op

import (
	"gorgonia.org/gorgonia"

	"github.com/gantrain/gantrain/export"
)

// movingAverage is the exponential moving average
//
//	y = decay·old + (1 - decay)·x    old, x, y of one shape
//
// Adam's first moment is one (decay beta1), and so are BatchNorm's running
// statistics (decay: what Keras calls momentum). ONNX: two Mul and an Add.
type movingAverage struct {
	elementwise
	decay float64
}

var (
	_ gorgonia.SDOp   = (*movingAverage)(nil)
	_ export.Operator = (*movingAverage)(nil)
)

type decayAttr struct{ Decay float64 }

// MovingAverage moves old towards x. It has no gradient: an average is kept
// beside what is differentiated.
func MovingAverage(old, x *gorgonia.Node, decay float64) (*gorgonia.Node, error) {
	o := newOperator("MovingAverage", decayAttr{decay}, like(x), like(x), like(x))
	return apply(&movingAverage{elementwise{o}, decay}, old, x)
}

func (o *movingAverage) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, movingAverageKernel[float32](o.decay), movingAverageKernel[float64](o.decay))
}

func (o *movingAverage) DiffWRT(int) []bool { return []bool{false, false} }

func (o *movingAverage) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return gorgonia.Nodes{nil, nil}, nil
}

func (o *movingAverage) Lower(l *export.Lowering) error {
	old := l.Add("Mul", []string{l.Input(0), l.Scalar("decay", o.decay)})
	x := l.Add("Mul", []string{l.Input(1), l.Scalar("rest", 1-o.decay)})
	return l.Output("Add", []string{old, x})
}

func movingAverageKernel[F float](decay float64) kernel[F] {
	return func(y array[F], in []array[F]) {
		old, x := in[0].data, in[1].data
		decay, rest := F(decay), F(1-decay)
		parallel(len(x), elementGrain, func(from, to int) {
			y, old := y.data[from:to], old[from:to]
			for i, x := range x[from:to] {
				y[i] = decay*old[i] + rest*x
			}
		})
	}
}
