package keras

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/train/arch"
)

// activation is a value that depends on the network's first input.
type activation struct {
	stored
	layer *layer // that it comes from; nil for an input
}

// onActivations makes a layer of a node, or a part of one.
func (r *reader) onActivations(n *onnxpb.NodeProto, acts []*activation, constants []*constant) (value, error) {
	x := acts[0]
	out := n.Output[0]
	if len(acts) == 2 && n.OpType == "Concat" {
		return r.condition(n, acts)
	}
	if len(acts) > 1 {
		return value{}, errors.New("joins two values that both depend on the input")
	}
	need := func() error {
		if len(constants) == 0 {
			return errors.New("lacks an input that is constant")
		}
		if r.values[n.Input[0]].act == nil && n.OpType != "Add" && n.OpType != "Mul" {
			return errors.New("has a constant for its first input")
		}
		return nil
	}
	made := func(a *activation, err error) (value, error) { return value{act: a}, err }
	switch n.OpType {
	case "Identity", "Cast":
		if n.OpType == "Cast" && intAttribute(n, "to", 0) != int64(onnxpb.TensorProto_FLOAT) {
			return value{}, errors.New("makes other numbers than float32 of activations")
		}
		y := *x
		y.stored.name = out
		return made(&y, nil)
	case "Shape":
		c := shapeConstant(x.dims)
		c.ints, c.dims[0] = slices.Insert(c.ints, 0, batchSize), c.dims[0]+1
		return value{constant: c}, nil
	case "LeakyRelu":
		slope := float32(0.01)
		if a := attribute(n, "alpha"); a != nil && a.F != nil {
			slope = *a.F
		}
		return made(x.then(n, out, arch.LeakyReLU{Slope: short(slope)}), nil)
	case "Relu":
		return made(x.then(n, out, arch.ReLU{}), nil)
	case "Tanh":
		return made(x.then(n, out, arch.Tanh{}), nil)
	case "Sigmoid":
		return made(x.then(n, out, arch.Sigmoid{}), nil)
	case "Transpose":
		return made(x.transpose(n, out))
	case "Flatten":
		if axis := intAttribute(n, "axis", 1); axis != 1 {
			return value{}, fmt.Errorf("axis %d, want 1", axis)
		}
		return made(x.reshape(n, out, []int{size(x.dims)}))
	case "Reshape", "Squeeze", "Unsqueeze":
		if err := need(); err != nil {
			return value{}, err
		}
		dims, err := newDims(n, x.dims, constants[0])
		if err != nil {
			return value{}, err
		}
		return made(x.reshape(n, out, dims))
	case "MatMul":
		if err := need(); err != nil {
			return value{}, err
		}
		return made(x.dense(n, out, constants[0]))
	case "Add", "Mul":
		if err := need(); err != nil {
			return value{}, err
		}
		return made(r.affine(x, n, out, constants[0]))
	case "Conv", "ConvTranspose":
		if err := need(); err != nil {
			return value{}, err
		}
		return made(x.convolution(n, out, constants))
	}
	return value{}, errors.New("is no operator that Keras' exports have")
}

// then is a layer behind the value, which puts out the same shape until it is
// given another one.
func (a *activation) then(n *onnxpb.NodeProto, out string, l arch.Layer) *activation {
	y := &layer{name: kerasName(n), Layer: l, before: a.layer, weights: map[string]*constant{}}
	y.value = stored{out, a.axes, a.dims}
	return &activation{y.value, y}
}

func (a *activation) transpose(n *onnxpb.NodeProto, out string) (*activation, error) {
	perm, err := permutation(n, len(a.dims)+1)
	if err != nil {
		return nil, err
	}
	if perm[0] != 0 {
		return nil, fmt.Errorf("moves the batch: %v", perm)
	}
	y := &activation{stored{name: out}, a.layer}
	for _, p := range perm[1:] {
		y.dims = append(y.dims, a.dims[p-1])
		y.axes += a.axes[p-1 : p]
	}
	return y, nil
}

// newDims are the sizes, without the batch, that a value is given.
func newDims(n *onnxpb.NodeProto, dims []int, to *constant) ([]int, error) {
	if to.ints == nil {
		return nil, errors.New("its shape is no shape")
	}
	if n.OpType != "Reshape" {
		whole := &constant{dims: slices.Insert(slices.Clone(dims), 0, 2)} // any batch but 1
		made, err := folds[n.OpType](n, []*constant{whole, to})
		if err != nil {
			return nil, err
		}
		if len(made.dims) == 0 || made.dims[0] != 2 {
			return nil, errors.New("moves the batch")
		}
		return made.dims[1:], nil
	}
	bad := fmt.Errorf("makes %s of %v an example", sizes(to.ints), dims)
	if len(to.ints) < 2 || len(to.ints) > maxAxes {
		return nil, bad
	}
	batch := to.ints[0]
	if batch != batchSize && batch != -1 && batch != 0 {
		return nil, bad
	}
	out, known, open := []int{}, 1, -1
	for i, d := range to.ints[1:] {
		if d == -1 && batch != -1 && open < 0 {
			open, d = i, 1
		}
		if d < 1 || d > int64(size(dims)/known) {
			return nil, bad
		}
		known *= int(d)
		out = append(out, int(d))
	}
	if open >= 0 {
		out[open] = size(dims) / known
	}
	if size(out) != size(dims) {
		return nil, bad
	}
	return out, nil
}

