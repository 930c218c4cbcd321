package pass_test

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/export/pass"
)

// shaped writes a model like [model], of arrays of any shape: in is
// "x[N,3,8,8] w[4,3,5,5]", and an axis with a letter has no size. Lists and
// scalars are "name=1,2" and "name=0.5".
func shaped(in, out, constants string, nodes ...*onnxpb.NodeProto) *onnxpb.ModelProto {
	g := &onnxpb.GraphProto{Name: "test", Node: nodes}
	for field := range strings.FieldsSeq(in) {
		name, rest, _ := strings.Cut(strings.TrimSuffix(field, "]"), "[")
		v := vector(name)
		shape := v.Type.GetTensorType().Shape
		for dim := range strings.SplitSeq(rest, ",") {
			d := &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: dim}}
			if size, err := strconv.ParseInt(dim, 10, 64); err == nil {
				d.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: size}
			}
			shape.Dim = append(shape.Dim, d)
		}
		g.Input = append(g.Input, v)
	}
	for name := range strings.FieldsSeq(out) {
		v := vector(name)
		v.Type.GetTensorType().Shape = nil
		g.Output = append(g.Output, v)
	}
	for field := range strings.FieldsSeq(constants) {
		name, value, _ := strings.Cut(field, "=")
		t := &onnxpb.TensorProto{Name: name, DataType: int32(onnxpb.TensorProto_INT64)}
		if strings.Contains(value, ".") {
			v, _ := strconv.ParseFloat(value, 32)
			t = scalar(name, float32(v))
		} else {
			for number := range strings.SplitSeq(value, ",") {
				v, _ := strconv.ParseInt(number, 10, 64)
				t.RawData = binary.LittleEndian.AppendUint64(t.RawData, uint64(v))
			}
			t.Dims = []int64{int64(len(t.RawData) / 8)}
		}
		g.Initializer = append(g.Initializer, t)
	}
	return &onnxpb.ModelProto{IrVersion: 8, OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: 15}}, Graph: g}
}

// with gives a node attributes.
func with(line string, attributes ...*onnxpb.AttributeProto) *onnxpb.NodeProto {
	n := node(line)
	n.Attribute = attributes
	return n
}

