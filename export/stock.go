package export

import (
	"fmt"
	"reflect"
	"slices"

	"gorgonia.org/gorgonia"
)

// stock are the lowerings of Gorgonia's own operators that differentiation
// leaves in a graph, by the name of their type: the types are not exported.
var stock = map[string]func(l *Lowering) error{
	"constantScalar": lowerConstant,
	"constantTensor": lowerConstant,
	"elemBinOp":      lowerBinary,
}

// stockName is the name of the type of an operator of Gorgonia's own, "" for
// any other operator.
func stockName(op gorgonia.Op) string {
	if t := reflect.TypeOf(op); t.PkgPath() == "gorgonia.org/gorgonia" {
		return t.Name()
	}
	return ""
}

// lowering finds how an operator is written.
func lowering(op gorgonia.Op) (lower func(l *Lowering) error, ok bool) {
	if o, ok := op.(Operator); ok {
		return o.Lower, true
	}
	lower, ok = stock[stockName(op)]
	return lower, ok
}

// lowerConstant stores a constant as an initializer: there is no node.
func lowerConstant(l *Lowering) error {
	v, err := dense(l.node.Value())
	if err != nil {
		return err
	}
	_, err = l.w.weight(l.node, v)
	l.done = true
	return err
}

// arithmetic are the ONNX forms of ʘBinaryOperatorType, which counts from 0. Powers
// and comparisons follow, which no graph here has.
var arithmetic = []string{"Add", "Sub", "Mul", "Div"}

// lowerBinary writes x + y and the like, element by element, of one shape or
// with a scalar.
func lowerBinary(l *Lowering) error {
	kind := reflect.ValueOf(l.node.Op()).FieldByName("ʘBinaryOperator")
	if kind.Kind() != reflect.Interface || kind.IsNil() || kind.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("%T is not built as Gorgonia 0.9.18 builds it", l.node.Op())
	}
	number := kind.Elem().FieldByName("ʘBinaryOperatorType")
	if number.Kind() != reflect.Uint8 {
		return fmt.Errorf("%T is not built as Gorgonia 0.9.18 builds it", l.node.Op())
	}
	if number.Uint() >= uint64(len(arithmetic)) {
		return fmt.Errorf("%v has no ONNX form here, only %v have", l.node.Op(), arithmetic)
	}
	for i, n := range l.in {
		if n.Dims() == 0 {
			continue
		}
		// Not Shape.Eq, to which a row, a column and a plain vector are equal.
		if !slices.Equal(l.Shape(i), l.OutputShape()) {
			return fmt.Errorf("an operand of shape %v gives %v: want one shape, or a scalar", l.Shape(i), l.OutputShape())
		}
		if l.Batched() && !l.w.batch[n] {
			return fmt.Errorf("only holds for one batch size: one operand has no batch axis")
		}
	}
	return l.Output(arithmetic[number.Uint()], []string{l.Input(0), l.Input(1)})
}
