package op

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
)

// reshape gives each example of a batch another shape and copies: Gorgonia's
// own Reshape returns an alias, which a later in-place operator overwrites.
//
//	x [N, ...] -> y [N, shape...]    both of the same size
//
// ONNX: Reshape, opset 14, to [0, shape...]; to a matrix, Flatten, opset 13.
type reshape struct {
	operator
	shape tensor.Shape // without the batch axis
}

var (
	_ gorgonia.SDOp   = (*reshape)(nil)
	_ export.Operator = (*reshape)(nil)
)

// Reshape turns x [N, ...] into [N, shape...].
func Reshape(x *gorgonia.Node, shape ...int) (*gorgonia.Node, error) {
	shape = slices.Clone(shape)
	o := newOperator("Reshape", struct{ Shape []int }{shape}, rank(len(shape)+1), like(x))
	return apply(&reshape{o, shape}, x)
}

// Flatten turns x [N, ...] into a matrix of N rows.
func Flatten(x *gorgonia.Node) (*gorgonia.Node, error) {
	if x.Dims() == 0 {
		return nil, fmt.Errorf("op: Flatten: a scalar has no batch axis")
	}
	return Reshape(x, inner(x.Shape(), 0))
}

func (o *reshape) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	x := shapes(ds)[0]
	if len(x) == 0 {
		return nil, fmt.Errorf("op: Reshape: a scalar has no batch axis")
	}
	for _, size := range o.shape {
		if size < 1 {
			return nil, fmt.Errorf("op: Reshape: an axis of %d in %v", size, o.shape)
		}
	}
	y := append(tensor.Shape{x[0]}, o.shape...)
	if y.TotalSize() != x.TotalSize() {
		return nil, fmt.Errorf("op: Reshape: x %v can't become %v: %d values against %d", x, y, x.TotalSize(), y.TotalSize())
	}
	return y, nil
}

func (o *reshape) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, copyKernel[float32], copyKernel[float64])
}

func (o *reshape) DiffWRT(int) []bool { return []bool{true} }

func (o *reshape) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := Reshape(dy, in[0].Shape()[1:]...)
	return gorgonia.Nodes{dx}, err
}

func (o *reshape) Lower(l *export.Lowering) error {
	if len(o.shape) == 1 {
		return l.Output("Flatten", inputs(l, 1), export.Int("axis", 1))
	}
	return l.Output("Reshape", []string{l.Input(0), l.Ints("shape", append([]int64{0}, axes(o.shape).int64s()...)...)})
}

func copyKernel[F float](y array[F], in []array[F]) { copy(y.data, in[0].data) }
