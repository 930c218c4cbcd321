package pass

import (
	"encoding/binary"
	"slices"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// unknown is the size of an axis that differs from run to run: the batch.
const unknown = -1

// run finds the shape of every value of a graph for which it follows from the
// inputs, at the sizes that they declare. A value of an operator that isn't
// known here is left out, and so is what follows from it.
func (s *shaper) run(g *onnxpb.GraphProto) {
	for _, v := range g.Input {
		dims := []int{}
		for _, d := range v.Type.GetTensorType().GetShape().GetDim() {
			if _, ok := d.Value.(*onnxpb.TensorShapeProto_Dimension_DimValue); ok {
				dims = append(dims, int(d.GetDimValue()))
			} else {
				dims = append(dims, unknown)
			}
		}
		s.known[v.Name] = dims
	}
	given := inputs(g)
	for _, t := range g.Initializer {
		if given[t.Name] { // a default, which a caller may replace
			continue
		}
		dims := make([]int, len(t.Dims))
		for i, d := range t.Dims {
			dims[i] = int(d)
		}
		s.known[t.Name] = dims
		if list, ok := ints(t); ok {
			s.ints[t.Name] = list
		}
	}
	for _, n := range g.Node {
		if out := s.shapeOf(n); out != nil {
			s.known[n.Output[0]] = out
		}
	}
}

// ints reads a list of integers out of an initializer.
func ints(t *onnxpb.TensorProto) ([]int, bool) {
	if onnxpb.TensorProto_DataType(t.DataType) != onnxpb.TensorProto_INT64 || len(t.Dims) != 1 {
		return nil, false
	}
	list := []int{}
	for _, v := range t.Int64Data {
		list = append(list, int(v))
	}
	for raw := t.RawData; len(raw) >= 8; raw = raw[8:] {
		list = append(list, int(int64(binary.LittleEndian.Uint64(raw))))
	}
	return list, len(list) == int(t.Dims[0])
}

// elementwise are the operators that compute each element of their output from
// one element of each input, with broadcasting.
var elementwise = []string{
	"Add", "And", "Cast", "Clip", "Div", "Equal", "Exp", "Greater", "Identity", "LeakyRelu", "Less", "Log", "Max", "Min",
	"Mul", "Neg", "Not", "Or", "Pow", "Reciprocal", "Relu", "Sigmoid", "Sign", "Softplus", "Sqrt", "Sub", "Tanh", "Where",
}

// infer finds the shapes of a graph's values.
func infer(g *onnxpb.GraphProto) *shaper {
	s := &shaper{known: map[string][]int{}, ints: map[string][]int{}}
	s.run(g)
	return s
}

type shaper struct {
	known map[string][]int
	ints  map[string][]int // the values of lists of integers
}

// shapeOf returns the shape of a node's first output, nil where it isn't known.
func (s *shaper) shapeOf(n *onnxpb.NodeProto) []int {
	if n.Domain != "" || len(n.Output) == 0 || len(n.Input) == 0 {
		return nil
	}
	in := make([][]int, len(n.Input))
	for i, name := range n.Input {
		if name == "" {
			continue
		}
		dims, ok := s.known[name]
		if !ok {
			return nil
		}
		in[i] = dims
	}
	x := in[0]
	if slices.Contains(elementwise, n.OpType) {
		return broadcast(in)
	}
	switch n.OpType {
	case "BatchNormalization":
		return x
	case "Conv":
		return s.conv(n, x, in[1])
	case "ConvTranspose":
		return s.convTranspose(n, x, in[1])
	case "Flatten":
		if axisOf(n, 1) != 1 || len(x) < 2 {
			return nil
		}
		return []int{x[0], product(x[1:])}
	case "Gemm":
		return s.gemm(n, in)
	case "MatMul":
		return matMul(in[0], in[1])
	case "Concat":
		return concat(in, axisOf(n, 0))
	case "Gather":
		axis := axisOf(n, 0)
		if axis < 0 || axis >= len(x) {
			return nil
		}
		return slices.Concat(x[:axis], in[1], x[axis+1:])
	case "ReduceMean", "ReduceSum":
		return s.reduce(n, x)
	case "Reshape":
		return s.reshape(n, x)
	case "Slice":
		return s.slice(n, x)
	case "Transpose":
		perm := intsAttribute(n, "perm")
		if len(perm) != len(x) {
			return nil
		}
		return permuted(x, perm)
	}
	return nil
}

// broadcast joins shapes as NumPy does; nil where they don't fit.
func broadcast(in [][]int) []int {
	out := []int{}
	for _, dims := range in {
		for len(out) < len(dims) {
			out = slices.Insert(out, 0, 1)
		}
		for i := range dims {
			o := &out[len(out)-len(dims)+i]
			switch {
			case dims[i] == 1 || *o == dims[i]:
			case *o == 1:
				*o = dims[i]
			default:
				return nil
			}
		}
	}
	return out
}

func (s *shaper) conv(n *onnxpb.NodeProto, x, w []int) []int {
	if len(x) != 4 || len(w) != 4 || slices.Contains(x[2:], unknown) || slices.Contains(w, unknown) || attribute(n, "auto_pad") != nil {
		return nil
	}
	pads, strides, dilations := geometry(n)
	out := []int{x[0], w[0], 0, 0}
	for i := range 2 {
		out[2+i] = (x[2+i]+pads[i]+pads[2+i]-(w[2+i]-1)*dilations[i]-1)/strides[i] + 1
	}
	return out
}

func (s *shaper) convTranspose(n *onnxpb.NodeProto, x, w []int) []int {
	if len(x) != 4 || len(w) != 4 || slices.Contains(x[2:], unknown) || slices.Contains(w, unknown) ||
		attribute(n, "auto_pad") != nil || attribute(n, "output_shape") != nil {
		return nil
	}
	pads, strides, dilations := geometry(n)
	rest := intsAttribute(n, "output_padding")
	if rest == nil {
		rest = []int{0, 0}
	}
	out := []int{x[0], w[1] * intAttribute(n, "group", 1), 0, 0}
	for i := range 2 {
		out[2+i] = (x[2+i]-1)*strides[i] + (w[2+i]-1)*dilations[i] + 1 + rest[i] - pads[i] - pads[2+i]
	}
	return out
}

// geometry returns a convolution's pads (top, left, bottom, right), strides and
// dilations.
func geometry(n *onnxpb.NodeProto) (pads, strides, dilations []int) {
	pads, strides, dilations = intsAttribute(n, "pads"), intsAttribute(n, "strides"), intsAttribute(n, "dilations")
	if pads == nil {
		pads = []int{0, 0, 0, 0}
	}
	if strides == nil {
		strides = []int{1, 1}
	}
	if dilations == nil {
		dilations = []int{1, 1}
	}
	return pads, strides, dilations
}

func (s *shaper) gemm(n *onnxpb.NodeProto, in [][]int) []int {
	if len(in[0]) != 2 || len(in[1]) != 2 {
		return nil
	}
	rows, columns := in[0][0], in[1][1]
	if intAttribute(n, "transA", 0) != 0 {
		rows = in[0][1]
	}
	if intAttribute(n, "transB", 0) != 0 {
		columns = in[1][0]
	}
	return []int{rows, columns}
}

func matMul(a, b []int) []int {
	if len(a) < 2 || len(b) < 2 {
		return nil
	}
	outer := broadcast([][]int{a[:len(a)-2], b[:len(b)-2]})
	if outer == nil {
		return nil
	}
	return append(outer, a[len(a)-2], b[len(b)-1])
}

func concat(in [][]int, axis int) []int {
	if axis < 0 || axis >= len(in[0]) {
		return nil
	}
	out := slices.Clone(in[0])
	for _, dims := range in[1:] {
		if len(dims) != len(out) || dims[axis] == unknown || out[axis] == unknown {
			return nil
		}
		out[axis] += dims[axis]
	}
	return out
}

func (s *shaper) reduce(n *onnxpb.NodeProto, x []int) []int {
	axes, ok := s.reducedAxes(n, len(x))
	if !ok {
		return nil
	}
	out := []int{}
	for i, d := range x {
		switch {
		case !slices.Contains(axes, i):
			out = append(out, d)
		case intAttribute(n, "keepdims", 1) != 0:
			out = append(out, 1)
		}
	}
	return out
}

// reducedAxes returns the axes that a reduction runs over.
func (s *shaper) reducedAxes(n *onnxpb.NodeProto, rank int) ([]int, bool) {
	axes := intsAttribute(n, "axes")
	if len(n.Input) > 1 && n.Input[1] != "" {
		var ok bool
		if axes, ok = s.ints[n.Input[1]]; !ok {
			return nil, false
		}
	}
	if len(axes) == 0 {
		if intAttribute(n, "noop_with_empty_axes", 0) != 0 {
			return nil, false
		}
		for i := range rank {
			axes = append(axes, i)
		}
	}
	if slices.ContainsFunc(axes, func(a int) bool { return a < 0 || a >= rank }) {
		return nil, false
	}
	return axes, true
}

func (s *shaper) reshape(n *onnxpb.NodeProto, x []int) []int {
	to, ok := s.ints[n.Input[1]]
	if !ok || intAttribute(n, "allowzero", 0) != 0 {
		return nil
	}
	out, rest := slices.Clone(to), -1
	for i, d := range to {
		switch {
		case d == 0 && i < len(x):
			out[i] = x[i]
		case d == 0:
			return nil
		case d == -1:
			rest = i
		}
	}
	if rest >= 0 {
		// What is left over, or the batch where that is unknown on both sides.
		others := slices.Delete(slices.Clone(out), rest, rest+1)
		switch a, b := product(x), product(others); {
		case a > 0 && b > 0 && a%b == 0:
			out[rest] = a / b
		case a < 0 && b > 0 && -a == b:
			out[rest] = unknown
		case a < 0 && b < 0 && a%b == 0:
			out[rest] = a / b
		default:
			return nil
		}
	}
	return out
}

func (s *shaper) slice(n *onnxpb.NodeProto, x []int) []int {
	if len(n.Input) != 4 {
		return nil
	}
	starts, ends, axes := s.ints[n.Input[1]], s.ints[n.Input[2]], s.ints[n.Input[3]]
	if len(starts) == 0 || len(starts) != len(ends) || len(starts) != len(axes) {
		return nil
	}
	out := slices.Clone(x)
	for i, axis := range axes {
		if axis < 0 || axis >= len(x) || x[axis] == unknown || starts[i] < 0 || ends[i] < starts[i] {
			return nil
		}
		out[axis] = min(ends[i], x[axis]) - min(starts[i], x[axis])
	}
	return out
}

// product is the number of elements, negative where an axis is unknown.
func product(dims []int) int {
	p := 1
	for _, d := range dims {
		p *= d
	}
	return p
}

// permuted returns the elements of v in another order.
func permuted(v, perm []int) []int {
	out := make([]int, len(perm))
	for i, p := range perm {
		out[i] = v[p]
	}
	return out
}

func attribute(n *onnxpb.NodeProto, name string) *onnxpb.AttributeProto {
	for _, a := range n.Attribute {
		if a.Name == name {
			return a
		}
	}
	return nil
}

func intAttribute(n *onnxpb.NodeProto, name string, otherwise int) int {
	if a := attribute(n, name); a != nil {
		return int(a.GetI())
	}
	return otherwise
}

func intsAttribute(n *onnxpb.NodeProto, name string) []int {
	var list []int
	for _, v := range attribute(n, name).GetInts() {
		list = append(list, int(v))
	}
	return list
}

func axisOf(n *onnxpb.NodeProto, otherwise int) int { return intAttribute(n, "axis", otherwise) }
