// Package op holds the Gorgonia operators that GANs need and that Gorgonia
// lacks, or has in a form that can't be relied on: each in one file, with its
// formula, its forward computation, its gradient written in other operators,
// and its ONNX form.
//
// An operator is a pure function. It owns the buffer that its output lives in,
// rewrites it at each run, never returns an alias of an input and never writes
// to one. Images are laid out [N, C, H, W]. Graphs are in float32 or float64;
// masks are bytes, labels int64.
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
	shape  tensor.Shape
	data   []F // row by row; nil where the operand holds bytes or labels
	bytes  []uint8
	labels []int64
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
	// leader computes the same before; nil for an operator that computes itself.
	leader keeper
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

// implementation is any operator of this package.
type implementation interface {
	gorgonia.Op
	base() *operator
}

// apply adds the operator to the graph of its operands.
func apply(o implementation, operands ...*gorgonia.Node) (*gorgonia.Node, error) {
	if _, err := check(o.base(), operands); err != nil {
		return nil, err
	}
	dims := make([]gorgonia.DimSizer, len(operands))
	for i, n := range operands {
		dims[i] = n.Shape()
	}
	if _, err := o.InferShape(dims...); err != nil {
		return nil, err // before Gorgonia wraps it
	}
	return gorgonia.ApplyOp(o, operands...)
}

// check compares the operands' number, axes and element types with the
// operator's types, and returns the type of their floats.
func check[T interface {
	Shape() tensor.Shape
	Dtype() tensor.Dtype
}](o *operator, operands []T) (floats tensor.Dtype, err error) {
	if len(operands) != len(o.in) {
		return floats, fmt.Errorf("op: %s: takes %d operands, got %d", o.name, len(o.in), len(operands))
	}
	for i, v := range operands {
		want, _ := o.in[i].(gorgonia.TensorType) // the zero value for scalars
		if v.Shape().Dims() != want.Dims {
			return floats, fmt.Errorf("op: %s: operand %d has shape %v, want %d axes", o.name, i, v.Shape(), want.Dims)
		}
		switch dt := v.Dtype(); {
		case want.Of == tensor.Uint8 || want.Of == tensor.Int64:
			if want.Of != dt {
				return floats, fmt.Errorf("op: %s: operand %d has elements of type %v, want %v", o.name, i, dt, want.Of)
			}
		case dt != tensor.Float32 && dt != tensor.Float64:
			return floats, fmt.Errorf("op: %s: operand %d has elements of type %v, want float32 or float64", o.name, i, dt)
		case floats == tensor.Dtype{}:
			floats = dt
		case dt != floats:
			return floats, fmt.Errorf("op: %s: operand %d has elements of type %v, others %v", o.name, i, dt, floats)
		}
	}
	return floats, nil
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

// keeper is an operator that keeps what it computed, as all of this package do.
type keeper = interface{ Last() gorgonia.Value }

// Follow makes the operator return what another kept instead of computing it
// again. The other must compute the same of the same values, and run first.
func (o *operator) Follow(leader keeper) { o.leader = leader }

func (o *operator) base() *operator { return o }

// valued is an operator that can't compute with every value of its operands.
type valued interface {
	checkValues(in []gorgonia.Value) error
}

// run is Do for every operator: it checks the operands' shapes, which the tape
// machine doesn't, runs the kernel of their type, and turns a panic into an
// error, since the machine runs in a goroutine of its own.
func run(o implementation, in []gorgonia.Value, f32 kernel[float32], f64 kernel[float64]) (out gorgonia.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("op: %v: %v", o, r)
		}
	}()
	b := o.base()
	if b.leader != nil {
		b.last = b.leader.Last()
		return b.last, nil
	}
	dt, err := check(b, in)
	if err != nil {
		return nil, err
	}
	dims := make([]gorgonia.DimSizer, len(in))
	for i, v := range in {
		dims[i] = v.Shape()
	}
	shape, err := o.InferShape(dims...)
	if err != nil {
		return nil, err
	}
	if v, ok := o.(valued); ok {
		if err := v.checkValues(in); err != nil {
			return nil, err
		}
	}
	b.y = buffer(b.y, dt, shape)
	if dt == tensor.Float32 {
		compute(b.y, in, f32)
	} else {
		compute(b.y, in, f64)
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

func compute[F float](y *tensor.Dense, in []gorgonia.Value, k kernel[F]) {
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
		case []int64:
			operands[i].labels = d
		}
	}
	k(array[F]{shape: y.Shape(), data: y.Data().([]F)}, operands)
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
	return s[0].Clone(), checkSame(o.name, s...)
}

// checkSame checks operands that all have one shape.
func checkSame(name string, s ...tensor.Shape) error {
	for _, other := range s[1:] {
		if !other.Eq(s[0]) {
			return fmt.Errorf("op: %s: operands of shapes %v and %v, want one shape", name, s[0], other)
		}
	}
	return nil
}
