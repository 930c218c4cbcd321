package export

import (
	"errors"
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// reshape reads the numbers in another shape.
func reshape(_ *gorgonia.Node, in gorgonia.Nodes) (form, error) {
	return form{"Reshape", in, reshaped, func(l *Lowering) error {
		if slices.Equal(l.Shape(0), l.OutputShape()) {
			return l.same(l.Input(0))
		}
		return l.Output("Reshape", []string{l.Input(0), l.Ints("shape", l.target()...)})
	}}, nil
}

// target is the output's shape as Reshape takes it: 0 keeps the input's axis, -1
// is whatever is left.
func (l *Lowering) target() []int64 {
	out := make([]int64, len(l.OutputShape()))
	for i, size := range l.OutputShape() {
		out[i] = int64(size)
	}
	if b := l.w.batchOf(l.node); b != unbatched {
		out[b.axis] = -1
		if b == l.batchOf(0) {
			out[b.axis] = 0
		}
	}
	return out
}

// transpose exchanges axes.
func transpose(n *gorgonia.Node, in gorgonia.Nodes) (form, error) {
	if c, ok := convolution(n); ok {
		return c, nil
	}
	f := fieldsOf(n.Op())
	perm := f.ints("pattern")
	if f.err != nil {
		return form{}, f.err
	}
	permuted := func(l *Lowering) (batch, error) {
		b := l.batchOf(0)
		if b != unbatched {
			b.axis = slices.Index(perm, b.axis)
		}
		return b, nil
	}
	return form{"Transpose", in, permuted, func(l *Lowering) error {
		return l.Output("Transpose", []string{l.Input(0)}, Ints("perm", perm...))
	}}, nil
}

// concat joins arrays along an axis.
func concat(n *gorgonia.Node, in gorgonia.Nodes) (form, error) {
	f := fieldsOf(n.Op())
	axis := f.int("axis")
	if f.err != nil {
		return form{}, f.err
	}
	joined := func(l *Lowering) (batch, error) {
		b := l.batchOf(0)
		for i := range l.in[1:] {
			c := l.batchOf(i + 1)
			switch {
			case c.axis != b.axis, b.axis != axis && c != b:
				return b, errOneBatch
			case b != unbatched && b.axis == axis:
				return b, errors.New("joins two batches into one")
			}
		}
		return b, nil
	}
	return form{"Concat", in, joined, func(l *Lowering) error {
		names := make([]string, len(in))
		for i := range in {
			names[i] = l.Input(i)
		}
		return l.Output("Concat", names, Int("axis", axis))
	}}, nil
}

// slice takes a range of an axis, which is gone if a single place is taken.
func slice(n *gorgonia.Node, in gorgonia.Nodes) (form, error) {
	f := fieldsOf(n.Op())
	axis := f.int("along")
	if f.err != nil {
		return form{}, f.err
	}
	s, ok := n.Op().(interface{ IsSlice() tensor.Slice })
	if !ok {
		return form{}, fmt.Errorf("%T is not built as Gorgonia 0.9.18 builds it", n.Op())
	}
	r := s.IsSlice()
	whole := r == nil || r.End() <= r.Start()
	drops := n.Dims() < in[0].Dims()
	cut := func(l *Lowering) (batch, error) {
		b := l.batchOf(0)
		switch {
		case whole || b.axis < axis:
			return b, nil
		case b.axis == axis:
			return b, errors.New("only holds for one batch size: takes a part of the batch")
		case drops:
			b.axis--
		}
		return b, nil
	}
	return form{"Slice", in, cut, func(l *Lowering) error {
		if whole {
			return l.same(l.Input(0))
		}
		inputs := []string{l.Input(0), l.Ints("starts", int64(r.Start())), l.Ints("ends", int64(r.End())), l.Ints("axes", int64(axis))}
		if r.Step() > 1 {
			inputs = append(inputs, l.Ints("steps", int64(r.Step())))
		}
		if !drops {
			return l.Output("Slice", inputs)
		}
		return l.Output("Squeeze", []string{l.Add("Slice", inputs), l.Ints("dropped", int64(axis))})
	}}, nil
}

// at takes a single number.
func at(n *gorgonia.Node, in gorgonia.Nodes) (form, error) {
	f := fieldsOf(n.Op())
	coordinates := f.ints("coordinates")
	if f.err != nil {
		return form{}, f.err
	}
	one := func(l *Lowering) (batch, error) {
		if l.batchOf(0) != unbatched {
			return unbatched, errors.New("takes a number of one example")
		}
		return unbatched, nil
	}
	return form{"At", in, one, func(l *Lowering) error {
		var starts, ends, axes []int64
		for axis, c := range coordinates {
			starts, ends, axes = append(starts, int64(c)), append(ends, int64(c)+1), append(axes, int64(axis))
		}
		one := l.Add("Slice", []string{l.Input(0), l.Ints("starts", starts...), l.Ints("ends", ends...), l.Ints("axes", axes...)})
		return l.Output("Squeeze", []string{one, l.Ints("dropped", axes...)})
	}}, nil
}

// byIndices takes places of an axis, by their numbers.
func byIndices(n *gorgonia.Node, in gorgonia.Nodes) (form, error) {
	f := fieldsOf(n.Op())
	axis := f.int("axis")
	if f.err != nil {
		return form{}, f.err
	}
	taken := func(l *Lowering) (batch, error) {
		x, indices := l.batchOf(0), l.batchOf(1)
		switch {
		case x == unbatched && indices == unbatched:
			return unbatched, nil
		case x == unbatched:
			return batch{axis, indices.per}, nil
		case indices == unbatched && x.axis != axis:
			return x, nil
		}
		return unbatched, errors.New("takes examples by their number")
	}
	return form{"Gather", in, taken, func(l *Lowering) error {
		return l.Output("Gather", []string{l.Input(0), flat(l, 1)}, Int("axis", axis))
	}}, nil
}

// repeat has each place of an axis several times, one beside the other.
func repeat(n *gorgonia.Node, in gorgonia.Nodes) (form, error) {
	f := fieldsOf(n.Op())
	along := f.int("along")
	if f.err != nil {
		return form{}, f.err
	}
	x := in[0]
	switch stockName(in[1].Op()) {
	case "sizeOp", "constantScalar":
	default:
		return form{}, fmt.Errorf("repeats as often as %s says: want a constant or a size", describe(in[1]))
	}
	if x.Dims() == 0 || along >= x.Dims() || x.Dims() != n.Dims() {
		return form{}, fmt.Errorf("repeats %v along axis %d, which it lacks", x.Shape(), along)
	}
	count := n.Shape()[along] / x.Shape()[along]
	multiplied := func(l *Lowering) (batch, error) {
		b, size := l.batchOf(0), l.sizeBatch(1)
		switch {
		case size == unbatched && b.axis == along && b != unbatched:
			return batch{along, b.per * count}, nil
		case size == unbatched:
			return b, nil
		case b != unbatched:
			return b, errors.New("repeats examples as often as there are examples")
		}
		return batch{along, size.per * x.Shape()[along]}, nil
	}
	return form{"Expand", in, multiplied, func(l *Lowering) error {
		dims, single := n.Dims(), x.Shape()[along] == 1
		from, axis := l.Input(0), along
		if !single {
			axis = along + 1
			from, dims = l.Add("Unsqueeze", []string{from, l.Ints("beside", int64(axis))}), dims+1
		}
		shape := make([]int64, dims)
		for i := range shape {
			shape[i] = 1
		}
		shape[axis] = int64(count)
		to := ""
		if l.sizeBatch(1) == unbatched {
			to = l.Ints("repeats", shape...)
		} else {
			parts := []string{l.size(1)}
			if axis > 0 {
				parts = slices.Insert(parts, 0, l.Ints("before", shape[:axis]...))
			}
			if axis < dims-1 {
				parts = append(parts, l.Ints("after", shape[axis+1:]...))
			}
			to = l.Add("Concat", parts, Int("axis", 0))
		}
		if single {
			return l.Output("Expand", []string{from, to})
		}
		shape = l.target()
		if b := l.w.batchOf(n); b != unbatched {
			shape[b.axis] = -1 // another axis than that of the array with one more
		}
		return l.Output("Reshape", []string{l.Add("Expand", []string{from, to}), l.Ints("shape", shape...)})
	}}, nil
}

// size is the length of an axis, as a number of the array's own type. It is
// written where something computes with it: most serve a repetition only.
func size(_ *gorgonia.Node, in gorgonia.Nodes) (form, error) {
	return form{"Size", in, fixed, func(l *Lowering) error {
		if l.w.isOutput(l.node) {
			return errors.New("is the size of an axis: want an array")
		}
		l.done = true
		return nil
	}}, nil
}

// sizeBatch is the batch whose size input i is.
func (l *Lowering) sizeBatch(i int) batch {
	n := l.in[i]
	if stockName(n.Op()) != "sizeOp" {
		return unbatched
	}
	b := l.w.batchOf(children(n)[0])
	if b.axis != fieldsOf(n.Op()).int("axis") {
		return unbatched
	}
	return b
}

// size is the number of rows that input i tells, of type int64 and shape [1].
func (l *Lowering) size(i int) string {
	n := l.in[i]
	shape := l.Add("Shape", []string{l.w.values[children(n)[0]]})
	return l.Add("Gather", []string{shape, l.Ints("axis", int64(fieldsOf(n.Op()).int("axis")))})
}

// sizeValue is input i, a size, as a number to compute with.
func (l *Lowering) sizeValue(i int) string {
	n := l.in[i]
	if l.sizeBatch(i) == unbatched {
		size := children(n)[0].Shape()[fieldsOf(n.Op()).int("axis")]
		if n.Dtype() == tensor.Float64 {
			return l.Const("size", tensor.New(tensor.FromScalar(float64(size))))
		}
		return l.Const("size", tensor.New(tensor.FromScalar(float32(size))))
	}
	scalar := l.Add("Squeeze", []string{l.size(i), l.Ints("dropped", 0)})
	return l.Add("Cast", []string{scalar}, Int("to", int(elemType(n.Dtype()))))
}
