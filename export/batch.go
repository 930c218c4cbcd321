package export

import (
	"errors"
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
)

// batch says where a value has the model's batch: its axis holds per rows for
// each example. A picture is {0, 1}; its 49 patches in a matrix are {0, 49}.
type batch struct{ axis, per int }

// unbatched is a value of one size.
var unbatched = batch{axis: -1}

var errOneBatch = errors.New("only holds for one batch size: one operand has no batch axis")

// rule derives where the output has the batch, before it is written, or says
// why it can't have one.
type rule func(l *Lowering) (batch, error)

// batchOf is where input i has the batch.
func (l *Lowering) batchOf(i int) batch { return l.w.batchOf(l.in[i]) }

// of one size, whatever goes in.
func fixed(*Lowering) (batch, error) { return unbatched, nil }

// inferred is the rule of operators that are not Gorgonia's: the axis of the
// output that grows as the batch does, by the operator's own InferShape.
func inferred(l *Lowering) (batch, error) {
	if !l.Batched() {
		return unbatched, nil
	}
	more := l.w.size + 1
	dims := make([]gorgonia.DimSizer, len(l.in))
	for i := range l.in {
		s := l.Shape(i).Clone()
		if b := l.batchOf(i); b != unbatched {
			s[b.axis] = b.per * more
		}
		dims[i] = s
	}
	larger, err := l.node.Op().InferShape(dims...)
	if err != nil {
		return unbatched, fmt.Errorf("only holds for one batch size: %w", err)
	}
	out, shape := unbatched, l.OutputShape()
	if len(larger) != len(shape) {
		return out, fmt.Errorf("only holds for one batch size: %v becomes %v at a batch of %d", shape, larger, more)
	}
	for axis, size := range larger {
		per := size - shape[axis]
		switch {
		case per == 0:
		case out != unbatched, per*l.w.size != shape[axis]:
			return out, fmt.Errorf("only holds for one batch size: %v becomes %v at a batch of %d", shape, larger, more)
		default:
			out = batch{axis, per}
		}
	}
	return out, nil
}

// unchanged is the rule of what works on each number, or along axes other than
// the batch.
func unchanged(l *Lowering) (batch, error) { return l.batchOf(0), nil }

// perExample is the rule of what mixes the last two axes of pictures.
func perExample(l *Lowering) (batch, error) {
	b := l.batchOf(0)
	if b.axis > 1 {
		return b, fmt.Errorf("has the batch in axis %d, one of the picture's", b.axis)
	}
	return b, nil
}

// pairwise is the rule of operands whose axes are one another's; a single row
// serves all.
func pairwise(l *Lowering) (batch, error) {
	out := unbatched
	for i := range l.in {
		if b := l.batchOf(i); b != unbatched {
			if out != unbatched && b != out {
				return out, fmt.Errorf("has the batch in axis %d of one operand and in axis %d of another", out.axis, b.axis)
			}
			out = b
		}
	}
	if out == unbatched {
		return out, nil
	}
	for i := range l.in {
		if s := l.Shape(i); l.batchOf(i) == unbatched && len(s) > 0 && s[out.axis] != 1 {
			return out, errOneBatch
		}
	}
	return out, nil
}

// reshaped finds the axis that has the batch when numbers are read in another
// shape: as many of them must lie before it. A graph that was built for a single
// example may leave it open which axis that is.
func reshaped(l *Lowering) (batch, error) {
	b, from, to := l.batchOf(0), l.Shape(0), l.OutputShape()
	if b == unbatched {
		return b, nil
	}
	before := product(from[:b.axis])
	var can, alike []batch // that are as long as before
	for axis, size := range to {
		if product(to[:axis]) == before && size%l.w.size == 0 {
			c := batch{axis, size / l.w.size}
			can = append(can, c)
			if c.per == b.per {
				alike = append(alike, c)
			}
		}
	}
	switch {
	case len(alike) == 1:
		return alike[0], nil
	case len(can) == 1:
		return can[0], nil
	case len(can) > 1:
		return b, fmt.Errorf("leaves it open which axis of %v is the batch: build the graph for 2 examples or more", to)
	}
	return b, fmt.Errorf("only holds for one batch size: no axis of %v is the batch, axis %d of %v", to, b.axis, from)
}

// reduced drops the axes that are gathered.
func reduced(axes []int) rule {
	return func(l *Lowering) (batch, error) {
		b := l.batchOf(0)
		if b == unbatched || len(axes) == 0 || slices.Contains(axes, b.axis) {
			return unbatched, nil
		}
		before := 0
		for a := range b.axis {
			if slices.Contains(axes, a) {
				before++
			}
		}
		return batch{b.axis - before, b.per}, nil
	}
}

func product(sizes []int) int {
	p := 1
	for _, s := range sizes {
		p *= s
	}
	return p
}
