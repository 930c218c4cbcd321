package export

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gorgonia.org/gorgonia"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// binaries are the ONNX forms of ʘBinaryOperatorType, which counts from 0.
var binaries = []string{"Add", "Sub", "Mul", "Div", "Pow", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "Equal", "Equal"}

const firstComparison, notEqual = 5, 10

// arithmetic writes x + y, x < y and the like, element by element. What Gorgonia
// repeats to give both operands one shape, ONNX broadcasts.
func arithmetic(n *gorgonia.Node, in gorgonia.Nodes) (form, error) {
	f := fieldsOf(n.Op())
	inner := f.within("ʘBinaryOperator")
	number, same := inner.int("ʘBinaryOperatorType"), f.bool("retSame")
	if err := cmp.Or(f.err, inner.err); err != nil {
		return form{}, err
	}
	if number >= len(binaries) {
		return form{}, fmt.Errorf("%v has no ONNX form here", n.Op())
	}
	for i, x := range in {
		// Not Shape.Eq, to which a row, a column and a plain vector are equal.
		if x.Dims() > 0 && !slices.Equal(x.Shape(), n.Shape()) {
			return form{}, fmt.Errorf("operand %d of shape %v gives %v: want one shape, or a scalar", i, x.Shape(), n.Shape())
		}
	}
	if b, ok := unrepeated(in); ok {
		in = b
	}
	return form{binaries[number], in, pairwise, func(l *Lowering) error {
		operands := []string{l.Input(0), l.Input(1)}
		if number < firstComparison {
			return l.Output(binaries[number], operands)
		}
		last := func(opType string, inputs []string, a ...*onnxpb.AttributeProto) (string, error) {
			if same {
				return l.Add(opType, inputs, a...), nil
			}
			return "", l.Output(opType, inputs, a...)
		}
		var y string
		var err error
		if number == notEqual {
			y, err = last("Not", []string{l.Add("Equal", operands)})
		} else {
			y, err = last(binaries[number], operands)
		}
		if !same || err != nil {
			return err
		}
		return l.Output("Cast", []string{y}, Int("to", int(elemType(l.Dtype()))))
	}}, nil
}

// unrepeated takes away the repetitions along axes of size 1, unless all operands
// are repeated along the same one.
func unrepeated(in gorgonia.Nodes) (out gorgonia.Nodes, ok bool) {
	out = slices.Clone(in)
	times := map[int]int{} // how many operands lost a repetition, by axis
	arrays := 0
	for i, x := range out {
		if x.Dims() > 0 {
			arrays++
		}
		lost := map[int]bool{}
		for x.Op() != nil && stockName(x.Op()) == "repeatOp" {
			f, from := fieldsOf(x.Op()), children(x)[0]
			along := f.int("along")
			if f.err != nil || from.Dims() != x.Dims() || from.Shape()[along] != 1 {
				break
			}
			lost[along] = true
			x = from
		}
		out[i] = x
		for axis := range lost {
			times[axis]++
		}
	}
	for _, n := range times {
		if n == arrays {
			return in, false
		}
	}
	return out, true
}

// unaries are the ONNX forms of unary operators, by Gorgonia's names.
var unaries = map[string]string{
	"abs": "Abs", "ceil": "Ceil", "floor": "Floor", "sin": "Sin", "cos": "Cos", "exp": "Exp", "ln": "Log", "neg": "Neg",
	"sqrt": "Sqrt", "inv": "Reciprocal", "tanh": "Tanh", "sigmoid": "Sigmoid", "softplus": "Softplus",
}

// composed are unary operators that ONNX has no single operator for.
var composed = map[string]func(l *Lowering, x string) error{
	"sign": func(l *Lowering, x string) error { // 1 for 0, where ONNX's Sign has 0
		negative := l.Add("Less", []string{x, l.Scalar("zero", 0)})
		return l.Output("Where", []string{negative, l.Scalar("minus", -1), l.Scalar("plus", 1)})
	},
	"log2": func(l *Lowering, x string) error {
		return l.Output("Div", []string{l.Add("Log", []string{x}), l.Scalar("ln2", math.Ln2)})
	},
	"square": func(l *Lowering, x string) error { return l.Output("Mul", []string{x, x}) },
	"cube": func(l *Lowering, x string) error {
		return l.Output("Mul", []string{l.Add("Mul", []string{x, x}), x})
	},
	"invSqrt": func(l *Lowering, x string) error { return l.Output("Reciprocal", []string{l.Add("Sqrt", []string{x})}) },
	// Gorgonia itself puts these two in the place of log(1 + x) and exp(x) - 1.
	"log1p": func(l *Lowering, x string) error {
		return l.Output("Log", []string{l.Add("Add", []string{x, l.Scalar("one", 1)})})
	},
	"expm1": func(l *Lowering, x string) error {
		return l.Output("Sub", []string{l.Add("Exp", []string{x}), l.Scalar("one", 1)})
	},
}

// unary writes a function of each number.
func unary(n *gorgonia.Node, in gorgonia.Nodes) (form, error) {
	name := fmt.Sprint(n.Op())
	if opType, ok := unaries[name]; ok {
		return form{opType, in, unchanged, func(l *Lowering) error { return l.Output(opType, []string{l.Input(0)}) }}, nil
	}
	if write, ok := composed[name]; ok {
		return form{name, in, unchanged, func(l *Lowering) error { return write(l, l.Input(0)) }}, nil
	}
	return form{}, fmt.Errorf("%v has no ONNX form here", n.Op())
}

// extreme writes the smaller or the larger of two.
func extreme(opType string) func(n *gorgonia.Node, in gorgonia.Nodes) (form, error) {
	return func(_ *gorgonia.Node, in gorgonia.Nodes) (form, error) {
		return form{opType, in, pairwise, func(l *Lowering) error { return l.Output(opType, []string{l.Input(0), l.Input(1)}) }}, nil
	}
}

// conversion writes numbers as ones of another type.
func conversion(_ *gorgonia.Node, in gorgonia.Nodes) (form, error) {
	return form{"Cast", in, unchanged, func(l *Lowering) error {
		to := elemType(l.Dtype())
		if to == 0 {
			return fmt.Errorf("elements of type %v have no ONNX form here", l.Dtype())
		}
		return l.Output("Cast", []string{l.Input(0)}, Int("to", int(to)))
	}}, nil
}
