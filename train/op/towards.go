package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
)

// towards is a moving average whose decay changes from step to step:
//
//	y = old + share·(x - old)    old, x, y of one shape, share a scalar
//
// ONNX: Sub, Mul, Add. With a decay that stays, see [MovingAverage].
type towards struct{ operator }

var _ export.Operator = (*towards)(nil)

// Towards moves old a share of the way to x. It has no gradient: an average is
// kept beside what is differentiated.
func Towards(old, x, share *gorgonia.Node) (*gorgonia.Node, error) {
	o := newOperator("Towards", struct{}{}, like(x), like(x), like(x), rank(0))
	return apply(&towards{o}, old, x, share)
}

func (o *towards) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	s := shapes(ds)
	if !s[1].Eq(s[0]) || len(s[2]) != 0 {
		return nil, fmt.Errorf("op: Towards: from %v to %v by %v: want one shape and a scalar", s[0], s[1], s[2])
	}
	return s[0].Clone(), nil
}

func (o *towards) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, towardsKernel[float32], towardsKernel[float64])
}

func (o *towards) Lower(l *export.Lowering) error {
	way := l.Add("Sub", []string{l.Input(1), l.Input(0)})
	return l.Output("Add", []string{l.Input(0), l.Add("Mul", []string{way, l.Input(2)})})
}

func towardsKernel[F float](y array[F], in []array[F]) {
	old, x, share := in[0].data, in[1].data, in[2].data[0]
	parallel(len(x), elementGrain, func(from, to int) {
		y, old := y.data[from:to], old[from:to]
		for i, x := range x[from:to] {
			y[i] = old[i] + share*(x-old[i])
		}
	})
}
