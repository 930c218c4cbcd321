package keras

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// folds are the operators that are computed where all their inputs are
// constants: both exporters leave arithmetic on weights and shapes in the graph.
var folds = map[string]func(n *onnxpb.NodeProto, in []*constant) (*constant, error){
	"Identity":  func(_ *onnxpb.NodeProto, in []*constant) (*constant, error) { return in[0], nil },
	"Cast":      foldCast,
	"Shape":     foldShape,
	"Reshape":   foldReshape,
	"Squeeze":   foldSqueeze,
	"Unsqueeze": foldUnsqueeze,
	"Transpose": foldTranspose,
	"Gather":    foldGather,
	"Slice":     foldSlice,
	"Concat":    foldConcat,
	"Range":     foldRange,
	"Neg":       foldUnary(func(x float64) float64 { return -x }),
	"Sqrt":      foldUnary(math.Sqrt),
	"Add":       foldBinary(func(a, b float64) float64 { return a + b }),
	"Sub":       foldBinary(func(a, b float64) float64 { return a - b }),
	"Mul":       foldBinary(func(a, b float64) float64 { return a * b }),
	"Div":       foldBinary(func(a, b float64) float64 { return a / b }),
}

// inputsOf is how many inputs each of them needs.
var inputsOf = map[string]int{
	"Reshape": 2, "Unsqueeze": 2, "Gather": 2, "Slice": 3, "Range": 3, "Add": 2, "Sub": 2, "Mul": 2, "Div": 2,
}

func foldCast(n *onnxpb.NodeProto, in []*constant) (*constant, error) {
	c := *in[0]
	switch to := onnxpb.TensorProto_DataType(intAttribute(n, "to", 0)); to {
	case onnxpb.TensorProto_INT32, onnxpb.TensorProto_INT64:
		if c.floats != nil {
			return nil, errors.New("makes integers of weights")
		}
	case onnxpb.TensorProto_FLOAT:
		if c.floats == nil {
			if c.symbolic() {
				return nil, errors.New("makes a fraction of the batch's size")
			}
			for _, v := range c.ints {
				c.floats = append(c.floats, float32(v))
			}
			c.ints = nil
		}
	default:
		return nil, fmt.Errorf("makes %v of a constant", to)
	}
	return &c, nil
}

func foldShape(_ *onnxpb.NodeProto, in []*constant) (*constant, error) {
	return shapeConstant(in[0].dims), nil
}

func foldReshape(n *onnxpb.NodeProto, in []*constant) (*constant, error) {
	if in[1].ints == nil || in[1].symbolic() {
		return nil, errors.New("gives weights a shape that depends on the batch")
	}
	if len(in[1].ints) > maxAxes {
		return nil, fmt.Errorf("makes %d axes", len(in[1].ints))
	}
	out := *in[0]
	out.dims, out.flipped = []int{}, nil
	open, known := -1, 1
	for i, d := range in[1].ints {
		switch {
		case d == -1 && open < 0:
			open = i
			out.dims = append(out.dims, 1)
			continue
		case d == 0 && i < len(in[0].dims) && intAttribute(n, "allowzero", 0) == 0:
			d = int64(in[0].dims[i])
		case d < 1 || d > int64(in[0].size()/known):
			return nil, fmt.Errorf("makes %s of %v", sizes(in[1].ints), in[0].dims)
		}
		known *= int(d)
		out.dims = append(out.dims, int(d))
	}
	if open >= 0 && known > 0 {
		out.dims[open] = in[0].size() / known
	}
	if out.size() != in[0].size() {
		return nil, fmt.Errorf("makes %s of %v", sizes(in[1].ints), in[0].dims)
	}
	return &out, nil
}

func foldSqueeze(_ *onnxpb.NodeProto, in []*constant) (*constant, error) {
	var axes []int64
	if len(in) > 1 {
		axes = in[1].ints
	}
	out := *in[0]
	out.dims, out.flipped = []int{}, nil
	for i, d := range in[0].dims {
		if !slices.Contains(axes, int64(i)) && !slices.Contains(axes, int64(i-len(in[0].dims))) && (len(axes) > 0 || d != 1) {
			out.dims = append(out.dims, d)
		} else if d != 1 {
			return nil, fmt.Errorf("takes axis %d of %v away", i, in[0].dims)
		}
	}
	return &out, nil
}

