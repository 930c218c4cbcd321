package gorgonia

import (
	"fmt"
	"slices"

	"gorgonia.org/tensor"
)

// Operators that move elements and don't change them, and those that compute
// with shapes. None gives an alias of its operand.

func copyAll(y array, in []array) error {
	copyBlocks(y.data, 0, 0, in[0].data, 0, 0, in[0].size(), 1)
	return nil
}

func (c *compiler) reshaped(name string, x operand, shape []int) (operand, error) {
	n, err := sizeOf(shape)
	if err != nil {
		return operand{}, err
	}
	if n != x.size() {
		return operand{}, fmt.Errorf("shape %v can't become %v", x.shape, shape)
	}
	return c.emit(name, plan{x.dtype, shape, copyAll}, x)
}

func identity(*attributes) builder {
	return func(_ *compiler, in []operand) (operand, error) { return in[0], nil }
}

// reshape: -1 stands for what is left, once; 0 for the axis of x at that place,
// unless allowzero is set.
func reshape(a *attributes) builder {
	allowZero := a.int("allowzero", 0)
	if allowZero != 0 && allowZero != 1 {
		a.problem("attribute allowzero is %d, want 0 or 1", allowZero)
	}
	return func(c *compiler, in []operand) (operand, error) {
		shape, err := in[1].ints()
		if err != nil {
			return operand{}, err
		}
		shape = slices.Clone(shape)
		open, known := -1, 1
		for i, d := range shape {
			switch {
			case d == 0 && allowZero == 0:
				if i >= len(in[0].shape) {
					return operand{}, fmt.Errorf("shape %v keeps axis %d of %v", shape, i, in[0].shape)
				}
				shape[i] = in[0].shape[i]
			case d == -1:
				if open >= 0 {
					return operand{}, fmt.Errorf("shape %v leaves two axes open", shape)
				}
				open = i
				continue
			case d < 0 || d > maxNumbers:
				return operand{}, fmt.Errorf("an axis of %d in shape %v", d, shape)
			}
			if known *= shape[i]; known > maxNumbers {
				return operand{}, fmt.Errorf("shape %v can't become %v", in[0].shape, shape)
			}
		}
		if open >= 0 {
			if known == 0 || in[0].size()%known != 0 {
				return operand{}, fmt.Errorf("shape %v can't become %v", in[0].shape, shape)
			}
			shape[open] = in[0].size() / known
		}
		return c.reshaped("Reshape", in[0], shape)
	}
}

func flatten(a *attributes) builder {
	axis := a.int("axis", 1)
	return func(c *compiler, in []operand) (operand, error) {
		x := in[0]
		if axis < -len(x.shape) || axis > len(x.shape) {
			return operand{}, fmt.Errorf("axis %d of an array with %d axes", axis, len(x.shape))
		}
		at := axis
		if at < 0 {
			at += len(x.shape)
		}
		rows, cols := array{shape: x.shape[:at]}.size(), array{shape: x.shape[at:]}.size()
		return c.reshaped("Flatten", x, []int{rows, cols})
	}
}

// axesOf are the axes in an operand, each once and counted from the start.
func axesOf(o operand, rank int) ([]int, error) {
	axes, err := o.ints()
	if err != nil {
		return nil, err
	}
	axes = slices.Clone(axes)
	for i, axis := range axes {
		if axes[i], err = axisOf(axis, rank); err != nil {
			return nil, err
		}
		if slices.Contains(axes[:i], axes[i]) {
			return nil, fmt.Errorf("axis %d is named twice", axes[i])
		}
	}
	return axes, nil
}

func squeeze(*attributes) builder {
	return func(c *compiler, in []operand) (operand, error) {
		x := in[0]
		var axes []int
		if given(in, 1) {
			var err error
			if axes, err = axesOf(in[1], len(x.shape)); err != nil {
				return operand{}, err
			}
		}
		shape := []int{}
		for i, d := range x.shape {
			switch named := slices.Contains(axes, i); {
			case named && d != 1:
				return operand{}, fmt.Errorf("axis %d of %v is not 1", i, x.shape)
			case !named && (given(in, 1) || d != 1):
				shape = append(shape, d)
			}
		}
		return c.reshaped("Squeeze", x, shape)
	}
}

