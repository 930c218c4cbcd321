package keras

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/op"
)

// layer is a layer of Keras' as a graph has it.
type layer struct {
	name string // that of the graph: "conv2d_transpose_1", or a node's
	arch.Layer
	// fault is what keeps a layer from being one of ours, and that its settings
	// can't say: "pads [2 2 1 1], want [1 1 2 2] for 'same'".
	fault string
	// weights has Keras' own arrays by Keras' names, and "scale" and "shift" of a
	// BatchNorm that was folded.
	weights map[string]*constant
	value   stored // what the layer puts out
	// absorbed names the BatchNorm that was merged into a convolution.
	absorbed string
	before   *layer // nil at an input of the network
	label    *layer // of a condition: the last of the layers that the label goes through
}

// stored says where an inner value of a graph is to be found, and which of its
// axes is which: H, W and C of a picture, F of features, 1 of an axis that says
// nothing. The batch goes first and is left out.
type stored struct {
	name string
	axes string
	dims []int
}

// network is a graph as layers.
type network struct {
	inputs  []input
	layers  []*layer // from the input on; those within a condition hang on it
	outputs []output
	stop    *stop // where the layers end before the graph does; nil if they don't
}

type input struct {
	name  string
	dims  []int // without the batch
	label bool
	kind  onnxpb.TensorProto_DataType
}

type output struct {
	stored
	layer *layer
}

// stop says which node is none that layers are made of.
type stop struct {
	node string // and its operator
	err  error
	last *layer // before it; nil at the input
}

func (s *stop) Error() string { return fmt.Sprintf("%s: %v", s.node, s.err) }

// value is what is known of a value of the graph: one of its fields.
type value struct {
	constant *constant
	label    []int64 // what it is for the labels 0, 1, ...
	act      *activation
	stop     *stop
}

// activation is a value that depends on the network's first input.
type activation struct {
	stored
	layer *layer // that it comes from; nil for an input
}

// reader walks through a graph.
type reader struct {
	values map[string]value
	budget int // numbers that may be computed from constants
}

// maxLabels is one more than the largest label that an embedding is followed for.
const maxLabels = 1 << 10

// walk reads a graph as layers. Where it holds what no layer of Keras' becomes,
// the layers up to there are returned, with the reason.
func walk(g *onnxpb.GraphProto) (*network, error) {
	r := &reader{values: map[string]value{}, budget: 1 << 16}
	for _, t := range g.Initializer {
		c, err := tensorConstant(t)
		if err != nil {
			return nil, fmt.Errorf("initializer %q: %w", brief(t.Name), err)
		}
		if err := r.define(t.Name, value{constant: c}); err != nil {
			return nil, err
		}
		r.budget += 16 * c.size() // a kernel is turned round by some six nodes
	}
	n := &network{}
	for _, v := range g.Input {
		if r.values[v.Name].constant != nil {
			return nil, fmt.Errorf("input %q has a value in the file as well", brief(v.Name))
		}
		in, err := r.input(v)
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", brief(v.Name), err)
		}
		n.inputs = append(n.inputs, in)
	}
	for _, node := range g.Node {
		if err := r.node(node); err != nil {
			return nil, err
		}
	}
	if len(g.Output) == 0 {
		return nil, errors.New("the graph has no output")
	}
	return n, n.end(g.Output, r.values)
}

func (r *reader) define(name string, v value) error {
	if _, taken := r.values[name]; taken || name == "" {
		return fmt.Errorf("two values are called %q", brief(name))
	}
	r.values[name] = v
	return nil
}

func (r *reader) input(v *onnxpb.ValueInfoProto) (input, error) {
	t := v.GetType().GetTensorType()
	in := input{name: v.Name, kind: onnxpb.TensorProto_DataType(t.GetElemType())}
	dims := t.GetShape().GetDim()
	if len(dims) < 2 || len(dims) > 4 {
		return in, fmt.Errorf("has %d axes, want 2 for features and labels, 4 for pictures", len(dims))
	}
	if dims[0].GetDimValue() > 0 {
		return in, fmt.Errorf("holds batches of %d and no others: export the model with a free batch size", dims[0].GetDimValue())
	}
	for i, d := range dims[1:] {
		n := d.GetDimValue()
		if n < 1 || n > 1<<20 {
			return in, fmt.Errorf("its %s is free or out of range: export the model with a fixed one",
				[][]string{{"size"}, {"", ""}, {"height", "width", "number of channels"}}[len(dims)-2][i])
		}
		in.dims = append(in.dims, int(n))
	}
	integer := in.kind == onnxpb.TensorProto_INT32 || in.kind == onnxpb.TensorProto_INT64
	if !integer && in.kind != onnxpb.TensorProto_FLOAT {
		return in, fmt.Errorf("holds %v, want FLOAT, INT32 or INT64", in.kind)
	}
	switch in.label = integer || slices.Equal(in.dims, []int{1}); {
	case in.label:
		if !slices.Equal(in.dims, []int{1}) {
			return in, fmt.Errorf("has shape %v, want a label an example", in.dims)
		}
		labels := make([]int64, maxLabels)
		for i := range labels {
			labels[i] = int64(i)
		}
		return in, r.define(in.name, value{label: labels})
	case len(in.dims) == 1:
		return in, r.define(in.name, value{act: &activation{stored: stored{in.name, "F", in.dims}}})
	case len(in.dims) == 3:
		return in, r.define(in.name, value{act: &activation{stored: stored{in.name, "HWC", in.dims}}})
	}
	return in, fmt.Errorf("has shape %v, want features or a picture", in.dims)
}

