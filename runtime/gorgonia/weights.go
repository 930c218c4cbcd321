package gorgonia

import (
	"encoding/binary"
	"fmt"
	"math"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// dtypes are the element types of weights.
var dtypes = map[onnxpb.TensorProto_DataType]tensor.Dtype{
	onnxpb.TensorProto_FLOAT:  tensor.Float32,
	onnxpb.TensorProto_DOUBLE: tensor.Float64,
	onnxpb.TensorProto_INT32:  tensor.Int32,
	onnxpb.TensorProto_INT64:  tensor.Int64,
	onnxpb.TensorProto_UINT8:  tensor.Uint8,
	onnxpb.TensorProto_BOOL:   tensor.Bool,
}

// elementSize is the size in bytes of an element in raw data.
func elementSize(dtype tensor.Dtype) int { return int(dtype.Size()) }

// weights reads a model's initialisers.
type weights struct{ onnxpb.Files }

// read checks that all the elements are there before it makes room for them.
func (w *weights) read(t *onnxpb.TensorProto) (array, error) {
	dtype, ok := dtypes[onnxpb.TensorProto_DataType(t.DataType)]
	if !ok {
		return array{}, fmt.Errorf("elements of type %v: want float32, float64, int32, int64, uint8 or bool", onnxpb.TensorProto_DataType(t.DataType))
	}
	a := array{dtype: dtype, shape: make([]int, len(t.Dims))}
	for i, d := range t.Dims {
		if d < 0 || d > math.MaxInt32 {
			return a, fmt.Errorf("an axis of %d", d)
		}
		a.shape[i] = int(d)
	}
	n, err := sizeOf(a.shape)
	if err != nil {
		return a, err
	}
	raw := t.RawData
	if t.DataLocation == onnxpb.TensorProto_EXTERNAL {
		if raw, err = w.Read(t, int64(n)*int64(elementSize(dtype))); err != nil {
			return a, err
		}
	} else if len(raw) == 0 && n > 0 {
		return a, a.fromFields(t, n)
	}
	if len(raw) != n*elementSize(dtype) {
		return a, fmt.Errorf("%d bytes of data, want %d for %v", len(raw), n*elementSize(dtype), a)
	}
	return a, a.fromBytes(raw, n)
}

// fromFields reads data that is stored element by element.
func (a *array) fromFields(t *onnxpb.TensorProto, n int) error {
	have := 0
	switch a.dtype {
	case tensor.Float32:
		have, a.data = len(t.FloatData), t.FloatData
	case tensor.Float64:
		have, a.data = len(t.DoubleData), t.DoubleData
	case tensor.Int64:
		have, a.data = len(t.Int64Data), t.Int64Data
	case tensor.Int32:
		have, a.data = len(t.Int32Data), t.Int32Data
	case tensor.Uint8:
		d := make([]uint8, len(t.Int32Data))
		convertEachByte(d, t.Int32Data)
		have, a.data = len(d), d
	case tensor.Bool:
		d := make([]bool, len(t.Int32Data))
		notZero(d, t.Int32Data)
		have, a.data = len(d), d
	}
	if have != n {
		return fmt.Errorf("%d elements of data, want %d for %v", have, n, *a)
	}
	return nil
}

func convertEachByte(y []uint8, x []int32) {
	for i, v := range x {
		y[i] = uint8(v)
	}
}

// fromBytes reads little-endian data of the right size.
func (a *array) fromBytes(raw []byte, n int) (err error) {
	if a.data, err = zeros(a.dtype, n); err != nil {
		return err
	}
	if d, ok := a.data.([]bool); ok {
		notZero(d, raw)
		return nil
	}
	_, err = binary.Decode(raw, binary.LittleEndian, a.data)
	return err
}