func unsqueeze(*attributes) builder {
	return func(c *compiler, in []operand) (operand, error) {
		x := in[0]
		if len(in[1].shape) == 1 && in[1].shape[0] > maxRank {
			return operand{}, fmt.Errorf("%d axes more, want at most %d", in[1].shape[0], maxRank)
		}
		axes, err := axesOf(in[1], len(x.shape)+in[1].size())
		if err != nil {
			return operand{}, err
		}
		slices.Sort(axes)
		shape := slices.Clone(x.shape)
		for _, axis := range axes {
			shape = slices.Insert(shape, axis, 1)
		}
		return c.reshaped("Unsqueeze", x, shape)
	}
}

// maxRank bounds the axes that a node may add.
const maxRank = 16

func transpose(a *attributes) builder {
	perm := a.ints("perm")
	return func(c *compiler, in []operand) (operand, error) {
		x := in[0]
		order := slices.Clone(perm)
		if order == nil { // reversed
			for i := range x.shape {
				order = append(order, len(x.shape)-1-i)
			}
		}
		if len(order) != len(x.shape) {
			return operand{}, fmt.Errorf("attribute perm is %v for %v", order, x.shape)
		}
		shape, strides, from := make([]int, len(order)), make([]int, len(order)), stridesOf(x.shape)
		for i, axis := range order {
			if axis < 0 || axis >= len(order) || slices.Contains(order[:i], axis) {
				return operand{}, fmt.Errorf("attribute perm is %v, want each axis once", order)
			}
			shape[i], strides[i] = x.shape[axis], from[axis]
		}
		return c.emit("Transpose", plan{x.dtype, shape, func(y array, in []array) error {
			gatherStrided(y, in[0], 0, strides)
			return nil
		}}, x)
	}
}

func concat(a *attributes) builder {
	if _, ok := a.left["axis"]; !ok {
		a.problem("attribute axis is missing")
	}
	along := a.int("axis", 0)
	return func(c *compiler, in []operand) (operand, error) {
		axis, err := axisOf(along, len(in[0].shape))
		if err != nil {
			return operand{}, err
		}
		shape := slices.Clone(in[0].shape)
		for _, x := range in[1:] {
			if x.dtype != in[0].dtype || len(x.shape) != len(shape) {
				return operand{}, fmt.Errorf("operands %v and %v", in[0].array, x.array)
			}
			for i, d := range x.shape {
				if i != axis && d != shape[i] {
					return operand{}, fmt.Errorf("operands %v and %v differ in axis %d, not only in axis %d", in[0].array, x.array, i, axis)
				}
			}
			shape[axis] += x.shape[axis]
		}
		return c.emit("Concat", plan{in[0].dtype, shape, func(y array, in []array) error {
			inner := array{shape: shape[axis+1:]}.size()
			outer := array{shape: shape[:axis]}.size()
			at, row := 0, shape[axis]*inner
			for _, x := range in {
				size := x.shape[axis] * inner
				copyBlocks(y.data, at, row, x.data, 0, size, size, outer)
				at += size
			}
			return nil
		}}, in...)
	}
}

// slice takes places from starts to ends of some axes, by steps that may be
// negative.
func slice(*attributes) builder {
	return func(c *compiler, in []operand) (operand, error) {
		x := in[0]
		lists := make([][]int, 4) // starts, ends, axes, steps
		for i := range lists {
			if !given(in, i+1) {
				continue
			}
			var err error
			if lists[i], err = in[i+1].ints(); err != nil {
				return operand{}, err
			}
		}
		starts, ends, axes, steps := lists[0], lists[1], lists[2], lists[3]
		if !given(in, 3) {
			for i := range starts {
				axes = append(axes, i)
			}
		}
		if !given(in, 4) {
			steps = slices.Repeat([]int{1}, len(starts))
		}
		if len(ends) != len(starts) || len(axes) != len(starts) || len(steps) != len(starts) {
			return operand{}, fmt.Errorf("%d starts, %d ends, %d axes and %d steps, want as many of each", len(starts), len(ends), len(axes), len(steps))
		}
		shape, strides, offset := slices.Clone(x.shape), stridesOf(x.shape), 0
		done := make([]bool, len(shape))
		for i := range starts {
			axis, err := axisOf(axes[i], len(shape))
			if err != nil {
				return operand{}, err
			}
			if done[axis] {
				return operand{}, fmt.Errorf("axis %d is named twice", axis)
			}
			done[axis] = true
			from, n, step, err := places(starts[i], ends[i], steps[i], shape[axis])
			if err != nil {
				return operand{}, err
			}
			offset += from * strides[axis]
			strides[axis] *= step
			shape[axis] = n
		}
		return c.emit("Slice", plan{x.dtype, shape, func(y array, in []array) error {
			gatherStrided(y, in[0], offset, strides)
			return nil
		}}, x)
	}
}

