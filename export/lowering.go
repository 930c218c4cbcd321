package export

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// Lowering is what an operator sees of the model while it writes itself.
// Values are referred to by their ONNX names.
type Lowering struct {
	w     *writer
	node  *gorgonia.Node
	in    gorgonia.Nodes
	scope string
	err   error
	done  bool
	sums  bool // the whole batch into one result
}

// Shape returns the shape of input i, at the batch size the graph was built with.
func (l *Lowering) Shape(i int) tensor.Shape { return l.in[i].Shape() }

// OutputShape returns the shape of the operator's output.
func (l *Lowering) OutputShape() tensor.Shape { return l.node.Shape() }

// Dtype returns the type of the operator's output.
func (l *Lowering) Dtype() tensor.Dtype { return l.node.Dtype() }

// Batched reports whether an input has a batch of any size: an operator whose
// ONNX form holds for one batch size only must refuse then.
func (l *Lowering) Batched() bool {
	return slices.ContainsFunc(l.in, func(n *gorgonia.Node) bool { return l.w.batchOf(n) != unbatched })
}

// SumsBatch says that the operator gathers the whole batch into one result. An
// output whose shape doesn't depend on the batch is refused without it.
func (l *Lowering) SumsBatch() { l.sums = true }

// Input returns the name of input i. An input that holds a weight becomes an
// initializer.
func (l *Lowering) Input(i int) string {
	n := l.in[i]
	if n.Op() != nil && stockName(n.Op()) == "sizeOp" {
		return l.sizeValue(i)
	}
	if n.Op() != nil || l.w.isInput(n) {
		return l.w.values[n]
	}
	if n.Value() == nil {
		return "" // refused by now
	}
	v, err := dense(n.Value())
	if err != nil {
		l.fail(err)
		return ""
	}
	name, err := l.w.weight(n, v)
	if err != nil {
		l.fail(err)
	}
	return name
}

// Const returns the name of an initializer that holds v, scoped under the
// operator's own name.
func (l *Lowering) Const(hint string, v *tensor.Dense) string {
	name, err := l.w.initializer(l.scope+"/"+hint, v)
	if err != nil {
		l.fail(err)
	}
	return name
}

// Ints returns the name of an int64 initializer of shape (len(v)).
func (l *Lowering) Ints(hint string, v ...int64) string {
	return l.Const(hint, tensor.New(tensor.WithShape(len(v)), tensor.WithBacking(v)))
}

// Scalar returns the name of an initializer of shape (), of the output's type.
func (l *Lowering) Scalar(hint string, v float64) string {
	if l.Dtype() == tensor.Float64 {
		return l.Const(hint, tensor.New(tensor.FromScalar(v)))
	}
	return l.Const(hint, tensor.New(tensor.FromScalar(float32(v))))
}

// Add adds a node and returns the name of its only output.
func (l *Lowering) Add(opType string, inputs []string, attributes ...*onnxpb.AttributeProto) string {
	out := l.w.names.unique(l.scope + "/" + opType)
	l.add(l.scope+"/"+opType, opType, inputs, out, attributes)
	return out
}

// Output adds the node whose output is the operator's own.
func (l *Lowering) Output(opType string, inputs []string, attributes ...*onnxpb.AttributeProto) error {
	if l.done {
		return fmt.Errorf("its lowering wrote two outputs")
	}
	l.done = true
	name := l.w.values[l.node]
	l.add(l.scope, opType, inputs, name, attributes)
	if l.err == nil && !l.w.isOutput(l.node) {
		l.w.graph.ValueInfo = append(l.w.graph.ValueInfo, l.w.valueInfo(l.node, name))
	}
	return l.err
}

// same gives the operator's output the name of a value that it equals.
func (l *Lowering) same(value string) error {
	if l.w.isOutput(l.node) {
		return l.Output("Identity", []string{value})
	}
	l.w.values[l.node], l.done = value, true
	return l.err
}

func (l *Lowering) add(name, opType string, inputs []string, output string, attributes []*onnxpb.AttributeProto) {
	l.w.graph.Node = append(l.w.graph.Node, &onnxpb.NodeProto{
		Name: l.w.nodes.unique(name), OpType: opType, Input: inputs, Output: []string{output}, Attribute: attributes,
	})
}

func (l *Lowering) fail(err error) {
	if l.err == nil {
		l.err = err
	}
}

// Int is an integer attribute.
func Int(name string, v int) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_INT, I: new(int64(v))}
}

// Ints is an attribute that holds a list of integers.
func Ints(name string, v ...int) *onnxpb.AttributeProto {
	a := &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_INTS}
	for _, x := range v {
		a.Ints = append(a.Ints, int64(x))
	}
	return a
}

// Float is a float attribute. ONNX stores it in single precision.
func Float(name string, v float64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_FLOAT, F: new(float32(v))}
}

// String is a text attribute.
func String(name, v string) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_STRING, S: []byte(v)}
}
