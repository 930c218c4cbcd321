package gorgonia

import (
	"fmt"
	"math"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// Operators that compute each element from those at its place, with
// multidirectional broadcasting as ONNX and NumPy have it:
// https://github.com/onnx/onnx/blob/main/docs/Broadcasting.md

func add[T number](a, b T) T     { return a + b }
func sub[T number](a, b T) T     { return a - b }
func mul[T number](a, b T) T     { return a * b }
func div[T number](a, b T) T     { return a / b }
func less[T number](a, b T) bool { return a < b }
func neg[T number](a T) T        { return -a }
func sqrt[T number](a T) T       { return T(math.Sqrt(float64(a))) }

var addition = arithmetic("Add", add[float32], add[float64], add[int32], add[int64])

// arithmetic is a binary operator, written for every type of number.
func arithmetic[F32, F64, I32, I64 any](name string,
	f32 func(a, b float32) F32, f64 func(a, b float64) F64, i32 func(a, b int32) I32, i64 func(a, b int64) I64,
) func(*attributes) builder {
	return func(*attributes) builder {
		return func(c *compiler, in []operand) (operand, error) {
			a, b := in[0], in[1]
			if a.dtype != b.dtype {
				return operand{}, fmt.Errorf("operands of %v and of %v, want one type", a.dtype, b.dtype)
			}
			shape, err := broadcastShape(a.shape, b.shape)
			if err != nil {
				return operand{}, err
			}
			p := plan{shape: shape}
			switch a.dtype {
			case tensor.Float32:
				p.dtype, p.compute = pairs(f32, shape, a.shape, b.shape)
			case tensor.Float64:
				p.dtype, p.compute = pairs(f64, shape, a.shape, b.shape)
			case tensor.Int32:
				p.dtype, p.compute = pairs(i32, shape, a.shape, b.shape)
			case tensor.Int64:
				p.dtype, p.compute = pairs(i64, shape, a.shape, b.shape)
			default:
				return operand{}, fmt.Errorf("operands of %v, want numbers", a.dtype)
			}
			return c.emit(name, p, a, b)
		}
	}
}

func broadcastShape(a, b []int) ([]int, error) {
	y := make([]int, max(len(a), len(b)))
	for i := range y {
		da, db := 1, 1
		if k := i - len(y) + len(a); k >= 0 {
			da = a[k]
		}
		if k := i - len(y) + len(b); k >= 0 {
			db = b[k]
		}
		switch {
		case da == db || db == 1:
			y[i] = da
		case da == 1:
			y[i] = db
		default:
			return nil, fmt.Errorf("shapes %v and %v can't be broadcast", a, b)
		}
	}
	return y, nil
}

// repeated are the strides by which an array of a shape is stepped through where
// it is broadcast to rank axes.
func repeated(shape []int, rank int) []int {
	s := make([]int, rank)
	for i, stride := range stridesOf(shape) {
		if shape[i] != 1 {
			s[rank-len(shape)+i] = stride
		}
	}
	return s
}

func pairs[T, U any](f func(a, b T) U, shape, shapeA, shapeB []int) (tensor.Dtype, func(y array, in []array) error) {
	strides := [][]int{repeated(shapeA, len(shape)), repeated(shapeB, len(shape))}
	stepA, stepB := 0, 0
	if last := len(shape) - 1; last >= 0 {
		stepA, stepB = strides[0][last], strides[1][last]
	}
	return dtypeOf[U](), func(y array, in []array) error {
		out, a, b := y.data.([]U), in[0].data.([]T), in[1].data.([]T)
		walk(shape, strides, []int{0, 0}, func(at int, offsets []int, n int) {
			i, k := offsets[0], offsets[1]
			for j := range n {
				out[at+j] = f(a[i], b[k])
				i, k = i+stepA, k+stepB
			}
		})
		return nil
	}
}

func dtypeOf[T any]() tensor.Dtype {
	var zero T
	switch any(zero).(type) {
	case float32:
		return tensor.Float32
	case float64:
		return tensor.Float64
	case int32:
		return tensor.Int32
	case int64:
		return tensor.Int64
	}
	return tensor.Bool
}

// unary is an operator of one operand; nil where it has no such type.
func unary(name string, f32 func(float32) float32, f64 func(float64) float64, i32 func(int32) int32, i64 func(int64) int64) func(*attributes) builder {
	return func(*attributes) builder {
		return func(c *compiler, in []operand) (operand, error) {
			x := in[0]
			p := plan{dtype: x.dtype, shape: x.shape}
			switch {
			case x.dtype == tensor.Float32:
				p.compute = each(f32)
			case x.dtype == tensor.Float64:
				p.compute = each(f64)
			case x.dtype == tensor.Int32 && i32 != nil:
				p.compute = each(i32)
			case x.dtype == tensor.Int64 && i64 != nil:
				p.compute = each(i64)
			default:
				return operand{}, fmt.Errorf("an operand of %v is not supported", x.dtype)
			}
			return c.emit(name, p, x)
		}
	}
}

func each[T any](f func(T) T) func(y array, in []array) error {
	return func(y array, in []array) error {
		out := y.data.([]T)
		for i, v := range in[0].data.([]T) {
			out[i] = f(v)
		}
		return nil
	}
}

func not(*attributes) builder {
	return func(c *compiler, in []operand) (operand, error) {
		if in[0].dtype != tensor.Bool {
			return operand{}, fmt.Errorf("an operand of %v, want bool", in[0].dtype)
		}
		return c.emit("Not", plan{tensor.Bool, in[0].shape, each(func(b bool) bool { return !b })}, in[0])
	}
}

// cast converts elements. Attribute saturate matters to 8-bit floats only.
func cast(a *attributes) builder {
	to := onnxpb.TensorProto_DataType(a.int("to", 0))
	a.int("saturate", 1)
	dtype, ok := dtypes[to]
	if !ok || dtype == tensor.Uint8 {
		a.problem("attribute to is %v, want float32, float64, int32, int64 or bool", to)
	}
	return func(c *compiler, in []operand) (operand, error) {
		return c.emit("Cast", plan{dtype, in[0].shape, func(y array, in []array) error { return convert(y, in[0]) }}, in[0])
	}
}
