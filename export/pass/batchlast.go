package pass

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// BatchLast rewrites a model of convolutions so that activations lie as
// [positions, channels, batch]: each convolution of small pictures or of few
// channels is then a handful of large matrix products (fastconv.go), and what
// lies between works on the same arrays in whole rows. Weights, the state of a
// step, inputs and outputs keep their layout.
//
// Which axis is the batch is known of an input whose first axis has no size, or
// the denotation DATA_BATCH. A model is left as it is where less than half of
// the work is in convolutions that this makes faster.
//
// Any operator is allowed: one that isn't known here gets its inputs, and gives
// its output, in the layout of before.
//
// The inputs called turned, whose caller makes their numbers and can make them
// in any order, become [features, batch], and rows tells for each the order of
// its features, counted as they lay in the model.
func BatchLast(m *onnxpb.ModelProto, turned ...string) (rows map[string][]int) {
	if !known(m) {
		return nil
	}
	p := newBatchLast(m.Graph)
	if !p.worthwhile() {
		return nil
	}
	rows = map[string][]int{}
	for i, v := range p.graph.Input {
		if slices.Contains(turned, v.Name) && p.batch[v.Name] && !p.pictures[v.Name].root().bad {
			p.graph.Input[i], rows[v.Name] = p.turn(v)
		}
	}
	for _, n := range m.Graph.Node {
		if !p.skip[n] {
			p.rewrite(n)
		}
	}
	p.outputs()
	m.Graph = p.graph
	Dedupe(m)
	return rows
}

// turn makes an input [features, batch].
func (p *batchLast) turn(v *onnxpb.ValueInfoProto) (*onnxpb.ValueInfoProto, []int) {
	pic, dims := p.pictures[v.Name].root(), p.shapes[v.Name]
	features := product(dims[1:])
	channels := features / pic.positions()
	rows := pic.features(channels)
	v = proto.Clone(v).(*onnxpb.ValueInfoProto)
	shape := v.Type.GetTensorType().Shape
	shape.Dim = []*onnxpb.TensorShapeProto_Dimension{
		{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(features)}}, shape.Dim[0],
	}
	delete(p.plain, v.Name)
	p.last[v.Name] = p.reshape(v.Name+"/batchlast", v.Name, pic.positions(), channels, -1)
	return v, rows
}

// DataBatch denotes an axis that counts examples.
// https://github.com/onnx/onnx/blob/main/docs/DimensionDenotation.md
const DataBatch = "DATA_BATCH"

type batchLast struct {
	*builder
	source    *onnxpb.GraphProto
	shapes    map[string][]int
	lists     map[string][]int // the values of constant lists
	producers map[string]*onnxpb.NodeProto
	batch     map[string]bool              // values whose first axis is the batch
	late      map[string]bool              // of these, what was known as such only after its node
	pictures  map[string]*picture          // of values with a batch
	convs     map[*onnxpb.NodeProto]recipe // the nodes that end a fast convolution
	skip      map[*onnxpb.NodeProto]bool   // computed by another node
	plain     map[string]string            // values of the source, as they lay, in the new graph
	last      map[string]string            // the same as [positions, channels, batch]
}

func newBatchLast(g *onnxpb.GraphProto) *batchLast {
	s := infer(g)
	p := &batchLast{
		builder: newBuilder(g), source: g, shapes: s.known, lists: s.ints,
		producers: map[string]*onnxpb.NodeProto{}, batch: map[string]bool{}, late: map[string]bool{}, pictures: map[string]*picture{},
		convs: map[*onnxpb.NodeProto]recipe{}, skip: map[*onnxpb.NodeProto]bool{},
		plain: map[string]string{}, last: map[string]string{},
	}
	for _, v := range g.Input {
		p.plain[v.Name] = v.Name
		dims := v.Type.GetTensorType().GetShape().GetDim()
		if batched(p.shapes[v.Name]) && (p.shapes[v.Name][0] == unknown || dims[0].Denotation == DataBatch) {
			p.mark(v.Name)
		}
	}
	for _, t := range g.Initializer {
		p.plain[t.Name] = t.Name
	}
	for _, n := range g.Node {
		for _, name := range n.Output {
			p.producers[name] = n
		}
		p.classify(n)
	}
	p.choose()
	return p
}