// TestShapes: every shape is the one that ONNX Runtime's array has, and so is
// every one that follows where the batch has no size.
func TestShapes(t *testing.T) {
	const batch = 5
	pads := export.Ints("pads", 1, 2, 0, 1)
	for _, c := range []struct {
		in, constants string
		node          *onnxpb.NodeProto
		unknown       bool // with a batch of no size
	}{
		{"a[N,3,4,4] b[3,1,1]", "", node("y = Add(a, b)"), false},
		{"a[N,3,4,4] b[4]", "", node("y = Mul(a, b)"), false},
		{"a[3,1] b[N,1,4]", "", node("y = Sub(a, b)"), false},
		{"a[N,4] b[1,4]", "", node("y = Max(a, b)"), false},
		{"a[N,4]", "low=0.5 high=1.5", node("y = Clip(a, low, high)"), false},
		{"a[N,4]", "low=0.5", node("y = Clip(a, low)"), false},
		{"a[N,4]", "", node("y = Sigmoid(a)"), false},
		{"a[N,4]", "zero=0.0", node("y = Add(a, zero)"), false},
		{"a[N,3,4,4] g[3] b[3] m[3] v[3]", "", node("y = BatchNormalization(a, g, b, m, v)"), false},
		{"a[N,3,8,7] w[4,3,3,2]", "", node("y = Conv(a, w)"), false},
		{"a[N,3,8,7] w[4,3,3,2] b[4]", "", with("y = Conv(a, w, b)", pads, export.Ints("strides", 2, 3)), false},
		{"a[N,3,8,7] w[4,3,3,2]", "", with("y = Conv(a, w)", export.Ints("dilations", 2, 3)), false},
		{"a[N,4,8,7] w[6,2,3,2]", "", with("y = Conv(a, w)", export.Int("group", 2)), false},
		{"a[N,3,5,4] w[3,2,3,4]", "", node("y = ConvTranspose(a, w)"), false},
		{"a[N,3,5,4] w[3,2,3,4]", "", with("y = ConvTranspose(a, w)", pads, export.Ints("strides", 2, 3), export.Ints("output_padding", 1, 2)), false},
		{"a[N,3,5,4] w[3,2,3,4]", "", with("y = ConvTranspose(a, w)", export.Ints("dilations", 2, 1)), false},
		{"a[N,4,5,4] w[4,2,3,4]", "", with("y = ConvTranspose(a, w)", export.Int("group", 2)), false},
		{"a[N,3,5,4]", "", node("y = Flatten(a)"), false},
		{"a[N,3,5,4]", "", with("y = Flatten(a)", export.Int("axis", 2)), true},
		{"a[N,3] w[3,4] b[4]", "", node("y = Gemm(a, w, b)"), false},
		{"a[3,N] w[4,3]", "", with("y = Gemm(a, w)", export.Int("transA", 1), export.Int("transB", 1)), false},
		{"a[N,3] w[3,4]", "", node("y = MatMul(a, w)"), false},
		{"a[7,1,2,3] w[N,3,4]", "", node("y = MatMul(a, w)"), false},
		{"a[N,3,2] b[N,4,2]", "", with("y = Concat(a, b)", export.Int("axis", 1)), false},
		{"a[N,3] b[N,3]", "", with("y = Concat(a, b)", export.Int("axis", 0)), true},
		{"a[N,3,2]", "i=2,0,1,1", with("y = Gather(a, i)", export.Int("axis", 1)), false},
		{"a[N,3,2]", "i=0,0", node("y = Gather(a, i)"), false},
		{"a[N,3,4,4]", "", with("y = ReduceMean(a)", export.Ints("axes", 0, 2, 3)), false},
		{"a[N,3,4,4]", "", with("y = ReduceMean(a)", export.Ints("axes", 2, 3), export.Int("keepdims", 0)), false},
		{"a[N,3]", "", with("y = ReduceMean(a)", export.Ints("axes", 0), export.Int("keepdims", 0)), false},
		{"a[N,3,4]", "axes=0,2", node("y = ReduceSum(a, axes)"), false},
		{"a[N,3,4]", "", node("y = ReduceSum(a)"), false},
		{"a[N,3,4]", "", with("y = ReduceSum(a)", export.Int("noop_with_empty_axes", 1)), true},
		{"a[N,3,4]", "axes=-1", node("y = ReduceSum(a, axes)"), true},
		{"a[N,3,4,4]", "to=0,-1", node("y = Reshape(a, to)"), false},
		{"a[N,48]", "to=-1,3,4,4", node("y = Reshape(a, to)"), false},
		{"a[N,48]", "to=0,3,-1,4", node("y = Reshape(a, to)"), false},
		{"a[N,48]", "to=0,0", node("y = Reshape(a, to)"), false},
		{"a[N,48]", "to=-1", node("y = Reshape(a, to)"), true},    // N·48, which has no name
		{"a[N,48]", "to=-1,24", node("y = Reshape(a, to)"), true}, // N·2
		{"a[6,4]", "to=3,8", node("y = Reshape(a, to)"), false},
		{"a[6,4]", "to=2,-1,3", node("y = Reshape(a, to)"), false},
		{"a[N,6,7]", "from=1,0 to=5,3 axes=1,2", node("y = Slice(a, from, to, axes)"), false},
		{"a[N,6,7]", "from=2 to=9223372036854775807 axes=1", node("y = Slice(a, from, to, axes)"), false},
		{"a[N,6,7]", "from=0 to=2 axes=0", node("y = Slice(a, from, to, axes)"), true},
		{"a[4,6,7]", "from=-2 to=6 axes=1", node("y = Slice(a, from, to, axes)"), true},
		{"a[4,6,7]", "from=1,1 to=3,3", node("y = Slice(a, from, to)"), true},
		{"a[4,6,7]", "from=0 to=6 axes=1 steps=2", node("y = Slice(a, from, to, axes, steps)"), true},
		{"a[N,6,7]", "", with("y = Transpose(a)", export.Ints("perm", 2, 0, 1)), false},
		{"a[N,6,7]", "", node("y = Transpose(a)"), true},
		{"a[N,6]", "", node("y = Softmax(a)"), true}, // not an operator that is known
		// Sizes that nobody knows, and which aren't the batch.
		{"a[N,3,H,W] w[4,3,3,3]", "", node("y = Conv(a, w)"), true},
		{"a[N,3,H,W] w[3,4,3,3]", "", node("y = ConvTranspose(a, w)"), true},
	} {
		m := shaped(c.in, "y", c.constants, c.node)
		got := run(t, m, numbers(m, batch))["y"].Shape()
		sized := shaped(strings.NewReplacer("N", strconv.Itoa(batch), "H", "5", "W", "5").Replace(c.in), "y", c.constants, c.node)
		if shape, ok := pass.Shapes(sized)["y"]; ok && !slices.Equal(shape, got) {
			t.Errorf("%v of %s, %s: %v, on ONNX Runtime %v", c.node, c.in, c.constants, shape, got)
		} else if !ok && !c.unknown {
			t.Errorf("%v of %s, %s: no shape, on ONNX Runtime %v", c.node, c.in, c.constants, got)
		}
		shape, ok := pass.Shapes(m)["y"]
		if ok == c.unknown {
			t.Errorf("%v of %s, %s without a size: %v", c.node, c.in, c.constants, shape)
		}
		if ok && !fits(shape, got, batch) {
			t.Errorf("%v of %s, %s without a size: %v, on ONNX Runtime %v", c.node, c.in, c.constants, shape, got)
		}
	}
}

