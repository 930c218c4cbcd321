package pass

import (
	"slices"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// gemm is x W + b with examples as columns: (W' x') + b'.
func (p *batchLast) gemm(n *onnxpb.NodeProto) bool {
	x, w, out := n.Input[0], n.Input[1], n.Output[0]
	if !p.batch[x] || p.batch[w] || p.pictures[x].root().bad || attribute(n, "beta") != nil {
		return false
	}
	biased := len(n.Input) > 2 && n.Input[2] != ""
	if biased && (p.batch[n.Input[2]] || !slices.Equal(p.shapes[n.Input[2]], p.shapes[out][1:])) {
		return false
	}
	transB := intAttribute(n, "transB", 0) != 0
	weight := p.inPlain(w)
	xs, ys := p.side(x, p.shapes[out][1]), p.side(out, p.shapes[x][1])
	if transB {
		weight = p.kernelOf(n.Name, weight, ys, xs, false)
	} else {
		weight = p.kernelOf(n.Name, weight, xs, ys, false)
	}
	in := []string{weight, p.columns(n.Name, xs)}
	if biased {
		b := p.inPlain(n.Input[2])
		if ys.weight {
			b = p.reorder(n.Name, b, []int{-1}, 0, ys.picture, false)
		}
		in = append(in, p.reshape(n.Name, b, -1, 1))
	}
	y := p.add(n.Name, "Gemm", in, scaled(n, intOf("transA", flag(!transB)))...)
	channels := ys.features / ys.positions()
	if ys.positions() > 1 && !ys.weight {
		y = p.add(n.Name, "Gather", []string{y, p.ints(ys.picture.features(channels)...)})
	}
	p.last[out] = p.reshape(n.Name, y, ys.positions(), channels, -1)
	return true
}

// sumOverBatch is x' y, a weight's gradient.
func (p *batchLast) sumOverBatch(n *onnxpb.NodeProto) bool {
	x, y, out := n.Input[0], n.Input[1], n.Output[0]
	if !p.batch[y] || len(n.Input) > 2 || intAttribute(n, "transB", 0) != 0 ||
		p.pictures[x].root().bad || p.pictures[y].root().bad {
		return false
	}
	xs, ys := p.side(x, p.shapes[y][1]), p.side(y, p.shapes[x][1])
	w := p.add(n.Name, "Gemm", []string{p.columns(n.Name, xs), p.columns(n.Name, ys)}, scaled(n, intOf("transB", 1))...)
	p.plain[out] = p.kernelOf(n.Name, w, xs, ys, true)
	return true
}

// scaled are the attributes of a product that takes the place of n: n's factor
// and others.
func scaled(n *onnxpb.NodeProto, others ...*onnxpb.AttributeProto) []*onnxpb.AttributeProto {
	if alpha := attribute(n, "alpha"); alpha != nil {
		others = append(others, alpha)
	}
	return others
}

// side is one side of a dense layer: a value of so many features for each
// example.
type side struct {
	value    string
	features int
	*picture
	// weight: the positions' order is met by the weight; otherwise by moving
	// whole rows of examples.
	weight bool
}

// side chooses by what is moved, for a weight with so many features on its
// other side. A weight whose positions lie in blocks is moved number by number,
// which takes sixteen times as long as whole rows.
func (p *batchLast) side(value string, others int) side {
	dims, pic := p.shapes[value], p.pictures[value].root()
	if pic.block > 1 {
		others *= 16
	}
	return side{value, dims[1], pic, pic.positions() > 1 && (dims[0] == unknown || others < dims[0])}
}

// columns is a value of a dense layer as [features, batch].
func (p *batchLast) columns(scope string, s side) string {
	x := p.reshape(scope, p.inLast(s.value), s.features, -1)
	if s.positions() == 1 || s.weight {
		return x
	}
	at := make([]int, s.features)
	for i, feature := range s.picture.features(s.features / s.positions()) {
		at[feature] = i
	}
	return p.add(scope, "Gather", []string{x, p.ints(at...)})
}

// kernelOf reorders rows and columns of a dense layer's weight as the features
// lie, or back.
func (p *batchLast) kernelOf(scope, w string, rows, columns side, back bool) string {
	shape := []int{rows.features, columns.features}
	for axis, s := range []side{rows, columns} {
		if s.weight {
			w = p.reorder(scope, w, shape, axis, s.picture, back)
		}
	}
	return w
}
