package gorgonia

import (
	"fmt"
	"reflect"
	"slices"

	"gorgonia.org/tensor"
)

// number is an element type that is computed with.
type number interface {
	float32 | float64 | int32 | int64
}

// array is a value whose elements are known or, with data nil, only its type and
// shape. tensor.Dense has no arrays of size 0, and a list of axes may be one.
type array struct {
	dtype tensor.Dtype
	shape []int
	data  any // a slice of the element type, row by row
}

func (a array) size() int {
	n := 1
	for _, d := range a.shape {
		n *= d
	}
	return n
}

func (a array) String() string { return fmt.Sprintf("%v %v", a.dtype, a.shape) }

// newArray allocates zeros.
func newArray(dtype tensor.Dtype, shape []int) (array, error) {
	a := array{dtype: dtype, shape: shape}
	var err error
	a.data, err = zeros(dtype, a.size())
	return a, err
}

func zeros(dtype tensor.Dtype, n int) (any, error) {
	switch dtype {
	case tensor.Float32:
		return make([]float32, n), nil
	case tensor.Float64:
		return make([]float64, n), nil
	case tensor.Int32:
		return make([]int32, n), nil
	case tensor.Int64:
		return make([]int64, n), nil
	case tensor.Uint8:
		return make([]uint8, n), nil
	case tensor.Bool:
		return make([]bool, n), nil
	}
	return nil, fmt.Errorf("elements of type %v", dtype)
}

// dense returns a copy as tensor's array.
func (a array) dense() (*tensor.Dense, error) {
	if a.size() == 0 {
		return nil, fmt.Errorf("an array of shape %v has no elements", a.shape)
	}
	y, err := newArray(a.dtype, a.shape)
	if err != nil {
		return nil, err
	}
	copyBlocks(y.data, 0, 0, a.data, 0, 0, a.size(), 1)
	return y.shared(), nil
}

// shared is an array, not of size 0, as tensor's, in the same memory.
func (a array) shared() *tensor.Dense {
	if len(a.shape) == 0 {
		return tensor.New(tensor.FromScalar(reflect.ValueOf(a.data).Index(0).Interface()))
	}
	return tensor.New(tensor.WithShape(a.shape...), tensor.WithBacking(a.data))
}

// ints are the elements of a known list of whole numbers: axes, a shape.
func (a array) ints() ([]int, error) {
	if len(a.shape) > 1 {
		return nil, fmt.Errorf("an array of shape %v, want a list of whole numbers", a.shape)
	}
	switch d := a.data.(type) {
	case []int64:
		return toInts(d), nil
	case []int32:
		return toInts(d), nil
	case nil:
		return nil, fmt.Errorf("a list that depends on the inputs' values, want a constant")
	}
	return nil, fmt.Errorf("a list of %v, want whole numbers", a.dtype)
}

func toInts[T int32 | int64](d []T) []int {
	out := make([]int, len(d))
	for i, v := range d {
		out[i] = int(v)
	}
	return out
}

// maxNumbers bounds the elements of an array, and of all arrays of a run.
const maxNumbers = 1 << 28

// sizeOf is the product of a shape's axes, or an error where it is too large.
func sizeOf(shape []int) (int, error) {
	n := 1
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("an axis of %d in %v", d, shape)
		}
		if d > 0 && n > maxNumbers/d {
			n = maxNumbers + 1
		} else {
			n *= d
		}
	}
	if n > maxNumbers {
		return 0, fmt.Errorf("an array of shape %v has more than %d elements", shape, maxNumbers)
	}
	return n, nil
}

// axisOf turns an axis that may count from the end into one that doesn't.
func axisOf(axis, rank int) (int, error) {
	if axis < -rank || axis >= rank {
		return 0, fmt.Errorf("axis %d of an array with %d axes", axis, rank)
	}
	if axis < 0 {
		axis += rank
	}
	return axis, nil
}

// stridesOf are the distances in elements between neighbours along each axis.
func stridesOf(shape []int) []int {
	s, n := make([]int, len(shape)), 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = n
		n *= shape[i]
	}
	return s
}

