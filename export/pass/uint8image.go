package pass

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// The notes in a model's metadata that tell the range of a picture's values.
const (
	metadataMin = "gan.value.min"
	metadataMax = "gan.value.max"
)

// Uint8Image makes the output "image" [batch, channels, height, width] one of
// bytes, 0 for the least value that the model's metadata names and 255 for the
// largest, rounded to the nearest; with nhwc it is [batch, height, width,
// channels], as picture libraries have it. The metadata then says 0 and 255.
func Uint8Image(m *onnxpb.ModelProto, nhwc bool) error {
	at := slices.IndexFunc(m.Graph.Output, func(v *onnxpb.ValueInfoProto) bool { return v.Name == "image" })
	if at < 0 || len(m.Graph.Output[at].Type.GetTensorType().GetShape().GetDim()) != 4 {
		return fmt.Errorf(`uint8 image: the model has no output "image" of four axes`)
	}
	if kind := onnxpb.TensorProto_DataType(m.Graph.Output[at].Type.GetTensorType().GetElemType()); kind != onnxpb.TensorProto_FLOAT {
		return fmt.Errorf(`uint8 image: the output "image" is of %v, want FLOAT`, kind)
	}
	range_, err := pictureRange(m)
	if err != nil {
		return fmt.Errorf("uint8 image: %w", err)
	}
	e := newEditor(m.Graph)
	producer := e.producers["image"]
	if producer == nil {
		return fmt.Errorf(`uint8 image: no node computes the output "image"`)
	}
	for _, p := range m.MetadataProps {
		switch p.Key {
		case metadataMin:
			p.Value = "0"
		case metadataMax:
			p.Value = "255"
		}
	}
	x := e.values.claim("image/float")
	producer.Output[0] = x
	for _, n := range m.Graph.Node {
		for i, name := range n.Input {
			if name == "image" {
				n.Input[i] = x
			}
		}
	}
	then := func(opType, to string, inputs []string, a ...*onnxpb.AttributeProto) string {
		if to == "" {
			to = e.values.claim("image/" + opType)
		}
		m.Graph.Node = append(m.Graph.Node, &onnxpb.NodeProto{
			Name: e.nodes.claim("image/" + opType), OpType: opType, Input: inputs, Output: []string{to}, Attribute: a,
		})
		return to
	}
	scale := 255 / (range_[1] - range_[0])
	x = then("Mul", "", []string{x, e.addFloats("image/scale", []float64{scale})})
	x = then("Add", "", []string{x, e.addFloats("image/shift", []float64{0.5 - range_[0]*scale})})
	x = then("Clip", "", []string{x, e.addFloats("image/min", []float64{0}), e.addFloats("image/max", []float64{255})})
	if nhwc {
		x = then("Transpose", "", []string{x}, intsOf("perm", 0, 2, 3, 1))
	}
	then("Cast", "image", []string{x}, intOf("to", int(onnxpb.TensorProto_UINT8))) // which drops the fraction
	array := m.Graph.Output[at].Type.GetTensorType()
	array.ElemType = int32(onnxpb.TensorProto_UINT8)
	if nhwc {
		d := array.Shape.Dim
		array.Shape.Dim = []*onnxpb.TensorShapeProto_Dimension{d[0], d[2], d[3], d[1]}
	}
	return nil
}

// pictureRange is the least and the largest value of a picture, by the metadata.
func pictureRange(m *onnxpb.ModelProto) (r [2]float64, err error) {
	for i, key := range []string{metadataMin, metadataMax} {
		at := slices.IndexFunc(m.MetadataProps, func(p *onnxpb.StringStringEntryProto) bool { return p.Key == key })
		if at < 0 {
			return r, fmt.Errorf("the model's metadata has no %s", key)
		}
		if r[i], err = strconv.ParseFloat(m.MetadataProps[at].Value, 64); err != nil {
			return r, fmt.Errorf("metadata %s is %.40q, want a number", key, m.MetadataProps[at].Value)
		}
	}
	return r, nil
}