// TestShapesDefault: a list that a caller may replace says nothing of a shape.
func TestShapesDefault(t *testing.T) {
	m := shaped("a[4,6]", "y", "to=2,12", node("y = Reshape(a, to)"))
	if got := pass.Shapes(m)["y"]; !slices.Equal(got, []int{2, 12}) {
		t.Errorf("y is %v", got)
	}
	to := vector("to", 2)
	to.Type.GetTensorType().ElemType = int32(onnxpb.TensorProto_INT64)
	m.Graph.Input = append(m.Graph.Input, to)
	if got, ok := pass.Shapes(m)["y"]; ok {
		t.Errorf("y is %v, by a default", got)
	}
}

// fits compares a shape in which -1 stands for the batch.
func fits(shape []int, got tensor.Shape, batch int) bool {
	return slices.EqualFunc(shape, got, func(a, b int) bool { return a == b || a == -1 && b == batch })
}

// TestShapesOfStep: the same for all arrays of a training step.
func TestShapesOfStep(t *testing.T) {
	_, m := join(t, mustPlan(t, dcgan(), 3))
	if err := pass.Fast(m); err != nil {
		t.Fatal(err)
	}
	shapes := pass.Shapes(m)
	all := clone(m)
	all.Graph.Output, all.Graph.ValueInfo = nil, nil
	for _, n := range m.Graph.Node {
		if slices.Contains([]string{"Greater", "Cast"}, n.OpType) {
			continue // not float32
		}
		if shapes[n.Output[0]] == nil {
			t.Errorf("%s (%s) has no shape", n.Name, n.OpType)
		}
		v := vector(n.Output[0])
		if len(shapes[n.Output[0]]) > 0 { // a scalar has to say so
			v.Type.GetTensorType().Shape = nil
		}
		all.Graph.Output = append(all.Graph.Output, v)
	}
	_, in := feeds(mustPlan(t, dcgan(), 3))
	maps.Copy(in, midway(t, dcgan()))
	for name, v := range run(t, all, only(all, in)) {
		if fmt.Sprint(shapes[name]) != fmt.Sprint([]int(v.Shape())) {
			t.Errorf("%s: %v, on ONNX Runtime %v", name, shapes[name], v.Shape())
		}
	}
}
