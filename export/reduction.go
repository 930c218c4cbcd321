package export

import (
	"gorgonia.org/gorgonia"
)

// reduction writes a sum or a maximum along axes, which are gone afterwards.
func reduction(opType string) func(n *gorgonia.Node, in gorgonia.Nodes) (form, error) {
	return func(n *gorgonia.Node, in gorgonia.Nodes) (form, error) {
		f := fieldsOf(n.Op())
		along := f.ints("along")
		if f.err != nil {
			return form{}, f.err
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

// softmax writes softmax or its logarithm along an axis.
func softmax(n *gorgonia.Node, in gorgonia.Nodes) (form, error) {
	f := fieldsOf(n.Op())
	axis, isLog := f.int("axis"), f.bool("isLog")
	if f.err != nil {
		return form{}, f.err
	}
	if axis < 0 { // Gorgonia's default is the last axis, but the first of a column
		axis = n.Dims() - 1
		if n.Shape().IsColVec() {
			axis = 0
		}
	}
	opType := "Softmax"
	if isLog {
		opType = "LogSoftmax"
	}
	return form{opType, in, unchanged, func(l *Lowering) error {
		return l.Output(opType, []string{l.Input(0)}, Int("axis", axis))
	}}, nil
}
