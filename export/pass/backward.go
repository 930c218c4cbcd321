package pass

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// Backward runs backward once, for all losses, through what they share of a
// network that ends in one unit.
//
// There the gradient of an example is a number g, the loss's derivative by the
// logit, times the unit's weights. Until examples meet, every operator on the
// way back is linear and keeps them apart, so that g stays a factor of each
// example:
//
//	f(g1·w') and f(g2·w')  become  f(w') with g1·f(w') and g2·f(w') behind it
//
// The discriminator's loss on generated images and the generator's own go back
// through the same layers, where a step gives both one forward pass. A network
// with BatchNorm has no such factor behind it.
//
// A product by g stands where f(w') is read by something else, or, if that comes
// before, where the next operator would make it larger.
func Backward(m *onnxpb.ModelProto) error {
	if !known(m) {
		return nil
	}
	s := infer(m.Graph)
	b := backward{rewriter: newRewriter(m.Graph), shapes: s.known, lists: s.ints, factored: map[string]*factored{}, rests: map[string]string{}}
	losses := map[string]map[string]bool{} // of each rest
	for _, n := range m.Graph.Node {
		f := b.factor(n)
		if f == nil {
			continue
		}
		b.factored[n.Output[0]] = f
		if losses[f.key] == nil {
			losses[f.key] = map[string]bool{}
		}
		losses[f.key][f.loss] = true
	}
	for _, n := range m.Graph.Node {
		f := b.factored[n.Output[0]]
		switch {
		case f == nil || f.from == nil:
		case len(losses[f.key]) > 1 && slices.Contains([]string{"Conv", "ConvTranspose", "Gemm", "MatMul"}, n.OpType):
			for ; f != nil && !f.shared; f = f.from {
				f.shared = true
			}
		}
	}
	for _, n := range m.Graph.Node {
		f := b.factored[n.Output[0]]
		if f == nil {
			continue
		}
		if in := f.from; in != nil && in.shared && b.users[in.node.Output[0]] == 1 && b.size(n) <= b.size(in.node) {
			f.shared = true
		}
		if f.shared {
			b.split(f)
		}
	}
	b.finish(m)
	return nil
}

type backward struct {
	*rewriter
	shapes   map[string][]int
	lists    map[string][]int // the values of constant lists
	factored map[string]*factored
	rests    map[string]string // from a key to the value
}

// factored is a value each example of which has a factor of its own.
type factored struct {
	node   *onnxpb.NodeProto // that computes it
	loss   string            // the factors, [examples, 1]
	from   *factored         // the value before; nil behind the unit's weights
	at     int               // its place among the node's inputs
	key    string            // equal where all but the factors is
	shared bool              // whether all but the factors is to be computed without them
}

// factor recognises the gradient of a layer of one unit, and what is computed
// from it by a linear operator that keeps examples apart.
func (b *backward) factor(n *onnxpb.NodeProto) *factored {
	if n.Domain != "" || len(n.Output) != 1 || len(n.Input) == 0 {
		return nil
	}
	if f := (&factored{node: n, loss: n.Input[0]}); b.outer(n) {
		f.key = "row of " + n.Input[1]
		return f
	}
	at := slices.IndexFunc(n.Input, func(in string) bool { return b.factored[in] != nil })
	if at < 0 || !b.linear(n, at) {
		return nil
	}
	f := &factored{node: n, from: b.factored[n.Input[at]], at: at}
	f.loss = f.from.loss
	c := anonymous(n)
	c.Input[at] = f.from.key
	f.key = fmt.Sprintf("%x", digest(c))
	return f
}

// outer reports a product of one column by one row.
func (b *backward) outer(n *onnxpb.NodeProto) bool {
	if n.OpType != "Gemm" || len(n.Input) != 2 || intAttribute(n, "transA", 0) != 0 || attribute(n, "alpha") != nil {
		return false
	}
	column := b.shapes[n.Input[0]]
	return len(column) == 2 && column[1] == 1 && len(b.shapes[n.Output[0]]) == 2
}

// linear reports an operator on one factored input that gives an example's
// factor to the same example.
func (b *backward) linear(n *onnxpb.NodeProto, at int) bool {
	x, y := b.shapes[n.Input[at]], b.shapes[n.Output[0]]
	others := slices.Delete(slices.Clone(n.Input), at, at+1)
	if len(x) < 2 || len(y) < 2 || slices.ContainsFunc(others, func(in string) bool { return b.factored[in] != nil }) {
		return false
	}
	switch n.OpType {
	case "Mul":
		return slices.Equal(x, y)
	case "Reshape", "Flatten":
		return at == 0 && x[0] == y[0] && !slices.Contains(y[1:], unknown)
	case "Conv", "ConvTranspose":
		return at == 0 && len(n.Input) == 2
	case "Gemm":
		return at == 0 && len(n.Input) == 2 && intAttribute(n, "transA", 0) == 0
	case "MatMul":
		return at == 0 && len(x) == 2
	case "Slice":
		axes := b.lists[n.Input[len(n.Input)-1]]
		return at == 0 && len(n.Input) == 4 && len(axes) > 0 && !slices.Contains(axes, 0)
	}
	return false
}

// size is the number of values of an example.
func (b *backward) size(n *onnxpb.NodeProto) int { return product(b.shapes[n.Output[0]][1:]) }

// split makes a factored value a product of the factors and of the rest, which
// stands once for all of its key.
func (b *backward) split(f *factored) {
	n, dims := f.node, b.shapes[f.node.Output[0]]
	rest, ok := b.rests[f.key]
	switch {
	case ok:
	case f.from == nil:
		rest = b.reshape(n.Name, n.Input[1], 1, dims[1])
	case n.OpType == "Reshape" || n.OpType == "Flatten": // of one example, if the rest is the same for all
		rest = b.reshape(n.Name, b.rests[f.from.key], append([]int{-1}, dims[1:]...)...)
	default:
		c := proto.Clone(n).(*onnxpb.NodeProto)
		c.Input[f.at] = b.rests[f.from.key]
		rest = b.add(n.Name, n.OpType, c.Input, c.Attribute...)
	}
	b.rests[f.key] = rest
	each := append([]int{-1}, slices.Repeat([]int{1}, len(dims)-1)...)
	b.product(n, rest, b.reshape(n.Name, f.loss, each...))
}