// choose finds the convolutions that have a fast form, in the order of the
// graph: one that needs a picture to lie in blocks can keep a later one from it.
func (p *batchLast) choose() {
	users := users(p.source)
	for _, n := range p.source.Node {
		c, ok := p.convolutionAt(n)
		if !ok || !p.fits(c) {
			continue
		}
		r, ok := newRecipe(c)
		if !ok {
			continue
		}
		if large := p.pictures[c.x].root(); r.block > 1 {
			if large.block != 1 && large.block != r.block {
				continue
			}
			large.block = r.block
		}
		p.convs[n] = r
		if from := p.producers[n.Input[0]]; n.OpType == "Slice" && users[n.Input[0]] == 1 {
			p.skip[from] = true
		}
	}
}

// fits reports whether the pictures of a convolution are known and sound.
func (p *batchLast) fits(c convolution) bool {
	for _, name := range []string{c.x, c.y} {
		if p.pictures[name] == nil || p.pictures[name].root().bad {
			return false
		}
	}
	return true
}

// worthwhile reports whether half of the work in convolutions becomes faster.
func (p *batchLast) worthwhile() bool {
	all, fast := 0, 0
	for _, n := range p.source.Node {
		if c, ok := p.convolutionAt(n); ok && !p.skip[n] {
			all += c.direct()
			if _, ok := p.convs[n]; ok {
				fast += c.direct()
			}
		}
	}
	return fast > 0 && 2*fast >= all
}

// rewrite adds to the new graph what a node computes.
func (p *batchLast) rewrite(n *onnxpb.NodeProto) {
	if r, ok := p.convs[n]; ok {
		p.convolve(n, r)
		return
	}
	if p.lastForm(n) {
		return
	}
	c := &onnxpb.NodeProto{Name: n.Name, OpType: n.OpType, Domain: n.Domain, DocString: n.DocString, Attribute: n.Attribute}
	for _, in := range n.Input {
		c.Input = append(c.Input, p.inPlain(in))
	}
	for _, out := range n.Output {
		c.Output = append(c.Output, out)
		p.plain[out] = out
	}
	p.graph.Node = append(p.graph.Node, c)
}

// lastForm rewrites a node on arrays with the batch last, if it can.
func (p *batchLast) lastForm(n *onnxpb.NodeProto) bool {
	name := n.Output[0]
	switch {
	case n.Domain != "" || len(n.Output) != 1:
		return false
	case n.OpType == "Gemm" && p.batch[n.Input[0]] && intAttribute(n, "transA", 0) != 0:
		return p.sumOverBatch(n)
	case (n.OpType == "ReduceMean" || n.OpType == "ReduceSum") && p.batch[n.Input[0]]:
		return p.reduce(n)
	case !p.batch[name] || p.late[name] || p.pictures[name].root().bad:
		return false
	case slices.Contains(elementwise, n.OpType):
		return p.elementwise(n)
	case n.OpType == "Flatten" || n.OpType == "Reshape":
		if !p.batch[n.Input[0]] { // the rows of a table
			return false
		}
		p.last[name] = p.inLast(n.Input[0])
		return true
	case n.OpType == "BatchNormalization":
		return p.normalise(n)
	case n.OpType == "Concat":
		in := make([]string, len(n.Input))
		for i, name := range n.Input {
			in[i] = p.inLast(name)
		}
		p.last[name] = p.add(n.Name, "Concat", in, intOf("axis", 2-axisOf(n, 0)))
		return true
	case n.OpType == "Slice":
		if !p.keepsPicture(n) { // the end of a convolution that has no fast form
			return false
		}
		axes := p.lists[n.Input[3]]
		p.last[name] = p.add(n.Name, "Slice", []string{p.inLast(n.Input[0]), n.Input[1], n.Input[2], p.ints(2 - axes[0])})
		return true
	case n.OpType == "Gemm":
		return p.gemm(n)
	}
	return false
}

