package keras

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/train/arch"
)

// condition joins what layers make of the label to a picture, as channels.
func (r *reader) condition(n *onnxpb.NodeProto, acts []*activation) (value, error) {
	x, made := acts[0], acts[1]
	axis, err := axisOf(intAttribute(n, "axis", 0), len(x.dims)+1)
	if err != nil {
		return value{}, err
	}
	labelled := func(a *activation) bool { return a.layer != nil && a.layer.first() == arch.Embedding{}.Kind() }
	if labelled(x) || !labelled(made) {
		return value{}, errors.New("want a value of the first input, and behind it one of the label")
	}
	if axis == 0 || x.axes != made.axes {
		return value{}, fmt.Errorf("joins values laid out as %s and %s along axis %d", x.axes, made.axes, axis)
	}
	for i := range x.dims {
		if i != axis-1 && x.dims[i] != made.dims[i] {
			return value{}, fmt.Errorf("joins values of %v and %v along axis %d", x.dims, made.dims, axis)
		}
	}
	y := x.then(n, n.Output[0], arch.Condition{})
	y.layer.label = made.layer
	if at := x.axes[axis-1]; at != 'C' {
		y.layer.fault = fmt.Sprintf("joins along %c, want the channels", at)
	}
	y.layer.value.dims = slices.Clone(x.dims)
	y.layer.value.dims[axis-1] += made.dims[axis-1]
	y.stored = y.layer.value
	return value{act: y}, nil
}

// onLabels follows the arithmetic on labels that the TensorFlow route adds for
// negative ones, up to the embedding.
func (r *reader) onLabels(n *onnxpb.NodeProto, in []value) (value, error) {
	if n.OpType == "Gather" && len(in) == 2 && in[0].constant != nil && in[1].label != nil {
		return r.embedding(n, in[0].constant, in[1].label)
	}
	of := func(i int) func(label int) int64 {
		v := in[i]
		if v.label != nil {
			return func(label int) int64 { return v.label[label] }
		}
		if c := v.constant; c != nil && c.size() == 1 {
			if c.floats != nil {
				return func(int) int64 { return int64(c.floats[0]) }
			}
			return func(int) int64 { return c.ints[0] }
		}
		return nil
	}
	truth := func(b bool) int64 {
		if b {
			return 1
		}
		return 0
	}
	ops := map[string]struct {
		inputs int
		f      func(a, b int64) int64
	}{
		"Cast": {1, func(a, _ int64) int64 { return a }},
		"Not":  {1, func(a, _ int64) int64 { return 1 - a }},
		"Add":  {2, func(a, b int64) int64 { return a + b }},
		"Mul":  {2, func(a, b int64) int64 { return a * b }},
		"Less": {2, func(a, b int64) int64 { return truth(a < b) }},
	}
	o, ok := ops[n.OpType]
	if !ok || len(in) != o.inputs {
		return value{}, errors.New("makes of the label what Keras' exports don't")
	}
	a, b := of(0), of(len(in)-1)
	if a == nil || b == nil {
		return value{}, errors.New("computes with the label and an array")
	}
	out := make([]int64, maxLabels)
	for i := range out {
		out[i] = o.f(a(i), b(i))
	}
	return value{label: out}, nil
}

func (r *reader) embedding(n *onnxpb.NodeProto, table *constant, label []int64) (value, error) {
	if table.floats == nil || len(table.dims) != 2 || intAttribute(n, "axis", 0) != 0 || table.dims[0] > maxLabels {
		return value{}, fmt.Errorf("looks labels up in %v", table.dims)
	}
	for i := range table.dims[0] {
		if label[i] != int64(i) {
			return value{}, fmt.Errorf("looks up row %d for label %d", label[i], i)
		}
	}
	x := &activation{stored: stored{axes: "1F", dims: []int{1, table.dims[1]}}}
	y := x.then(n, n.Output[0], arch.Embedding{Classes: table.dims[0], Size: table.dims[1]})
	y.layer.weights["embeddings"] = table
	return value{act: y}, nil
}