func foldUnsqueeze(_ *onnxpb.NodeProto, in []*constant) (*constant, error) {
	out := *in[0]
	out.dims, out.flipped = slices.Clone(in[0].dims), nil
	axes := slices.Clone(in[1].ints)
	rank := len(in[0].dims) + len(axes)
	if rank > maxAxes {
		return nil, fmt.Errorf("makes %d axes", rank)
	}
	for i, a := range axes {
		if a < 0 {
			axes[i] += int64(rank)
		}
	}
	slices.Sort(axes)
	for _, a := range axes {
		if a < 0 || a > int64(len(out.dims)) {
			return nil, fmt.Errorf("adds axis %d to %v", a, in[0].dims)
		}
		out.dims = slices.Insert(out.dims, int(a), 1)
	}
	return &out, nil
}

// permutation reads the axes of a Transpose of so many.
func permutation(n *onnxpb.NodeProto, rank int) ([]int, error) {
	perm, ok := intsAttribute(n, "perm")
	if !ok {
		for i := range rank {
			perm = append(perm, rank-1-i)
		}
	}
	sorted := slices.Sorted(slices.Values(perm))
	for i, p := range sorted {
		if p != i {
			return nil, fmt.Errorf("puts %d axes in the order %s", rank, sizes(perm))
		}
	}
	if len(perm) != rank {
		return nil, fmt.Errorf("puts %d axes in the order %s", rank, sizes(perm))
	}
	return perm, nil
}

func foldTranspose(n *onnxpb.NodeProto, in []*constant) (*constant, error) {
	perm, err := permutation(n, len(in[0].dims))
	if err != nil {
		return nil, err
	}
	return in[0].transposed(perm), nil
}

// axisOf reads an axis, which may count from the end.
func axisOf(axis int64, rank int) (int, error) {
	if axis < 0 {
		axis += int64(rank)
	}
	if axis < 0 || axis >= int64(rank) {
		return 0, fmt.Errorf("axis %d of %d", axis, rank)
	}
	return int(axis), nil
}

func foldGather(n *onnxpb.NodeProto, in []*constant) (*constant, error) {
	axis, err := axisOf(intAttribute(n, "axis", 0), len(in[0].dims))
	if err != nil {
		return nil, err
	}
	places := slices.Clone(in[1].ints)
	if in[1].ints == nil || in[1].size() > max(in[0].dims[axis], 1) {
		return nil, fmt.Errorf("takes %d places of %d", in[1].size(), in[0].dims[axis])
	}
	length := int64(in[0].dims[axis])
	reversed := int64(len(places)) == length && length > 1
	for i, p := range places {
		if p < 0 {
			p += length
		}
		if p < 0 || p >= length {
			return nil, fmt.Errorf("takes place %d of %d", in[1].ints[i], length)
		}
		places[i] = p
		reversed = reversed && p == length-1-int64(i)
	}
	out := in[0].taken(axis, places, in[1].dims)
	if reversed && len(in[1].dims) == 1 {
		out.flipped = in[0].flip(axis)
	}
	return out, nil
}

// flip is what is flipped once an axis has been reversed.
func (c *constant) flip(axis int) []bool {
	flipped := slices.Clone(c.flipped)
	if flipped == nil {
		flipped = make([]bool, len(c.dims))
	}
	flipped[axis] = !flipped[axis]
	return flipped
}

func foldSlice(_ *onnxpb.NodeProto, in []*constant) (*constant, error) {
	c := in[0]
	starts, ends := in[1].ints, in[2].ints
	var axes, steps []int64
	for i := range starts {
		axes, steps = append(axes, int64(i)), append(steps, 1)
	}
	if len(in) > 3 {
		axes = in[3].ints
	}
	if len(in) > 4 {
		steps = in[4].ints
	}
	if len(ends) != len(starts) || len(axes) != len(starts) || len(steps) != len(starts) {
		return nil, errors.New("its starts, ends, axes and steps differ in number")
	}
	for i := range starts {
		axis, err := axisOf(axes[i], len(c.dims))
		if err != nil {
			return nil, err
		}
		length := int64(c.dims[axis])
		bound := func(v, least, most int64) int64 {
			if v < 0 && v >= -length {
				v += length
			}
			return min(max(v, least), most)
		}
		var places []int64
		switch steps[i] {
		case 1:
			for p := bound(starts[i], 0, length); p < bound(ends[i], 0, length); p++ {
				places = append(places, p)
			}
		case -1:
			for p := bound(starts[i], 0, length-1); p > bound(ends[i], -1, length-1); p-- {
				places = append(places, p)
			}
		default:
			return nil, fmt.Errorf("steps of %d", steps[i])
		}
		if len(places) == 0 {
			return nil, fmt.Errorf("takes nothing of axis %d of %v", axis, c.dims)
		}
		out := c.taken(axis, places, []int{len(places)})
		if out.flipped = c.flipped; steps[i] == -1 {
			out.flipped = c.flip(axis)
		}
		c = out
	}
	return c, nil
}

