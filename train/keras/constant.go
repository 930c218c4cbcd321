package keras

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// constant is an array of a graph that does not depend on its inputs, or on
// nothing of them but the batch size. One of floats and ints is in use.
type constant struct {
	dims   []int
	floats []float32
	ints   []int64 // batchSize stands for the size of the batch
	node   *onnxpb.NodeProto
	// flipped are the axes that the exporter's own nodes have reversed.
	flipped []bool
}

// batchSize is among the numbers of a shape where the batch's size would be.
const batchSize = math.MinInt64 + 1

func (c *constant) size() int { return size(c.dims) }

func size(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

// symbolic reports whether the constant holds the batch's size, which can be
// passed on but not reckoned with.
func (c *constant) symbolic() bool { return slices.Contains(c.ints, batchSize) }

// with returns a constant of the same kind and other contents.
func (c *constant) with(dims []int) *constant {
	out := &constant{dims: dims}
	if c.floats != nil {
		out.floats = make([]float32, size(dims))
	} else {
		out.ints = make([]int64, size(dims))
	}
	return out
}

// pick sets element i to element j of another constant of the same kind.
func (c *constant) pick(i int, from *constant, j int) {
	if c.floats != nil {
		c.floats[i] = from.floats[j]
	} else {
		c.ints[i] = from.ints[j]
	}
}

// tensorConstant reads an initializer, whose numbers lie in the file.
func tensorConstant(t *onnxpb.TensorProto) (*constant, error) {
	if len(t.Dims) > maxAxes {
		return nil, fmt.Errorf("has %d axes", len(t.Dims))
	}
	c := &constant{dims: []int{}}
	const most = 1 << 30
	for _, d := range t.Dims {
		if d < 1 || d > most/int64(c.size()) {
			return nil, fmt.Errorf("shape %v is empty or holds more than %d numbers", t.Dims, most)
		}
		c.dims = append(c.dims, int(d))
	}
	n := c.size()
	kind := onnxpb.TensorProto_DataType(t.DataType)
	width, ok := map[onnxpb.TensorProto_DataType]int{onnxpb.TensorProto_FLOAT: 4, onnxpb.TensorProto_INT32: 4, onnxpb.TensorProto_INT64: 8}[kind]
	if !ok {
		return nil, fmt.Errorf("holds %v, want FLOAT, INT32 or INT64", kind)
	}
	have := map[onnxpb.TensorProto_DataType]int{
		onnxpb.TensorProto_FLOAT: len(t.FloatData), onnxpb.TensorProto_INT32: len(t.Int32Data), onnxpb.TensorProto_INT64: len(t.Int64Data),
	}[kind]
	if raw := t.RawData; raw != nil {
		have = len(raw) / width
		if len(raw)%width != 0 {
			have = -1
		}
	}
	if have != n {
		return nil, fmt.Errorf("holds other than the %d numbers of shape %v", n, t.Dims)
	}
	switch {
	case kind == onnxpb.TensorProto_FLOAT && t.RawData == nil:
		c.floats = t.FloatData
	case kind == onnxpb.TensorProto_FLOAT:
		c.floats = make([]float32, n)
		for i := range c.floats {
			c.floats[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.RawData[4*i:]))
		}
	case kind == onnxpb.TensorProto_INT64 && t.RawData == nil:
		c.ints = t.Int64Data
	default:
		c.ints = make([]int64, n)
		for i := range c.ints {
			switch {
			case kind == onnxpb.TensorProto_INT64:
				c.ints[i] = int64(binary.LittleEndian.Uint64(t.RawData[8*i:]))
			case t.RawData != nil:
				c.ints[i] = int64(int32(binary.LittleEndian.Uint32(t.RawData[4*i:])))
			default:
				c.ints[i] = int64(t.Int32Data[i])
			}
		}
	}
	for _, v := range c.floats {
		if v != v || math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("holds %v, want finite numbers", v)
		}
	}
	return c, nil
}

func shapeConstant(dims []int) *constant {
	c := &constant{dims: []int{len(dims)}, ints: []int64{}}
	for _, d := range dims {
		c.ints = append(c.ints, int64(d))
	}
	return c
}

// transposed puts the axes in another order: axis i is axis perm[i] of before.
func (c *constant) transposed(perm []int) *constant {
	dims := make([]int, len(perm))
	for i, p := range perm {
		dims[i] = c.dims[p]
	}
	out := c.with(dims)
	for i, j := range permuted(c.dims, perm) {
		out.pick(i, c, j)
	}
	if c.flipped != nil {
		for _, p := range perm {
			out.flipped = append(out.flipped, c.flipped[p])
		}
	}
	return out
}

// permuted gives, for each element of an array whose axes have been put in
// another order, where it lay before.
func permuted(dims, perm []int) []int {
	strides := make([]int, len(dims))
	stride := 1
	for i, d := range slices.Backward(dims) {
		strides[i] = stride
		stride *= d
	}
	from := make([]int, 0, stride)
	var walk func(axis, at int)
	walk = func(axis, at int) {
		if axis == len(perm) {
			from = append(from, at)
			return
		}
		for i := range dims[perm[axis]] {
			walk(axis+1, at+i*strides[perm[axis]])
		}
	}
	walk(0, 0)
	return from
}

// taken returns chosen places along an axis.
func (c *constant) taken(axis int, places []int64, dims []int) *constant {
	out := c.with(slices.Concat(c.dims[:axis], dims, c.dims[axis+1:]))
	inner := size(c.dims[axis+1:])
	i := 0
	for outer := range size(c.dims[:axis]) {
		for _, p := range places {
			for k := range inner {
				out.pick(i, c, (outer*c.dims[axis]+int(p))*inner+k)
				i++
			}
		}
	}
	return out
}

// reversed runs an axis backwards.
func (c *constant) reversed(axis int) *constant {
	places := make([]int64, c.dims[axis])
	for i := range places {
		places[i] = int64(len(places) - 1 - i)
	}
	return c.taken(axis, places, []int{len(places)})
}
