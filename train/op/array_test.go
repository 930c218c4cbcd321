package op_test

import (
	"fmt"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// array is what the naive loops compute with, row by row.
type array struct {
	shape []int // empty: a scalar
	data  []float64
}

func newArray(shape ...int) array {
	size := 1
	for _, d := range shape {
		size *= d
	}
	return array{shape, make([]float64, size)}
}

func (a array) index(place []int) int {
	i := 0
	for axis, p := range place {
		i = i*a.shape[axis] + p
	}
	return i
}

func (a array) at(place ...int) float64     { return a.data[a.index(place)] }
func (a array) add(v float64, place ...int) { a.data[a.index(place)] += v }
func (a array) mapped(f func(i int) float64) array {
	y := newArray(a.shape...)
	for i := range y.data {
		y.data[i] = f(i)
	}
	return y
}

// dense turns an array into a tensor of the given type.
func (a array) dense(dt tensor.Dtype) *tensor.Dense {
	var backing any
	switch dt {
	case tensor.Float64:
		backing = append([]float64(nil), a.data...)
	case tensor.Float32:
		backing = convert[float32](a.data)
	case tensor.Uint8:
		backing = convert[uint8](a.data)
	case tensor.Int64:
		backing = convert[int64](a.data)
	}
	if len(a.shape) == 0 {
		v := tensor.New(tensor.WithShape(1), tensor.WithBacking(backing))
		return tensor.New(tensor.FromScalar(v.Get(0)))
	}
	return tensor.New(tensor.WithShape(a.shape...), tensor.WithBacking(backing))
}

func convert[T float32 | uint8 | int64](data []float64) []T {
	out := make([]T, len(data))
	for i, v := range data {
		out[i] = T(v)
	}
	return out
}

// toArray copies a value.
func toArray(t testing.TB, v gorgonia.Value) array {
	t.Helper()
	a := array{shape: append([]int{}, v.Shape()...)}
	switch d := v.Data().(type) {
	case []float64:
		a.data = append(a.data, d...)
	case []float32:
		for _, x := range d {
			a.data = append(a.data, float64(x))
		}
	case []uint8:
		for _, x := range d {
			a.data = append(a.data, float64(x))
		}
	case float64:
		a.data = []float64{d}
	case float32:
		a.data = []float64{float64(d)}
	default:
		t.Fatalf("a value of type %T", d)
	}
	return a
}

// bytesOf prints a value exactly, to compare two of them.
func bytesOf(v gorgonia.Value) string { return fmt.Sprintf("%v %x", v.Shape(), v.Data()) }
