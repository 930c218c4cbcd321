package export

import (
	"errors"
	"fmt"
	"slices"
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

// leading is the rule of operators that are not Gorgonia's: examples come first,
// in what goes in and in what comes out. One that gathers them says so by
// [Lowering.SumsBatch].
func leading(l *Lowering) (batch, error) {
	out := unbatched
	for i := range l.in {
		b := l.batchOf(i)
		switch {
		case b == unbatched:
		case b.axis > 0:
			return out, fmt.Errorf("has the batch in axis %d of input %d: want it in the first", b.axis, i)
		case out != unbatched && b != out:
			return out, fmt.Errorf("has %d rows for each example in one input and %d in another", out.per, b.per)
		default:
			out = b
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
// shape: as many of them must lie before it.
func reshaped(l *Lowering) (batch, error) {
	b, from, to := l.batchOf(0), l.Shape(0), l.OutputShape()
	if b == unbatched {
		return b, nil
	}
	before := product(from[:b.axis])
	for axis, size := range to {
		// Of several, the first that isn't of size 1 for other reasons.
		if product(to[:axis]) == before && size%l.w.size == 0 && (size > 1 || l.w.size == 1) {
			return batch{axis, size / l.w.size}, nil
		}
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