// reshape gives a value another shape: by a layer of Keras', or by moving axes
// of size 1, which is the exporter's doing.
func (a *activation) reshape(n *onnxpb.NodeProto, out string, dims []int) (*activation, error) {
	if axes, ok := a.relabel(dims); ok {
		return &activation{stored{out, axes, dims}, a.layer}, nil
	}
	picture := strings.Contains(a.axes, "C")
	switch {
	case picture && len(dims) == 1:
		y := a.then(n, out, arch.Flatten{})
		if order := wide(a.axes, a.dims); order != wide("HWC", a.inOrder("HWC")) {
			y.layer.fault = fmt.Sprintf("flattens in the order %s, Keras in the order H, W, C", spread(a.axes))
		}
		y.layer.value.axes, y.layer.value.dims = "F", dims
		y.stored = y.layer.value
		return y, nil
	case !picture && len(dims) == 3:
		y := a.then(n, out, arch.Reshape{Shape: arch.Shape{dims[2], dims[0], dims[1]}})
		y.layer.value.axes, y.layer.value.dims = "HWC", dims
		y.stored = y.layer.value
		return y, nil
	}
	return nil, fmt.Errorf("makes %v of %v an example", dims, a.dims)
}

// spread lists axes by name: "H, W, C".
func spread(axes string) string { return strings.Join(strings.Split(axes, ""), ", ") }

// relabel says which axis is which once only axes of size 1 have moved.
func (a *activation) relabel(dims []int) (string, bool) {
	var ones, wide []byte
	var before, after []int
	for i, d := range a.dims {
		if d == 1 {
			ones = append(ones, a.axes[i])
		} else {
			wide, before = append(wide, a.axes[i]), append(before, d)
		}
	}
	for _, d := range dims {
		if d != 1 {
			after = append(after, d)
		}
	}
	if !slices.Equal(before, after) {
		return "", false
	}
	var axes strings.Builder
	for _, d := range dims {
		from := &ones
		if d != 1 {
			from = &wide
		} else if len(ones) == 0 {
			ones = []byte("1")
		}
		axes.WriteByte((*from)[0])
		*from = (*from)[1:]
	}
	return axes.String(), true
}

// wide leaves out the axes of size 1.
func wide(axes string, dims []int) string {
	var out strings.Builder
	for i, d := range dims {
		if d != 1 {
			out.WriteByte(axes[i])
		}
	}
	return out.String()
}

func (a *activation) dense(n *onnxpb.NodeProto, out string, w *constant) (*activation, error) {
	last := len(a.dims) - 1
	if w.floats == nil || len(w.dims) != 2 || w.dims[0] != a.dims[last] {
		return nil, fmt.Errorf("multiplies features of %v by %v", a.dims, w.dims)
	}
	y := a.then(n, out, arch.Dense{Units: w.dims[1], NoBias: true})
	if a.axes[last] != 'F' && len(wide(a.axes, a.dims)) > 1 {
		y.layer.fault = "takes a picture, want features"
	}
	y.layer.value.dims = append(slices.Clone(a.dims[:last]), w.dims[1])
	y.layer.weights["kernel"] = w
	y.stored = y.layer.value
	return y, nil
}

// affine is the bias of the layer before, or a part of a BatchNorm that was taken
// apart.
func (r *reader) affine(a *activation, n *onnxpb.NodeProto, out string, c *constant) (*activation, error) {
	v, err := a.perFeature(c)
	if err != nil {
		return nil, err
	}
	l := a.layer
	if n.OpType == "Mul" {
		y := a.then(n, out, arch.BatchNorm{})
		y.layer.weights["scale"] = v
		return y, nil
	}
	if l == nil {
		return nil, errors.New("adds to the input")
	}
	name := "bias"
	if _, ok := l.Layer.(arch.BatchNorm); ok {
		name = "shift"
	}
	biased, ok := withBias(l.Layer)
	if !ok || l.weights[name] != nil || len(l.weights) > 1 {
		return nil, errors.New("adds what is no bias")
	}
	l.Layer, l.weights[name] = biased, v
	l.value = stored{out, a.axes, a.dims}
	if name == "shift" {
		r.unfold(l)
	}
	return &activation{l.value, l}, nil
}

// withBias is the layer once something has been added to what it puts out.
func withBias(l arch.Layer) (arch.Layer, bool) {
	switch l := l.(type) {
	case arch.Dense:
		l.NoBias = false
		return l, true
	case arch.Conv2D:
		l.NoBias = false
		return l, true
	case arch.ConvTranspose2D:
		l.NoBias = false
		return l, true
	case arch.BatchNorm:
		return l, true
	}
	return l, false
}

// perFeature reads a constant that has one number for each channel or feature.
func (a *activation) perFeature(c *constant) (*constant, error) {
	at := strings.IndexAny(a.axes, "CF")
	if at < 0 || c.floats == nil {
		return nil, errors.New("computes with what are no weights")
	}
	n := a.dims[at]
	rank := len(a.dims) + 1
	for i, d := range slices.Backward(c.dims) {
		axis := rank - len(c.dims) + i // the batch is 0
		if d != 1 && (axis != at+1 || d != n) {
			return nil, fmt.Errorf("computes with weights of %v on values of %v", c.dims, a.dims)
		}
	}
	if c.size() != n {
		return nil, fmt.Errorf("computes with weights of %v on values of %v", c.dims, a.dims)
	}
	flat := *c
	flat.dims = []int{n}
	return &flat, nil
}
