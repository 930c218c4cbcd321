package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
)

// concat joins two arrays along an axis:
//
//	a [..., A, ...], b [..., B, ...] -> y [..., A+B, ...]
//
// ONNX: Concat, opset 13.
type concat struct {
	operator
	axis int
}

// slice takes the places from..to of an axis; it is concat's gradient, and has
// none itself. ONNX: Slice, opset 13.
type slice struct {
	operator
	axis, from, to int
}

var (
	_ gorgonia.SDOp   = (*concat)(nil)
	_ gorgonia.SDOp   = (*slice)(nil)
	_ export.Operator = (*concat)(nil)
	_ export.Operator = (*slice)(nil)
)

// Concat joins a and b along an axis; their other axes are alike.
func Concat(axis int, a, b *gorgonia.Node) (*gorgonia.Node, error) {
	if axis < 0 || axis >= a.Dims() {
		return nil, fmt.Errorf("op: Concat: axis %d of %d", axis, a.Dims())
	}
	o := newOperator("Concat", struct{ Axis int }{axis}, like(a), like(a), like(a))
	return apply(&concat{o, axis}, a, b)
}

func (o *concat) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	a, b := shapes(ds)[0], shapes(ds)[1]
	y := a.Clone()
	for i := range y {
		switch {
		case i == o.axis:
			y[i] += b[i]
		case a[i] != b[i]:
			return nil, fmt.Errorf("op: Concat: %v and %v differ in axis %d, not only in axis %d", a, b, i, o.axis)
		}
	}
	return y, nil
}

func (o *concat) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, concatKernel[float32](o.axis), concatKernel[float64](o.axis))
}

func (o *concat) DiffWRT(int) []bool { return []bool{true, true} }

func (o *concat) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	border := in[0].Shape()[o.axis]
	da, err := Slice(dy, o.axis, 0, border)
	if err != nil {
		return nil, err
	}
	db, err := Slice(dy, o.axis, border, dy.Shape()[o.axis])
	return gorgonia.Nodes{da, db}, err
}

func (o *concat) Lower(l *export.Lowering) error {
	if o.axis == 0 {
		if err := fixedBatch(l, "it joins batches"); err != nil {
			return err
		}
	}
	return l.Output("Concat", inputs(l, 2), export.Int("axis", o.axis))
}

// Slice takes the places from..to of an axis, the last one not included.
func Slice(x *gorgonia.Node, axis, from, to int) (*gorgonia.Node, error) {
	o := newOperator("Slice", struct{ Axis, From, To int }{axis, from, to}, like(x), like(x))
	return apply(&slice{o, axis, from, to}, x)
}

func (o *slice) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	y := shapes(ds)[0].Clone()
	if o.axis < 0 || o.axis >= len(y) || o.from < 0 || o.from >= o.to || o.to > y[o.axis] {
		return nil, fmt.Errorf("op: Slice: places %d to %d of axis %d of %v", o.from, o.to, o.axis, y)
	}
	y[o.axis] = o.to - o.from
	return y, nil
}

func (o *slice) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, sliceKernel[float32](o), sliceKernel[float64](o))
}

func (o *slice) DiffWRT(int) []bool { return []bool{false} }

func (o *slice) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return gorgonia.Nodes{nil}, nil
}

func (o *slice) Lower(l *export.Lowering) error {
	if o.axis == 0 {
		if err := fixedBatch(l, "it takes rows by number"); err != nil {
			return err
		}
	}
	return l.Output("Slice", []string{
		l.Input(0), l.Ints("starts", int64(o.from)), l.Ints("ends", int64(o.to)), l.Ints("axes", int64(o.axis)),
	})
}

// inner is the number of values at one place of the axis, which lie together.
func inner(s tensor.Shape, axis int) int {
	size := 1
	for _, d := range s[axis+1:] {
		size *= d
	}
	return size
}

func concatKernel[F float](axis int) kernel[F] {
	return func(y array[F], in []array[F]) {
		size := inner(y.shape, axis)
		a, b := in[0].shape[axis]*size, in[1].shape[axis]*size
		for i := range len(y.data) / (a + b) {
			out := y.data[i*(a+b) : (i+1)*(a+b)]
			copy(out[:a], in[0].data[i*a:])
			copy(out[a:], in[1].data[i*b:])
		}
	}
}

func sliceKernel[F float](o *slice) kernel[F] {
	return func(y array[F], in []array[F]) {
		size := inner(y.shape, o.axis)
		whole, part := in[0].shape[o.axis]*size, (o.to-o.from)*size
		for i := range len(y.data) / part {
			copy(y.data[i*part:(i+1)*part], in[0].data[i*whole+o.from*size:])
		}
	}
}
