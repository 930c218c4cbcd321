package gorgonia

import (
	"fmt"
	"strings"
)

// builder turns a node's operands, whose shapes are known, into its value.
type builder func(c *compiler, in []operand) (operand, error)

// definition is an operator of ONNX: how many inputs it has, and what reads its
// attributes. least are required, and so can't be left out.
type definition struct {
	least, most int
	read        func(a *attributes) builder
}

// unlimited inputs.
const unlimited = 1 << 16

// definitions are the operators that are known, by their names. What they do is
// the same from opset 13 to 23.
var definitions = map[string]definition{
	"Add":  {2, 2, addition},
	"Sub":  {2, 2, arithmetic("Sub", sub[float32], sub[float64], sub[int32], sub[int64])},
	"Mul":  {2, 2, arithmetic("Mul", mul[float32], mul[float64], mul[int32], mul[int64])},
	"Div":  {2, 2, arithmetic("Div", div[float32], div[float64], div[int32], div[int64])},
	"Less": {2, 2, arithmetic("Less", less[float32], less[float64], less[int32], less[int64])},
	"Neg":  {1, 1, unary("Neg", neg[float32], neg[float64], neg[int32], neg[int64])},
	"Sqrt": {1, 1, unary("Sqrt", sqrt[float32], sqrt[float64], nil, nil)},
	"Not":  {1, 1, not},
	"Cast": {1, 1, cast},

	"Identity":  {1, 1, identity},
	"Reshape":   {2, 2, reshape},
	"Flatten":   {1, 1, flatten},
	"Squeeze":   {1, 2, squeeze},
	"Unsqueeze": {2, 2, unsqueeze},
	"Transpose": {1, 1, transpose},
	"Concat":    {1, unlimited, concat},
	"Slice":     {3, 5, slice},
	"Gather":    {2, 2, gather},
	"Shape":     {1, 1, shape},
	"Range":     {3, 3, sequence},

	"MatMul":             {2, 2, matMul},
	"Gemm":               {2, 3, gemm},
	"Conv":               {2, 3, conv},
	"ConvTranspose":      {2, 3, convTranspose},
	"BatchNormalization": {5, 5, batchNormalization},
	"Relu":               {1, 1, relu},
	"LeakyRelu":          {1, 1, leakyRelu},
	"Sigmoid":            {1, 1, sigmoid},
	"Tanh":               {1, 1, tanh},
}

// builderOf checks all of a node that does not depend on shapes.
func builderOf(domain string, o operation, outputs int, opset int64) (builder, error) {
	d, ok := definitions[o.Name]
	if !ok || !standard(domain) {
		return nil, fmt.Errorf("operator %s is not supported", short(strings.TrimPrefix(domain+"."+o.Name, ".")))
	}
	a := &attributes{left: o.Attributes}
	build := d.read(a)
	if n := len(o.inputs); n < d.least || n > d.most {
		a.problem("%d inputs, want %d to %d", n, d.least, d.most)
	}
	for i, in := range o.inputs[:min(d.least, len(o.inputs))] {
		if in == "" {
			a.problem("input %d is left out", i)
		}
	}
	if d.most == unlimited {
		for i, in := range o.inputs {
			if in == "" && i >= d.least {
				a.problem("input %d is left out", i)
			}
		}
	}
	if outputs != 1 {
		a.problem("%d outputs, want 1", outputs)
	}
	if o.Name == "BatchNormalization" && opset < 14 {
		a.problem("opset %d, want 14 at least", opset)
	}
	return build, a.done()
}

// given tells whether an operand that may be left out is there.
func given(in []operand, i int) bool { return i < len(in) && in[i].dtype.Type != nil }
