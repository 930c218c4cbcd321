package ort

import (
	"fmt"
	"slices"
	"unsafe"

	onnx "github.com/yalue/onnxruntime_go"
	"gorgonia.org/tensor"
)

// A kind carries arrays of one element type to ONNX Runtime and back.
type kind struct {
	toValue     func(*tensor.Dense) (onnx.Value, error)
	fromValue   func(onnx.Value) (*tensor.Dense, bool) // false if v is of another type
	emptyScalar func() (onnx.Value, error)
	zeros       func(shape []int) *tensor.Dense // aligned for ONNX Runtime
}

// kinds are the element types that both sides know.
var kinds = map[tensor.Dtype]kind{
	tensor.Float32: kindOf[float32](),
	tensor.Float64: kindOf[float64](),
	tensor.Int32:   kindOf[int32](),
	tensor.Int64:   kindOf[int64](),
	tensor.Uint8:   kindOf[uint8](),
	tensor.Bool:    kindOf[bool](),
}

// Supported tells whether arrays of this element type can go in and out.
func Supported(d tensor.Dtype) bool {
	_, ok := kinds[d]
	return ok
}

func kindOf[T onnx.TensorData]() kind {
	return kind{
		toValue: func(d *tensor.Dense) (onnx.Value, error) {
			if d.IsScalar() {
				return value(onnx.NewScalar(d.ScalarValue().(T)))
			}
			elements, err := rowMajor(d.Data().([]T), d.Shape(), d.Strides())
			if err != nil {
				return nil, err
			}
			shape := make(onnx.Shape, d.Dims())
			for i, n := range d.Shape() {
				shape[i] = int64(n)
			}
			return value(onnx.NewTensor(shape, elements))
		},
		fromValue: func(v onnx.Value) (*tensor.Dense, bool) {
			switch v := v.(type) {
			case *onnx.Scalar[T]:
				return tensor.New(tensor.FromScalar(v.GetData())), true
			case *onnx.Tensor[T]:
				shape := make([]int, len(v.GetShape()))
				for i, n := range v.GetShape() {
					shape[i] = int(n)
				}
				// The binding has made this Go slice for the value alone, so
				// it can be kept when the value goes.
				return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v.GetData())), true
			}
			return nil, false
		},
		emptyScalar: func() (onnx.Value, error) { return value(onnx.NewEmptyScalar[T]()) },
		zeros: func(shape []int) *tensor.Dense {
			if len(shape) == 0 {
				return tensor.New(tensor.FromScalar(*new(T)))
			}
			return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(aligned[T](tensor.Shape(shape).TotalSize())))
		},
	}
}

// alignment in bytes is what ONNX Runtime gives its own arrays: a line of the
// cache, which is also the widest vector of a CPU.
const alignment = 64

// aligned returns n zeros, the first of them at a multiple of alignment.
func aligned[T any](n int) []T {
	size := int(unsafe.Sizeof(*new(T)))
	all := make([]T, n+alignment/size-1)
	start := 0
	if past := int(uintptr(unsafe.Pointer(unsafe.SliceData(all))) % alignment); past > 0 {
		start = (alignment - past) / size
	}
	return all[start : start+n : start+n]
}

// inPlace tells whether ONNX Runtime can work on an array where it lies, and as
// well as on one of aligned elements.
func inPlace(d *tensor.Dense) bool {
	return !d.IsScalar() && slices.Equal(d.Strides(), d.Shape().CalcStrides()) && d.Uintptr()%alignment == 0
}

// value keeps a nil pointer from becoming a Value that is not nil.
func value[V onnx.Value](v V, err error) (onnx.Value, error) {
	if err != nil {
		return nil, oneLine(err)
	}
	return v, nil
}

// toValue wraps d, whose elements stay where they are if they lie in row-major
// order.
func toValue(d *tensor.Dense) (onnx.Value, error) {
	k, ok := kinds[d.Dtype()]
	if !ok {
		return nil, fmt.Errorf("arrays of %v cannot be given to ONNX Runtime", d.Dtype())
	}
	return k.toValue(d)
}

func fromValue(v onnx.Value) (*tensor.Dense, error) {
	if slices.Contains(v.GetShape(), 0) {
		return nil, fmt.Errorf("shape %v has no elements", v.GetShape())
	}
	for _, k := range kinds {
		if d, ok := k.fromValue(v); ok {
			return d, nil
		}
	}
	return nil, fmt.Errorf("its type (ONNX type %d) has no counterpart here", v.DataType())
}

func emptyScalar(d tensor.Dtype) (onnx.Value, error) {
	k, ok := kinds[d]
	if !ok {
		return nil, fmt.Errorf("arrays of %v cannot come from ONNX Runtime", d)
	}
	return k.emptyScalar()
}
