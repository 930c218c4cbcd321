package ort

import "fmt"

// rowMajor returns the elements of an array in row-major order: data itself if
// they lie so, else a copy.
//
// tensor's own Materialize is not used because it takes the strides of a slice
// of a transpose, and of a Fortran-order array, for row-major ones.
func rowMajor[T any](data []T, shape, strides []int) ([]T, error) {
	if len(strides) != len(shape) {
		return nil, fmt.Errorf("an array with shape %v and strides %v cannot be read", shape, strides)
	}
	size, last, inOrder := 1, 0, true
	for i := len(shape) - 1; i >= 0; i-- {
		inOrder = inOrder && (strides[i] == size || shape[i] == 1)
		size *= shape[i]
		last += (shape[i] - 1) * strides[i]
	}
	if last >= len(data) {
		return nil, fmt.Errorf("an array with shape %v and strides %v has only %d elements", shape, strides, len(data))
	}
	if inOrder {
		return data[:size], nil
	}
	out := make([]T, size)
	index := make([]int, len(shape))
	offset := 0
	for n := range out {
		out[n] = data[offset]
		for i := len(index) - 1; i >= 0; i-- {
			offset += strides[i]
			if index[i]++; index[i] < shape[i] {
				break
			}
			offset -= index[i] * strides[i]
			index[i] = 0
		}
	}
	return out, nil
}
