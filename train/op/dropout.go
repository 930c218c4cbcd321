package op

import (
	"fmt"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/export/onnxpb"
)

// dropout sets the values to zero that its mask drops and scales up the rest,
// so that the expected sum stays:
//
//	y = x·mask/(1 - rate)    x, y of one shape; mask of the same, bytes 0 or 1
//
// Nothing random happens here: the mask is an input. dropout is its own
// adjoint. ONNX: Cast and two Mul. Srivastava et al. 2014, inverted as in Keras.
type dropout struct {
	elementwise
	rate float64
}

var (
	_ gorgonia.SDOp   = (*dropout)(nil)
	_ export.Operator = (*dropout)(nil)
)

// Dropout keeps x where mask, an input of type uint8 and x's shape, is 1. rate
// is the share that masks drop, in [0, 1).
func Dropout(x, mask *gorgonia.Node, rate float64) (*gorgonia.Node, error) {
	if !(rate >= 0 && rate < 1) {
		return nil, fmt.Errorf("op: Dropout: rate %v is not in [0, 1)", rate)
	}
	var maskType hm.Type = gorgonia.TensorType{Dims: x.Dims(), Of: tensor.Uint8}
	o := newOperator("Dropout", struct{ Rate float64 }{rate}, like(x), like(x), maskType)
	return apply(&dropout{elementwise{o}, rate}, x, mask)
}

func (o *dropout) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, dropoutKernel[float32](o.rate), dropoutKernel[float64](o.rate))
}

func (o *dropout) DiffWRT(int) []bool { return []bool{true, false} }

func (o *dropout) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := Dropout(dy, in[1], o.rate)
	return gorgonia.Nodes{dx, nil}, err
}

func (o *dropout) Lower(l *export.Lowering) error {
	kept := l.Add("Mul", []string{l.Input(0), asFloats(l, l.Input(1))})
	return l.Output("Mul", []string{kept, l.Scalar("scale", 1/(1-o.rate))})
}

// asFloats casts a value to the type of the operator's output.
func asFloats(l *export.Lowering, value string) string {
	to := onnxpb.TensorProto_FLOAT
	if l.Dtype() == tensor.Float64 {
		to = onnxpb.TensorProto_DOUBLE
	}
	return l.Add("Cast", []string{value}, export.Int("to", int(to)))
}

func dropoutKernel[F float](rate float64) kernel[F] {
	return func(y array[F], in []array[F]) {
		x, mask, scale := in[0].data, in[1].bytes, F(1/(1-rate))
		parallel(len(x), elementGrain, func(from, to int) {
			y, mask := y.data[from:to], mask[from:to]
			for i, x := range x[from:to] {
				y[i] = x * F(mask[i]) * scale
			}
		})
	}
}
