package pass

import (
	"slices"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// picture is how the features of values lie: those of every value that is
// computed from another one element by element.
type picture struct {
	same          *picture // nil, or the one that stands for this one
	height, width int      // 0 where the features are no picture: one position
	// block is how the positions are ordered: the picture in blocks of so many
	// rows and columns, each block's positions together.
	block int
	bad   bool // two sizes that don't go together
}

func (p *picture) root() *picture {
	for p.same != nil {
		p = p.same
	}
	return p
}

func (p *picture) positions() int { return max(p.height*p.width, 1) }

// order lists the positions, counted row by row, as they lie.
func (p *picture) order() []int {
	if p.height == 0 {
		return []int{0}
	}
	var order []int
	for y := 0; y < p.height; y += p.block {
		for x := 0; x < p.width; x += p.block {
			for i := range p.block * p.block {
				order = append(order, (y+i/p.block)*p.width+x+i%p.block)
			}
		}
	}
	return order
}

// features lists the features, counted as channels, rows, columns, as they lie:
// position by position.
func (p *picture) features(channels int) (order []int) {
	for _, position := range p.order() {
		for c := range channels {
			order = append(order, c*p.positions()+position)
		}
	}
	return order
}

// batched reports a batch of vectors or pictures of a known size.
func batched(dims []int) bool {
	return (len(dims) == 2 || len(dims) == 4) && !slices.Contains(dims[1:], unknown)
}

// mark says that a value's first axis is the batch.
func (p *batchLast) mark(name string) {
	p.batch[name] = true
	p.pictures[name] = &picture{block: 1}
	if dims := p.shapes[name]; len(dims) == 4 {
		p.pictures[name].height, p.pictures[name].width = dims[2], dims[3]
	}
}

// unite says that the features of two values lie alike.
func (p *batchLast) unite(a, b string) {
	x, y := p.pictures[a].root(), p.pictures[b].root()
	if x == y {
		return
	}
	y.same = x
	switch {
	case y.height == 0:
	case x.height == 0:
		x.height, x.width = y.height, y.width
	case x.height != y.height || x.width != y.width:
		x.bad = true
	}
	x.bad = x.bad || y.bad
}

// classify marks the output of a node that keeps the batch, and unites what
// lies alike.
func (p *batchLast) classify(n *onnxpb.NodeProto) {
	out := p.shapes[n.Output[0]]
	if !batched(out) || n.Domain != "" {
		return
	}
	name := n.Output[0]
	if c, ok := p.convolutionAt(n); ok && c.direction != toKernel {
		p.mark(name)
		return
	}
	switch {
	case n.OpType == "Flatten" && p.lookedUp(n.Input[0]):
		p.mark(name)
	case slices.Contains(elementwise, n.OpType):
		if !slices.ContainsFunc(n.Input, func(in string) bool { return p.batch[in] && len(p.shapes[in]) == len(out) }) {
			return
		}
		p.mark(name)
		for _, in := range n.Input {
			if !slices.Equal(p.shapes[in], out) {
				continue
			}
			if !p.batch[in] { // a constant for each example
				p.mark(in)
				p.late[in] = true
			}
			p.unite(name, in)
		}
	case n.OpType == "BatchNormalization", n.OpType == "Flatten", n.OpType == "Reshape" && (len(out) == 2 || len(p.shapes[n.Input[0]]) == 2):
		if in := n.Input[0]; p.batch[in] && p.shapes[in][0] == out[0] {
			p.mark(name)
			p.unite(name, in)
		}
	case n.OpType == "Concat", n.OpType == "Slice":
		batches := slices.DeleteFunc(slices.Clone(n.Input), func(in string) bool { return !p.batch[in] })
		if n.OpType == "Concat" && len(batches) < len(n.Input) || len(batches) == 0 || !p.keepsPicture(n) {
			return
		}
		p.mark(name)
		for _, in := range batches {
			p.unite(name, in)
		}
	case n.OpType == "Gemm":
		if p.batch[n.Input[0]] && !p.batch[n.Input[1]] && intAttribute(n, "transA", 0) == 0 {
			p.mark(name)
		}
	}
}

// lookedUp reports rows of a table by a batch of labels, as an embedding has
// them: [batch, labels, features], so neither vectors nor pictures.
func (p *batchLast) lookedUp(name string) bool {
	n := p.producers[name]
	return n.GetOpType() == "Gather" && n.Domain == "" && axisOf(n, 0) == 0 && p.batch[n.Input[1]] && !p.batch[n.Input[0]]
}

// keepsPicture reports a Concat or Slice along batch or channels.
func (p *batchLast) keepsPicture(n *onnxpb.NodeProto) bool {
	axes := []int{axisOf(n, 0)}
	if n.OpType == "Slice" {
		if len(n.Input) != 4 {
			return false
		}
		axes = p.lists[n.Input[3]]
	}
	return len(axes) == 1 && (axes[0] == 0 || axes[0] == 1 && len(p.shapes[n.Input[0]]) == 4)
}
