package pass

import (
	"errors"
	"math"
	"slices"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// ErrNoLargeWeights is what Int8 says of a model that would not be smaller.
var ErrNoLargeWeights = errors.New("int8: no layer has weights worth storing as bytes")

// smallWeight is how many numbers a weight has at least that is worth a node.
const smallWeight = 256

// Int8 stores the weights of Gemm, MatMul, Conv and ConvTranspose as bytes, each
// output channel with a scale of its own, and so a model in a quarter of its size.
// DequantizeLinear makes float32 of them: the arithmetic stays as it is, and any
// runtime that has this operator of opset 13 computes it.
//
//	q = round(w / s),  s = max |w| of the channel / 127
func Int8(m *onnxpb.ModelProto) error {
	e := newEditor(m.Graph)
	var decoded []*onnxpb.NodeProto
	done := map[string]string{}
	for _, n := range m.Graph.Node {
		axis, ok := outputAxis(n)
		if !ok || n.Domain != "" {
			continue
		}
		w := n.Input[1]
		if done[w] == "" {
			v := e.floats(w)
			t := e.weights[w]
			if len(v) < smallWeight || len(t.Dims) <= axis {
				continue
			}
			y := e.values.claim(w + "/float")
			decoded = append(decoded, &onnxpb.NodeProto{
				Name: e.nodes.claim(w + "/DequantizeLinear"), OpType: "DequantizeLinear",
				Input: []string{w, e.quantise(t, v, axis)}, Output: []string{y}, Attribute: []*onnxpb.AttributeProto{intOf("axis", axis)},
			})
			done[w] = y
		}
		n.Input[1] = done[w]
	}
	if len(decoded) == 0 {
		return ErrNoLargeWeights
	}
	for _, n := range m.Graph.Node { // another reader of such weights
		for i, name := range n.Input {
			if y := done[name]; y != "" {
				n.Input[i] = y
			}
		}
	}
	m.Graph.Node = slices.Concat(decoded, m.Graph.Node)
	return nil
}

// outputAxis is the axis of a layer's weights that has its outputs.
func outputAxis(n *onnxpb.NodeProto) (axis int, ok bool) {
	switch n.OpType {
	case "Gemm":
		return 1 - intAttribute(n, "transB", 0), true
	case "MatMul", "ConvTranspose":
		return 1, intAttribute(n, "group", 1) == 1
	case "Conv":
		return 0, true
	}
	return 0, false
}

// quantise gives a weight bytes for numbers, and returns the name of its scales.
func (e *editor) quantise(t *onnxpb.TensorProto, v []float64, axis int) string {
	inner := 1
	for _, d := range t.Dims[axis+1:] {
		inner *= int(d)
	}
	channels := int(t.Dims[axis])
	scales := make([]float64, channels)
	for i, x := range v {
		c := i / inner % channels
		scales[c] = math.Max(scales[c], math.Abs(x)/127)
	}
	raw := make([]byte, len(v))
	for i, x := range v {
		s := &scales[i/inner%channels]
		if *s == 0 {
			*s = 1 // all zeros
		}
		// By the scale as it is stored.
		raw[i] = byte(int8(max(-127, min(127, math.RoundToEven(x/float64(float32(*s)))))))
	}
	t.DataType, t.RawData = int32(onnxpb.TensorProto_INT8), raw
	return e.addFloats(t.Name+"/scale", scales, channels)
}