// elementwise takes inputs with the batch last, or what is the same for all
// examples.
func (p *batchLast) elementwise(n *onnxpb.NodeProto) bool {
	out := p.shapes[n.Output[0]]
	in := make([]string, len(n.Input))
	for i, name := range n.Input {
		dims := p.shapes[name]
		switch {
		case name == "" || product(dims) == 1 && len(dims) <= 1:
			in[i] = p.inPlain(name)
		case p.batch[name] && slices.Equal(dims, out):
			in[i] = p.inLast(name)
		case p.batch[name] && len(dims) == len(out) && product(dims[1:]) == 1:
			in[i] = p.inLast(name)
		case product(dims) == 1:
			in[i] = p.reshape(n.Name, p.inPlain(name), 1)
		case !p.batch[name] && product(dims) == out[1] && len(dims) >= len(out)-1 && dims[len(dims)-len(out)+1] == out[1]:
			in[i] = p.laid(n.Name, p.inPlain(name), p.pictures[n.Output[0]].root(), len(out) == 2)
		case !p.batch[name] && len(dims) == len(out) && dims[0] == 1 && slices.Equal(dims[1:], out[1:]):
			in[i] = p.laid(n.Name, p.inPlain(name), p.pictures[n.Output[0]].root(), true)
		default:
			return false
		}
	}
	p.last[n.Output[0]] = p.add(n.Name, n.OpType, in, n.Attribute...)
	return true
}

// laid lays features, or with flat false channels, that are the same for all
// examples out as [positions, channels, 1], or [1, channels, 1].
func (p *batchLast) laid(scope, x string, pic *picture, flat bool) string {
	if !flat || pic.positions() == 1 {
		return p.reshape(scope, x, 1, -1, 1)
	}
	return p.reshape(scope, p.reorder(scope, x, []int{-1}, 0, pic, false), pic.positions(), -1, 1)
}

// reorder moves the features along one axis of a value of a shape, from the
// order of channels, rows, columns to that of positions, channels, or back.
func (p *batchLast) reorder(scope, x string, shape []int, axis int, pic *picture, back bool) string {
	// One axis that moves past another is what ONNX Runtime does fast.
	split, perm := []int{-1, pic.positions()}, []int{1, 0}
	if back {
		split = []int{pic.positions(), -1}
	}
	if pic.block > 1 {
		block, rows, columns := pic.block, pic.height/pic.block, pic.width/pic.block
		split, perm = []int{-1, rows, block, columns, block}, []int{1, 3, 2, 4, 0}
		if back {
			split, perm = []int{rows, columns, block, block, -1}, []int{4, 0, 2, 1, 3}
		}
	}
	split = slices.Concat(shape[:axis], split, shape[axis+1:])
	order := make([]int, len(split))
	for i := range order {
		order[i] = i
	}
	for i, from := range perm {
		order[axis+i] = axis + from
	}
	return p.reshape(scope, p.transpose(scope, p.reshape(scope, x, split...), order...), shape...)
}

// inLast returns a value of the source as [positions, channels, batch].
func (p *batchLast) inLast(name string) string {
	if v, ok := p.last[name]; ok {
		return v
	}
	pic, x := p.pictures[name].root(), p.plain[name]
	dims := p.shapes[name]
	channels := product(dims[1:]) / pic.positions()
	block, rows, columns := pic.block, pic.height/pic.block, pic.width/pic.block
	scope := name + "/batchlast"
	switch {
	case pic.positions() == 1:
		if len(dims) > 2 { // a picture of one pixel
			x = p.reshape(scope, x, 0, channels)
		}
		x = p.transpose(scope, x, 1, 0)
	case block == 1:
		x = p.transpose(scope, p.reshape(scope, x, 0, channels, pic.positions()), 2, 1, 0)
	default:
		x = p.transpose(scope, p.reshape(scope, x, 0, channels, rows, block, columns, block), 2, 4, 3, 5, 1, 0)
	}
	x = p.reshape(scope, x, pic.positions(), channels, -1)
	p.last[name] = x
	return x
}