// places are the first place and the number of places that a slice takes of an
// axis of d.
func places(start, end, step, d int) (from, n, by int, err error) {
	if step == 0 {
		return 0, 0, 0, fmt.Errorf("a step of 0")
	}
	// As large as any that matters, so that nothing overflows.
	step = min(max(step, -maxNumbers-1), maxNumbers+1)
	bound := func(v, low, high int) int {
		if v < 0 {
			v = max(v, -2*maxNumbers) + d
		}
		return min(max(v, low), high)
	}
	if step > 0 {
		start, end = bound(start, 0, d), bound(end, 0, d)
		return start, max((end-start+step-1)/step, 0), step, nil
	}
	start, end = bound(start, 0, d-1), bound(end, -1, d-1)
	return max(start, 0), max((start-end-step-1)/-step, 0), step, nil
}

// gather takes places of an axis by indices, which may count from the end:
// x [A..., D, B...], indices [I...] -> y [A..., I..., B...]
func gather(a *attributes) builder {
	along := a.int("axis", 0)
	return func(c *compiler, in []operand) (operand, error) {
		x, indices := in[0], in[1]
		axis, err := axisOf(along, len(x.shape))
		if err != nil {
			return operand{}, err
		}
		if indices.dtype != tensor.Int32 && indices.dtype != tensor.Int64 {
			return operand{}, fmt.Errorf("indices of %v, want int32 or int64", indices.dtype)
		}
		outer, inner := array{shape: x.shape[:axis]}.size(), array{shape: x.shape[axis+1:]}.size()
		size, n := x.shape[axis], indices.size()
		shape := slices.Concat(x.shape[:axis], indices.shape, x.shape[axis+1:])
		return c.emit("Gather", plan{x.dtype, shape, func(y array, in []array) error {
			list, err := array{shape: []int{n}, dtype: indices.dtype, data: in[1].data}.ints()
			if err != nil {
				return err
			}
			for i, index := range list {
				if index < -size || index >= size {
					return fmt.Errorf("index %d is not in [%d, %d)", index, -size, size)
				}
				if index < 0 {
					index += size
				}
				copyBlocks(y.data, i*inner, n*inner, in[0].data, index*inner, size*inner, inner, outer)
			}
			return nil
		}}, x, indices)
	}
}

// shape gives the axes start to end of its operand's shape.
func shape(a *attributes) builder {
	start, end := a.int("start", 0), a.int("end", maxAttribute)
	return func(_ *compiler, in []operand) (operand, error) {
		x := in[0].shape
		from, n, _, err := places(start, end, 1, len(x))
		if err != nil {
			return operand{}, err
		}
		list := make([]int64, n)
		for i := range list {
			list[i] = int64(x[from+i])
		}
		return operand{array: array{tensor.Int64, []int{n}, list}}, nil
	}
}

// maxRange is the longest list that Range may give: it is for axes and places.
const maxRange = 1 << 20

// sequence is Range, of whole numbers.
func sequence(*attributes) builder {
	return func(c *compiler, in []operand) (operand, error) {
		var v [3]int // start, limit, step
		for i, o := range in {
			list, err := o.ints()
			if err != nil {
				return operand{}, err
			}
			if len(list) != 1 || o.dtype != in[0].dtype || list[0] < -maxNumbers || list[0] > maxNumbers {
				return operand{}, fmt.Errorf("operand %d is %v %v, want a whole number", i, o.array, list)
			}
			v[i] = list[0]
		}
		if v[2] == 0 {
			return operand{}, fmt.Errorf("a step of 0")
		}
		n := max((v[1]-v[0]+v[2]-sign(v[2]))/v[2], 0)
		if n > maxRange {
			return operand{}, fmt.Errorf("%d numbers, want at most %d", n, maxRange)
		}
		list := make([]int64, n)
		for i := range list {
			list[i] = int64(v[0] + i*v[2])
		}
		x := array{tensor.Int64, []int{n}, list}
		return c.emit("Range", plan{in[0].dtype, []int{n}, func(y array, _ []array) error { return convert(y, x) }})
	}
}

func sign(n int) int {
	if n < 0 {
		return -1
	}
	return 1
}