// maxAxes is more than any array here has.
const maxAxes = 16

func foldConcat(n *onnxpb.NodeProto, in []*constant) (*constant, error) {
	if len(in[0].dims) != 1 || in[0].ints == nil {
		return nil, errors.New("joins constants that are no shapes")
	}
	out := &constant{}
	for _, c := range in {
		if len(c.dims) != 1 || c.ints == nil {
			return nil, errors.New("joins constants that are no shapes")
		}
		if len(out.ints)+len(c.ints) > maxAxes {
			return nil, fmt.Errorf("makes a shape of more than %d axes", maxAxes)
		}
		out.ints = append(out.ints, c.ints...)
	}
	out.dims = []int{len(out.ints)}
	return out, nil
}

// maxRange is more than the sides of a kernel.
const maxRange = 1 << 12

func foldRange(_ *onnxpb.NodeProto, in []*constant) (*constant, error) {
	for _, c := range in {
		if len(c.ints) != 1 || c.symbolic() {
			return nil, errors.New("counts other than integers")
		}
	}
	start, end, step := in[0].ints[0], in[1].ints[0], in[2].ints[0]
	if start != 0 || step != 1 || end < 1 || end > maxRange {
		return nil, fmt.Errorf("counts from %d to %d by %d", start, end, step)
	}
	out := &constant{dims: []int{int(end)}}
	for i := range end {
		out.ints = append(out.ints, i)
	}
	return out, nil
}

func foldUnary(f func(float64) float64) func(*onnxpb.NodeProto, []*constant) (*constant, error) {
	return func(_ *onnxpb.NodeProto, in []*constant) (*constant, error) {
		if in[0].floats == nil {
			return nil, errors.New("computes with other constants than weights")
		}
		out := in[0].with(in[0].dims)
		for i, v := range in[0].floats {
			out.floats[i] = float32(f(float64(v)))
		}
		return out, finite(out)
	}
}

// foldBinary computes with equal shapes, or with one number on either side.
func foldBinary(f func(a, b float64) float64) func(*onnxpb.NodeProto, []*constant) (*constant, error) {
	return func(_ *onnxpb.NodeProto, in []*constant) (*constant, error) {
		a, b := in[0], in[1]
		if (a.floats == nil) != (b.floats == nil) || a.symbolic() || b.symbolic() {
			return nil, errors.New("computes with constants of two kinds, or with the batch's size")
		}
		large := a
		if b.size() > a.size() || b.size() == a.size() && len(b.dims) > len(a.dims) {
			large = b
		}
		if a.size() != 1 && b.size() != 1 && !slices.Equal(a.dims, b.dims) {
			return nil, fmt.Errorf("computes with constants of shapes %v and %v", a.dims, b.dims)
		}
		out := large.with(large.dims)
		for i := range large.size() {
			j, k := min(i, a.size()-1), min(i, b.size()-1)
			if out.floats != nil {
				out.floats[i] = float32(f(float64(a.floats[j]), float64(b.floats[k])))
				continue
			}
			v := f(float64(a.ints[j]), float64(b.ints[k]))
			if math.Abs(v) > 1<<31 || v != math.Trunc(v) {
				return nil, errors.New("computes integers that are no sizes")
			}
			out.ints[i] = int64(v)
		}
		return out, finite(out)
	}
}

func finite(c *constant) error {
	for _, v := range c.floats {
		if v != v || math.IsInf(float64(v), 0) {
			return fmt.Errorf("makes %v of weights", v)
		}
	}
	return nil
}