// inPlain returns a value of the source as it lay there.
func (p *batchLast) inPlain(name string) string {
	if v, ok := p.plain[name]; ok || name == "" {
		return v
	}
	pic, x := p.pictures[name].root(), p.last[name]
	dims := p.shapes[name]
	channels := product(dims[1:]) / pic.positions()
	block, rows, columns := pic.block, pic.height/pic.block, pic.width/pic.block
	scope := name + "/batchfirst"
	switch {
	case pic.positions() == 1:
		x = p.transpose(scope, p.reshape(scope, x, channels, -1), 1, 0)
	case block == 1:
		x = p.transpose(scope, x, 2, 1, 0)
	default:
		x = p.transpose(scope, p.reshape(scope, x, rows, columns, block, block, channels, -1), 5, 4, 0, 2, 1, 3)
	}
	x = p.reshape(scope, x, slices.Concat([]int{-1}, dims[1:])...)
	p.plain[name] = x
	return x
}

// reduce sums over the batch, and over the positions where a picture has them.
func (p *batchLast) reduce(n *onnxpb.NodeProto) bool {
	in, out := n.Input[0], n.Output[0]
	dims, pic := p.shapes[in], p.pictures[in].root()
	axes, ok := (&shaper{ints: p.lists}).reducedAxes(n, len(dims))
	if !ok || pic.bad {
		return false
	}
	flat := len(dims) == 2 && pic.positions() > 1
	var over []int
	switch {
	case len(axes) == len(dims):
		over = []int{0, 1, 2}
	case len(dims) == 4 && slices.Equal(axes, []int{0, 2, 3}), len(dims) == 2 && !flat && slices.Equal(axes, []int{0}):
		over = []int{0, 2}
	case flat && slices.Equal(axes, []int{0}):
		over = []int{2}
	default:
		return false
	}
	keep := intOf("keepdims", 0)
	var x string
	if n.OpType == "ReduceMean" {
		x = p.add(n.Name, n.OpType, []string{p.inLast(in)}, intsOf("axes", over...), keep)
	} else {
		x = p.add(n.Name, n.OpType, []string{p.inLast(in), p.ints(over...)}, keep)
	}
	if flat && len(over) == 1 {
		x = p.reorder(n.Name, x, []int{-1}, 0, pic, true)
	}
	if intAttribute(n, "keepdims", 1) != 0 {
		x = p.reshape(n.Name, x, p.shapes[out]...)
	}
	p.plain[out] = x
	return true
}

func (p *batchLast) normalise(n *onnxpb.NodeProto) bool {
	if intAttribute(n, "training_mode", 0) != 0 {
		return false
	}
	in, out := n.Input[0], n.Output[0]
	pic := p.pictures[out].root()
	flat := len(p.shapes[in]) == 2 && pic.positions() > 1
	args := []string{p.inLast(in)}
	if flat { // every feature has statistics of its own
		args[0] = p.reshape(n.Name, args[0], 1, product(p.shapes[in][1:]), -1)
	}
	for _, param := range n.Input[1:] {
		param = p.inPlain(param)
		if flat {
			param = p.reorder(n.Name, param, []int{-1}, 0, pic, false)
		}
		args = append(args, param)
	}
	x := p.add(n.Name, n.OpType, args, n.Attribute...)
	if flat {
		x = p.reshape(n.Name, x, pic.positions(), product(p.shapes[in][1:])/pic.positions(), -1)
	}
	p.last[out] = x
	return true
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// outputs gives the outputs of the graph their names, in their layout.
func (p *batchLast) outputs() {
	for _, v := range p.source.Output {
		if x := p.inPlain(v.Name); x != v.Name {
			p.graph.Node = append(p.graph.Node, &onnxpb.NodeProto{
				Name: p.nodes.claim(v.Name + "/Identity"), OpType: "Identity", Input: []string{x}, Output: []string{v.Name},
			})
		}
	}
}
