package keras

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/train/arch"
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
		if halt == nil {
			halt = v.stop
		}
		in = append(in, v)
	}
	if halt != nil && halt.last == nil { // on the way of a label
		halt = &stop{halt.node, halt.err, lastOf(in)}
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

// end finds the layers that the outputs come from.
func (n *network) end(outputs []*onnxpb.ValueInfoProto, values map[string]value) error {
	for _, o := range outputs {
		v, ok := values[o.Name]
		switch {
		case !ok:
			return fmt.Errorf("output %q is made by no node", brief(o.Name))
		case v.stop != nil:
			if n.stop == nil {
				n.stop, n.layers = v.stop, v.stop.last.chain()
			}
			continue
		case v.act == nil || v.act.layer == nil:
			return fmt.Errorf("output %q does not depend on the first input", brief(o.Name))
		}
		n.outputs = append(n.outputs, output{v.act.stored, v.act.layer})
		if chain := v.act.layer.chain(); n.stop == nil && len(chain) > len(n.layers) {
			n.layers = chain
		}
	}
	for _, o := range n.outputs {
		if n.stop == nil && !slices.Contains(n.layers, o.layer) {
			return fmt.Errorf("output %q is no part of the way to the last one", brief(o.name))
		}
	}
	return nil
}