// walk calls f for each row of the last axis of an array: with where it begins
// in the array, and in others that are stepped through by strides of their own.
func walk(shape []int, strides [][]int, offsets []int, f func(at int, offsets []int, n int)) {
	total := 1
	for _, d := range shape {
		total *= d
	}
	if total == 0 {
		return
	}
	offsets = slices.Clone(offsets)
	if len(shape) == 0 {
		f(0, offsets, 1)
		return
	}
	last := len(shape) - 1
	n := shape[last]
	index := make([]int, last)
	for at := 0; at < total; at += n {
		f(at, offsets, n)
		for i := last - 1; i >= 0; i-- {
			for k := range offsets {
				offsets[k] += strides[k][i]
			}
			if index[i]++; index[i] < shape[i] {
				break
			}
			for k := range offsets {
				offsets[k] -= strides[k][i] * index[i]
			}
			index[i] = 0
		}
	}
}

// gatherStrided fills y from x, stepped through from offset by strides.
func gatherStrided(y, x array, offset int, strides []int) {
	switch d := x.data.(type) {
	case []float32:
		copyStrided(y.data.([]float32), d, y.shape, offset, strides)
	case []float64:
		copyStrided(y.data.([]float64), d, y.shape, offset, strides)
	case []int32:
		copyStrided(y.data.([]int32), d, y.shape, offset, strides)
	case []int64:
		copyStrided(y.data.([]int64), d, y.shape, offset, strides)
	case []uint8:
		copyStrided(y.data.([]uint8), d, y.shape, offset, strides)
	case []bool:
		copyStrided(y.data.([]bool), d, y.shape, offset, strides)
	}
}

func copyStrided[T any](y, x []T, shape []int, offset int, strides []int) {
	step := 0
	if len(shape) > 0 {
		step = strides[len(shape)-1]
	}
	walk(shape, [][]int{strides}, []int{offset}, func(at int, offsets []int, n int) {
		from := offsets[0]
		if step == 1 {
			copy(y[at:at+n], x[from:])
			return
		}
		for i := range n {
			y[at+i] = x[from+i*step]
		}
	})
}

// copyBlocks copies count blocks of size elements, from x, which has one every
// stepX elements, to y, which has one every stepY.
func copyBlocks(y any, atY, stepY int, x any, atX, stepX, size, count int) {
	switch x := x.(type) {
	case []float32:
		blocks(y.([]float32), atY, stepY, x, atX, stepX, size, count)
	case []float64:
		blocks(y.([]float64), atY, stepY, x, atX, stepX, size, count)
	case []int32:
		blocks(y.([]int32), atY, stepY, x, atX, stepX, size, count)
	case []int64:
		blocks(y.([]int64), atY, stepY, x, atX, stepX, size, count)
	case []uint8:
		blocks(y.([]uint8), atY, stepY, x, atX, stepX, size, count)
	case []bool:
		blocks(y.([]bool), atY, stepY, x, atX, stepX, size, count)
	}
}

func blocks[T any](y []T, atY, stepY int, x []T, atX, stepX, size, count int) {
	for range count {
		copy(y[atY:atY+size], x[atX:atX+size])
		atY, atX = atY+stepY, atX+stepX
	}
}

// truth is 1 or 0.
func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// convert turns elements into another type. Whole numbers stay exact.
func convert(y, x array) error {
	switch out := y.data.(type) {
	case []float32:
		return convertTo(out, x)
	case []float64:
		return convertTo(out, x)
	case []int32:
		return convertTo(out, x)
	case []int64:
		return convertTo(out, x)
	case []bool:
		switch in := x.data.(type) {
		case []float32:
			notZero(out, in)
		case []float64:
			notZero(out, in)
		case []int32:
			notZero(out, in)
		case []int64:
			notZero(out, in)
		case []uint8:
			notZero(out, in)
		case []bool:
			copy(out, in)
		}
		return nil
	}
	return fmt.Errorf("can't convert to %v", y.dtype)
}

func notZero[T number | uint8](y []bool, x []T) {
	for i, v := range x {
		y[i] = v != 0
	}
}

func convertTo[T number](y []T, x array) error {
	switch in := x.data.(type) {
	case []float32:
		convertEach(y, in)
	case []float64:
		convertEach(y, in)
	case []int32:
		convertEach(y, in)
	case []int64:
		convertEach(y, in)
	case []uint8:
		convertEach(y, in)
	case []bool:
		for i, v := range in {
			y[i] = T(truth(v))
		}
	default:
		return fmt.Errorf("can't convert from %v", x.dtype)
	}
	return nil
}

func convertEach[T number, S number | uint8](y []T, x []S) {
	for i, v := range x {
		y[i] = T(v)
	}
}
