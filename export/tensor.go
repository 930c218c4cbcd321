package export

import (
	"encoding/binary"
	"fmt"
	"unsafe"

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

// tensorProto stores an array as little-endian raw data, in the array's own memory
// where that is possible.
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
	if ints, ok := data.([]int); ok { // of a size that ONNX leaves open
		wide := make([]int64, len(ints))
		for i, x := range ints {
			wide[i] = int64(x)
		}
		data = wide
	}
	switch data := data.(type) {
	case []float32:
		t.RawData = littleEndian(data)
	case []float64:
		t.RawData = littleEndian(data)
	case []int64:
		t.RawData = littleEndian(data)
	case []uint8:
		t.RawData = data
	default: // a number, or truths
		raw, err := binary.Append(nil, binary.LittleEndian, data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		t.RawData = raw
	}
	return t, nil
}

// littleEndian is the memory of an array where the machine has it as ONNX wants
// it: a copy of all weights would double what writing takes.
func littleEndian[T float32 | float64 | int64](data []T) []byte {
	if len(data) == 0 || binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), len(data)*int(unsafe.Sizeof(*new(T))))
	}
	raw, err := binary.Append(nil, binary.LittleEndian, data)
	if err != nil {
		panic(err) // unreachable: numbers of a fixed size
	}
	return raw
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