// node follows one node. Its error is one of the file; what no layer becomes is
// noted in the node's value.
func (r *reader) node(n *onnxpb.NodeProto) error {
	if len(n.Output) == 0 {
		return fmt.Errorf("node %s has no output", describeNode(n))
	}
	var in []value
	var halt *stop
	for _, name := range n.Input {
		v, ok := r.values[name]
		if !ok && name != "" {
			return fmt.Errorf("node %s: its input %q is neither an initializer nor made by a node before it", describeNode(n), brief(name))
		}
		if v.stop != nil && (halt == nil || halt.last == nil) {
			halt = v.stop
		}
		in = append(in, v)
	}
	v := value{stop: halt}
	if halt == nil {
		var err error
		if v, err = r.apply(n, in); err != nil {
			v = value{stop: &stop{describeNode(n), err, lastOf(in)}}
		}
	}
	for i, name := range n.Output {
		if name == "" {
			continue
		}
		if i > 0 {
			v = value{stop: &stop{describeNode(n), errors.New("has more than one output"), lastOf(in)}}
		}
		if err := r.define(name, v); err != nil {
			return fmt.Errorf("node %s: %w", describeNode(n), err)
		}
	}
	return nil
}

func lastOf(in []value) *layer {
	for _, v := range in {
		if v.act != nil {
			return v.act.layer
		}
	}
	return nil
}

