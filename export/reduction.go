package export

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// reduction writes a sum or a maximum along axes, which are gone afterwards.
func reduction(opType string) func(n *gorgonia.Node, in gorgonia.Nodes) (form, error) {
	return func(n *gorgonia.Node, in gorgonia.Nodes) (form, error) {
		f := fieldsOf(n.Op())
		along := f.ints("along")
		if f.err != nil {
			return form{}, f.err
		}
		if axis, wrong := misread(in[0].Shape(), along); wrong {
			return form{}, fmt.Errorf("gathers axis %d of %v, where Gorgonia 0.9.18 adds up the wrong numbers: move the axis to the end", axis, in[0].Shape())
		}
		return form{opType, in, reduced(along), func(l *Lowering) error {
			switch {
			case len(along) == 0:
				return l.Output(opType, []string{l.Input(0)}, Int("keepdims", 0))
			case opType == "ReduceSum": // the only one that has its axes as an input by opset 15
				axes := make([]int64, len(along))
				for i, a := range along {
					axes[i] = int64(a)
				}
				return l.Output(opType, []string{l.Input(0), l.Ints("axes", axes...)}, Int("keepdims", 0))
			}
			return l.Output(opType, []string{l.Input(0)}, Ints("axes", along...), Int("keepdims", 0))
		}}, nil
	}
}

// misread finds an axis along which Gorgonia's array library (gorgonia.org/tensor
// v0.9.24) gathers numbers that don't belong together: one that is neither
// the last nor of size 2, with more than one row before it in an example. Axes are
// gathered one after another, the first one first.
func misread(shape tensor.Shape, along []int) (axis int, wrong bool) {
	if len(along) == 0 || len(along) == len(shape) {
		return 0, false
	}
	left := slices.Clone(shape)
	for done, axis := range slices.Sorted(slices.Values(along)) {
		a := axis - done
		if a > 0 && a < len(left)-1 && left[a] != 2 && product(left[1:a]) > 1 {
			return axis, true
		}
		left = slices.Delete(left, a, a+1)
	}
	return 0, false
}

// softmax writes softmax or its logarithm along an axis.
func softmax(n *gorgonia.Node, in gorgonia.Nodes) (form, error) {
	f := fieldsOf(n.Op())
	axis, isLog := f.int("axis"), f.bool("isLog")
	if f.err != nil {
		return form{}, f.err
	}
	opType := "Softmax"
	if isLog {
		opType = "LogSoftmax"
	}
	return form{opType, in, unchanged, func(l *Lowering) error {
		axis := axis
		if axis < 0 {
			var err error
			if axis, err = defaultAxis(l); err != nil {
				return err
			}
		}
		return l.Output(opType, []string{l.Input(0)}, Int("axis", axis))
	}}, nil
}

// defaultAxis is the axis of a softmax for which none was named: the last one, but
// the first of a column. Which matrix is a column may depend on the batch.
func defaultAxis(l *Lowering) (int, error) {
	s, b := l.OutputShape(), l.batchOf(0)
	switch {
	case len(s) != 2 || b.axis == 0 && s[1] > 1:
		return len(s) - 1, nil
	case b.axis == 1 && s[0] > 1:
		return 0, fmt.Errorf("chooses its axis by the batch size: name the axis")
	case s[1] == 1 && b.axis != 1:
		return 0, nil
	}
	return 1, nil
}
