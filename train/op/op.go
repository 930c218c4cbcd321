// Package op holds the Gorgonia operators that GANs need and that Gorgonia
// lacks, or has in a form that can't be relied on: each in one file, with its
// formula, its forward computation, its gradient written in other operators,
// and its ONNX form.
//
// An operator is a pure function. It owns the buffer that its output lives in,
// rewrites it at each run, never returns an alias of an input and never writes
// to one. Images are laid out [N, C, H, W]. Graphs are in float32 or float64.
package op

import (
	"fmt"
	"hash"
	"hash/fnv"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// float is the element type of a graph.
type float interface{ float32 | float64 }

// array is an operand as a kernel sees it.
type array[F float] struct {
	shape tensor.Shape
	data  []F // row by row; nil where the operand holds bytes
	bytes []uint8
}

// kernel computes an operator: it writes all of y.data from the operands.
type kernel[F float] func(y array[F], in []array[F])

// operator is the part that all operators share. Gorgonia merges nodes whose
// hashes are equal, so the hash is made of the name, every attribute and the
// ranks.
type operator struct {
	name  string
	attrs string
	in    []hm.Type
	out   hm.Type
	y     *tensor.Dense // the output's buffer
	last  gorgonia.Value
}

// newOperator describes an operator by its name, a value that holds all its
// attributes (printed into the hash), the types of its inputs and its output's.
func newOperator(name string, attrs any, out hm.Type, in ...hm.Type) operator {
	return operator{name: name, attrs: fmt.Sprintf("%+v", attrs), in: in, out: out}
}

// rank is the type of an array of floats with so many axes; 0 is a scalar.
// Gorgonia keeps the type variable b for itself.
func rank(dims int) hm.Type {
	if dims == 0 {
		return hm.TypeVariable('a')
	}
	return gorgonia.TensorType{Dims: dims, Of: hm.TypeVariable('a')}
}

// like is rank of a node's value.
func like(n *gorgonia.Node) hm.Type { return rank(n.Dims()) }

// likeAll lists the types of some nodes.
func likeAll(nodes []*gorgonia.Node) []hm.Type {
	types := make([]hm.Type, len(nodes))
	for i, n := range nodes {
		types[i] = like(n)
	}
	return types
}

// Arity and the methods below make an operator a gorgonia.Op.
func (o *operator) Arity() int { return len(o.in) }

// Type builds the function type afresh: Gorgonia recycles what it is given.
func (o *operator) Type() hm.Type {
	return hm.NewFnType(append(append([]hm.Type(nil), o.in...), o.out)...)
}

// ReturnsPtr and CallsExtern make the machine call Do and leave memory to it.
func (o *operator) ReturnsPtr() bool     { return true }
func (o *operator) CallsExtern() bool    { return false }
func (o *operator) OverwritesInput() int { return -1 }
func (o *operator) String() string       { return o.name + o.attrs }

func (o *operator) WriteHash(h hash.Hash) {
	fmt.Fprintf(h, "gantrain/%s%s%v%v", o.name, o.attrs, o.in, o.out)
}

func (o *operator) Hashcode() uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}

// Last returns what the operator computed when it last ran. The next run
// overwrites it.
func (o *operator) Last() gorgonia.Value { return o.last }

func (o *operator) base() *operator { return o }

// run is Do for every operator: it checks the operands' shapes, which the tape
// machine doesn't, runs the kernel of their type, and turns a panic into an
// error, since the machine runs in a goroutine of its own.
func run(o interface {
	gorgonia.Op
	base() *operator
}, in []gorgonia.Value, f32 kernel[float32], f64 kernel[float64],
) (out gorgonia.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("op: %v: %v", o, r)
		}
	}()
	if len(in) != o.Arity() {
		return nil, fmt.Errorf("op: %v: takes %d operands, got %d", o, o.Arity(), len(in))
	}
	shapes := make([]gorgonia.DimSizer, len(in))
	var dt tensor.Dtype
	for i, v := range in {
		shapes[i] = v.Shape()
		if v.Dtype() == tensor.Float32 || v.Dtype() == tensor.Float64 {
			dt = v.Dtype()
		}
	}
	shape, err := o.InferShape(shapes...)
	if err != nil {
		return nil, err
	}
	b := o.base()
	b.y = buffer(b.y, dt, shape)
	switch dt {
	case tensor.Float32:
		err = compute(b.y, in, f32)
	case tensor.Float64:
		err = compute(b.y, in, f64)
	default:
		err = fmt.Errorf("no floats among the operands")
	}
	if err != nil {
		return nil, fmt.Errorf("op: %v: %w", o, err)
	}
	b.last = b.y
	if len(shape) == 0 { // the machine wants scalars, not arrays of shape ()
		switch y := b.y.Data().(type) {
		case []float32:
			b.last = gorgonia.NewF32(y[0])
		case []float64:
			b.last = gorgonia.NewF64(y[0])
		}
	}
	return b.last, nil
}

// buffer returns y if it fits, or a new array. A scalar gets one of shape (1).
func buffer(y *tensor.Dense, dt tensor.Dtype, shape tensor.Shape) *tensor.Dense {
	if len(shape) == 0 {
		shape = tensor.Shape{1}
	}
	if y != nil && y.Dtype() == dt && y.Shape().Eq(shape) {
		return y
	}
	return tensor.New(tensor.Of(dt), tensor.WithShape(shape...))
}

func compute[F float](y *tensor.Dense, in []gorgonia.Value, k kernel[F]) error {
	operands := make([]array[F], len(in))
	for i, v := range in {
		operands[i].shape = v.Shape()
		switch d := v.Data().(type) {
		case []F:
			operands[i].data = d
		case F:
			operands[i].data = []F{d}
		case []uint8:
			operands[i].bytes = d
		default:
			return fmt.Errorf("operand %d has elements of type %v, the output %v", i, v.Dtype(), y.Dtype())
		}
	}
	k(array[F]{shape: y.Shape(), data: y.Data().([]F)}, operands)
	return nil
}

// shapes returns what InferShape was given as shapes.
func shapes(ds []gorgonia.DimSizer) []tensor.Shape {
	s := make([]tensor.Shape, len(ds))
	for i, d := range ds {
		s[i] = d.(tensor.Shape)
	}
	return s
}

// elementwise is the part of an operator whose operands and output all have
// one shape.
type elementwise struct{ operator }

func (o *elementwise) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	s := shapes(ds)
	for i := range s[1:] {
		if !s[i+1].Eq(s[0]) {
			return nil, fmt.Errorf("op: %s: operand %d has shape %v, operand 0 has %v", o.name, i+1, s[i+1], s[0])
		}
	}
	return s[0].Clone(), nil
}