// apply is what a node makes of known inputs.
func (r *reader) apply(n *onnxpb.NodeProto, in []value) (value, error) {
	if n.Domain != "" && n.Domain != "ai.onnx" {
		return value{}, fmt.Errorf("operator of domain %q", brief(n.Domain))
	}
	var constants []*constant
	var acts []*activation
	labels := false
	for _, v := range in {
		switch {
		case v.constant != nil:
			constants = append(constants, v.constant)
		case v.act != nil:
			acts = append(acts, v.act)
		case v.label != nil:
			labels = true
		}
	}
	switch {
	case labels:
		return r.onLabels(n, in)
	case len(acts) > 0:
		return r.onActivations(n, acts, constants)
	case len(constants) < max(inputsOf[n.OpType], 1):
		return value{}, errors.New("lacks an input")
	}
	fold, ok := folds[n.OpType]
	if !ok {
		return value{}, errors.New("computes with constants what Keras' exports don't")
	}
	for _, c := range constants {
		if r.budget -= c.size(); r.budget < 0 {
			return value{}, errors.New("there is more arithmetic on constants than any export of Keras' has")
		}
	}
	c, err := fold(n, constants)
	if err != nil {
		return value{}, err
	}
	if c == constants[0] { // an Identity
		return value{constant: c}, nil
	}
	c.node = n
	return value{constant: c}, nil
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
	need := func(count int) error {
		if len(constants) < count {
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
		if err := need(1); err != nil {
			return value{}, err
		}
		dims, err := newDims(n, x.dims, constants[0])
		if err != nil {
			return value{}, err
		}
		return made(x.reshape(n, out, dims))
	case "MatMul":
		if err := need(1); err != nil {
			return value{}, err
		}
		return made(x.dense(n, out, constants[0]))
	case "Add", "Mul":
		if err := need(1); err != nil {
			return value{}, err
		}
		return made(r.affine(x, n, out, constants[0]))
	case "Conv", "ConvTranspose":
		if err := need(1); err != nil {
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
	bad := fmt.Errorf("makes %v of %v an example", to.ints, dims)
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

// inOrder are the sizes of the axes of those names.
func (s stored) inOrder(axes string) []int {
	var dims []int
	for _, axis := range axes {
		n := 1
		if i := strings.IndexRune(s.axes, axis); i >= 0 {
			n = s.dims[i]
		}
		dims = append(dims, n)
	}
	return dims
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

// convolution reads a Conv or a ConvTranspose. Keras' kernel is [height, width,
// in, out], of a transposed one [height, width, out, in].
func (a *activation) convolution(n *onnxpb.NodeProto, out string, constants []*constant) (*activation, error) {
	w := constants[0]
	if w.floats == nil || len(w.dims) != 4 || len(a.dims) != 3 {
		return nil, fmt.Errorf("a kernel of %v on values of %v", w.dims, a.dims)
	}
	transposed := n.OpType == "ConvTranspose"
	in, filters := w.dims[1], w.dims[0]
	if transposed {
		in, filters = filters, in
	}
	if in != a.dims[0] {
		return nil, fmt.Errorf("a kernel for %d channels on values of %v", in, a.dims)
	}
	g, err := readGeometry(n, w)
	if err != nil {
		return nil, err
	}
	dims, want, err := g.over(a.dims, transposed)
	if err != nil {
		return nil, err
	}
	kernel, stride := g.Kernel[0], g.Stride[0]
	var l arch.Layer = arch.Conv2D{Filters: filters, Kernel: kernel, Stride: stride, NoBias: true}
	// A transposed convolution of stride 1 is a convolution with a kernel that is
	// turned round, and so the JAX route writes it.
	turned := !transposed && stride == 1 && len(w.flipped) == 4 && w.flipped[2] && w.flipped[3]
	if transposed || turned {
		l = arch.ConvTranspose2D{Filters: filters, Kernel: kernel, Stride: stride, NoBias: true}
	}
	y := a.then(n, out, l)
	y.layer.fault = g.fault
	if y.layer.fault == "" && g.Geometry != want {
		y.layer.fault = fmt.Sprintf("pads %v, want %v for 'same'", pads(g.Geometry), pads(want))
	}
	if axes := wide(a.axes, a.dims); axes != wide("CHW", a.inOrder("CHW")) {
		y.layer.fault = fmt.Sprintf("takes a picture laid out as %s, want C, H, W", spread(a.axes))
	}
	if name, ok := mergedName(n); ok {
		y.layer.name, y.layer.absorbed = name, y.layer.name
	}
	y.layer.weights["kernel"] = fromGraph(w, turned)
	y.layer.value.axes, y.layer.value.dims = "CHW", append([]int{filters}, dims...)
	y.stored = y.layer.value
	if len(constants) > 1 {
		bias := constants[1]
		if bias.floats == nil || !slices.Equal(bias.dims, []int{filters}) {
			return nil, fmt.Errorf("a bias of %v for %d filters", bias.dims, filters)
		}
		y.layer.Layer, _ = withBias(l)
		y.layer.weights["bias"] = bias
	}
	return y, nil
}

// mergedName tells a convolution that a BatchNorm was merged into: the
// TensorFlow route gives the node the BatchNorm's name and the kernel that of the
// convolution, "MODEL/conv2d_1/convolution/merged_input:0".
func mergedName(n *onnxpb.NodeProto) (layer string, ok bool) {
	kernel := strings.Split(n.Input[1], "/")
	if len(kernel) < 3 || !strings.HasPrefix(kernel[len(kernel)-1], "merged_input") {
		return "", false
	}
	return brief(kernel[1]), true
}

// geometry is that of a convolution in a graph.
type geometry struct {
	op.Geometry
	fault string // what ours can't be
}

func readGeometry(n *onnxpb.NodeProto, w *constant) (geometry, error) {
	var g geometry
	g.Kernel, g.Stride = [2]int{w.dims[2], w.dims[3]}, [2]int{1, 1}
	pads := []int{0, 0, 0, 0}
	for name, to := range map[string][]int{"strides": g.Stride[:], "pads": pads} {
		if v, ok := intsAttribute(n, name); ok {
			if len(v) != len(to) {
				return g, fmt.Errorf("%s %v", name, v)
			}
			copy(to, v)
		}
	}
	g.Top, g.Left, g.Bottom, g.Right = pads[0], pads[1], pads[2], pads[3]
	if min(g.Stride[0], g.Stride[1]) < 1 || slices.Min(pads) < 0 {
		return g, fmt.Errorf("strides %v, pads %v", g.Stride, pads)
	}
	dilations, _ := intsAttribute(n, "dilations")
	outputPads, _ := intsAttribute(n, "output_padding")
	_, sized := intsAttribute(n, "output_shape")
	auto := "NOTSET"
	if a := attribute(n, "auto_pad"); a != nil {
		auto = brief(string(a.S))
	}
	kernel, given := intsAttribute(n, "kernel_shape")
	switch other := func(v int) bool { return v != 1 }; {
	case given && !slices.Equal(kernel, g.Kernel[:]):
		return g, fmt.Errorf("kernel_shape %v, its weight is %v", kernel, w.dims)
	case g.Kernel[0] != g.Kernel[1]:
		g.fault = fmt.Sprintf("a kernel of %dx%d, want a square", g.Kernel[0], g.Kernel[1])
	case g.Stride[0] != g.Stride[1]:
		g.fault = fmt.Sprintf("strides %v, want equal ones", g.Stride)
	case slices.ContainsFunc(dilations, other):
		g.fault = fmt.Sprintf("dilations %v, want none", dilations)
	case intAttribute(n, "group", 1) != 1:
		g.fault = fmt.Sprintf("%d groups, want one", intAttribute(n, "group", 1))
	case slices.ContainsFunc(outputPads, func(v int) bool { return v != 0 }) || sized || auto != "NOTSET":
		g.fault = "its size is given by output_padding, output_shape or auto_pad, want pads"
	}
	return g, nil
}

// over gives the height and width behind the convolution, and the geometry of
// 'same' there.
func (g geometry) over(dims []int, transposed bool) ([]int, op.Geometry, error) {
	var out []int
	padded := [2]int{g.Top + g.Bottom, g.Left + g.Right}
	larger := [2]int{dims[1], dims[2]}
	for i := range 2 {
		n := (dims[1+i]+padded[i]-g.Kernel[i])/g.Stride[i] + 1
		if transposed {
			n = (dims[1+i]-1)*g.Stride[i] + g.Kernel[i] - padded[i]
			larger[i] = dims[1+i] * g.Stride[i]
		} else if dims[1+i]+padded[i] < g.Kernel[i] {
			n = 0
		}
		if n < 1 || n > 1<<20 {
			return nil, op.Geometry{}, fmt.Errorf("a kernel of %v, stride %v and pads %v on values of %v", g.Kernel, g.Stride, pads(g.Geometry), dims)
		}
		out = append(out, n)
	}
	return out, op.Same(larger[0], larger[1], g.Kernel, g.Stride), nil
}

func pads(g op.Geometry) []int { return []int{g.Top, g.Left, g.Bottom, g.Right} }

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

// first is the kind of the layer that a chain begins with.
func (l *layer) first() string {
	for l.before != nil {
		l = l.before
	}
	return l.Kind()
}

// chain lists a layer and those before it, in order.
func (l *layer) chain() []*layer {
	var out []*layer
	for ; l != nil; l = l.before {
		out = append(out, l)
	}
	slices.Reverse(out)
	return out
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

// end finds the layers that the outputs come from.
func (n *network) end(outputs []*onnxpb.ValueInfoProto, values map[string]value) error {
	var last *layer
	for _, o := range outputs {
		v, ok := values[o.Name]
		switch {
		case !ok:
			return fmt.Errorf("output %q is made by no node", brief(o.Name))
		case v.stop != nil:
			n.stop = v.stop
			n.layers = v.stop.last.chain()
			return nil
		case v.act == nil || v.act.layer == nil:
			return fmt.Errorf("output %q does not depend on the first input", brief(o.Name))
		}
		n.outputs = append(n.outputs, output{v.act.stored, v.act.layer})
		if chain := v.act.layer.chain(); len(chain) > len(n.layers) {
			n.layers, last = chain, v.act.layer
		}
	}
	for _, o := range n.outputs {
		if !slices.Contains(last.chain(), o.layer) {
			return fmt.Errorf("output %q is no part of the way to the last one", brief(o.name))
		}
	}
	return nil
}

// describeNode names a node for an error.
func describeNode(n *onnxpb.NodeProto) string {
	return fmt.Sprintf("%q (%s)", brief(n.Name), brief(n.OpType))
}

// brief bounds a word that a file may have made long, and keeps it on a line.
func brief(s string) string {
	const most = 100
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if runes := []rune(clean); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return clean
}

// kerasName is the layer that a node belongs to: of the TensorFlow route's names
// MODEL/LAYER/OP the second part, of a node that lost it that of one of its
// weights. The JAX route names no layers: the node's own name.
func kerasName(n *onnxpb.NodeProto) string {
	for _, name := range append([]string{n.Name}, n.Input[min(1, len(n.Input)):]...) {
		if parts := strings.Split(name, "/"); len(parts) > 2 {
			return brief(parts[1])
		}
	}
	return brief(n.Name)
}
