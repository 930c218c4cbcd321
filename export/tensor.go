package export

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// elemTypes are the element types that a model of ours can hold.
var elemTypes = map[tensor.Dtype]onnxpb.TensorProto_DataType{
	tensor.Float32: onnxpb.TensorProto_FLOAT,
	tensor.Float64: onnxpb.TensorProto_DOUBLE,
	tensor.Int64:   onnxpb.TensorProto_INT64,
	tensor.Int:     onnxpb.TensorProto_INT64,
	tensor.Uint8:   onnxpb.TensorProto_UINT8,
	tensor.Bool:    onnxpb.TensorProto_BOOL,
}

func elemType(dt tensor.Dtype) onnxpb.TensorProto_DataType { return elemTypes[dt] }

// tensorProto stores an array as little-endian raw data.
func tensorProto(name string, v *tensor.Dense) (*onnxpb.TensorProto, error) {
	t := &onnxpb.TensorProto{Name: name, DataType: int32(elemType(v.Dtype()))}
	if t.DataType == 0 {
		return nil, fmt.Errorf("%s: element type %v has no ONNX form here", name, v.Dtype())
	}
	if !v.DataOrder().IsRowMajor() || v.RequiresIterator() {
		return nil, fmt.Errorf("%s: not stored row by row", name)
	}
	for _, d := range v.Shape() {
		t.Dims = append(t.Dims, int64(d))
	}
	data := v.Data()
	if ints, ok := data.([]int); ok { // of a size that binary.Write leaves open
		wide := make([]int64, len(ints))
		for i, x := range ints {
			wide[i] = int64(x)
		}
		data = wide
	}
	var raw bytes.Buffer
	raw.Grow(v.DataSize() * int(v.Dtype().Size()))
	if err := binary.Write(&raw, binary.LittleEndian, data); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	t.RawData = raw.Bytes()
	return t, nil
}

// dense returns a node's value as an array; a scalar becomes one of shape ().
func dense(v gorgonia.Value) (*tensor.Dense, error) {
	switch v := v.(type) {
	case *tensor.Dense:
		return v, nil
	case gorgonia.Scalar:
		return tensor.New(tensor.FromScalar(v.Data())), nil
	}
	return nil, fmt.Errorf("a value of type %T can't be stored", v)
}
