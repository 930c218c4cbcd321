package pass

import (
	"math"
	"slices"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// FoldBatchNorm takes normalisations by running statistics out of a model of
// opset 7 or later, in float32. Each is a factor and a summand for every channel,
//
//	a = gamma / sqrt(variance + epsilon)
//	b = beta - mean·a
//
// which become part of the weights of the Gemm, Conv or ConvTranspose before it,
// also through a Slice or a Reshape that lies between, or else of the Gemm after
// it. Where none of these stands beside it, or others read its weights, it
// becomes a Mul and an Add. FoldBatchNorm returns how many became part of a layer
// and how many did not.
func FoldBatchNorm(m *onnxpb.ModelProto) (folded, apart int) {
	if plain(m) != nil {
		return 0, 0
	}
	e := newEditor(m.Graph)
	for _, n := range slices.Clone(m.Graph.Node) {
		f, ok := normalisation(e, n)
		switch {
		case !ok:
		case f.before() || f.after():
			e.skip(n)
			folded++
		case f.rank(n.Output[0]) == 0: // nothing tells which axis has the channels
		default:
			f.write()
			apart++
		}
	}
	Prune(m)
	return folded, apart
}

// fold is a normalisation to be taken out: channel c becomes a[c]·x + b[c].
type fold struct {
	*editor
	node *onnxpb.NodeProto
	a, b []float64
}

func normalisation(e *editor, n *onnxpb.NodeProto) (f fold, ok bool) {
	if n.OpType != "BatchNormalization" || n.Domain != "" || len(n.Input) != 5 || intAttribute(n, "training_mode", 0) != 0 {
		return f, false
	}
	var p [4][]float64 // gamma, beta, mean, variance
	for i := range p {
		if p[i] = e.floats(n.Input[i+1]); p[i] == nil || len(p[i]) != len(p[0]) {
			return f, false
		}
	}
	f = fold{e, n, make([]float64, len(p[0])), make([]float64, len(p[0]))}
	epsilon := floatAttribute(n, "epsilon", 1e-5)
	for c := range f.a {
		f.a[c] = p[0][c] / math.Sqrt(p[3][c]+epsilon)
		f.b[c] = p[1][c] - p[2][c]*f.a[c]
	}
	return f, true
}

// before makes it part of the layer that its input comes from.
func (f fold) before() bool {
	x := f.node.Input[0]
	features := 1 // of a Gemm, for each channel
	if f.users[x] != 1 || f.producers[x] == nil {
		return false
	}
	switch n := f.producers[x]; n.OpType {
	case "Reshape": // of rows of features to [batch, channels, ...]
		shape, ok := f.ints(n.Input[1])
		if !ok || len(shape) < 2 || shape[1] != len(f.a) || slices.Min(shape[1:]) < 1 {
			return false
		}
		x, features = n.Input[0], product(shape[2:])
	case "Slice": // of places, on which a channel's factor does not depend
		axes, ok := []int(nil), false
		if len(n.Input) > 3 {
			axes, ok = f.ints(n.Input[3])
		}
		if !ok || slices.Min(axes) < 2 {
			return false
		}
		x = n.Input[0]
	}
	layer := f.producers[x]
	if layer == nil || f.users[x] != 1 || layer.OpType != "Gemm" && x != f.node.Input[0] && features > 1 {
		return false
	}
	channel, ok := f.channels(layer, features)
	if !ok {
		return false
	}
	w, bias := f.floats(layer.Input[1]), f.bias(layer, len(f.a)*features)
	if w == nil || bias == nil || f.users[layer.Input[1]] != 1 {
		return false
	}
	for i := range w {
		w[i] *= f.a[channel(i)]
	}
	for i := range bias {
		bias[i] = bias[i]*f.a[i/features] + f.b[i/features]
	}
	f.refit(layer, w, bias)
	return true
}

// channels tells which channel each weight of a layer makes, if the layer makes
// so many features for each.
func (f fold) channels(layer *onnxpb.NodeProto, features int) (of func(weight int) int, ok bool) {
	if len(layer.Input) < 2 || layer.Domain != "" || f.weights[layer.Input[1]] == nil {
		return nil, false
	}
	w := f.weights[layer.Input[1]]
	dims, axis := w.Dims, 0
	switch layer.OpType {
	case "Gemm":
		if !unscaled(layer) || len(dims) != 2 {
			return nil, false
		}
		axis = 1 - intAttribute(layer, "transB", 0)
	case "Conv":
	case "ConvTranspose":
		axis = 1
	default:
		return nil, false
	}
	if intAttribute(layer, "group", 1) != 1 || len(dims) <= axis || int(dims[axis]) != len(f.a)*features {
		return nil, false
	}
	inner := 1
	for _, d := range dims[axis+1:] {
		inner *= int(d)
	}
	return func(weight int) int { return weight / inner % int(dims[axis]) / features }, true
}

// unscaled reports a Gemm that is x·w + bias.
func unscaled(n *onnxpb.NodeProto) bool {
	return floatAttribute(n, "alpha", 1) == 1 && floatAttribute(n, "beta", 1) == 1 && intAttribute(n, "transA", 0) == 0
}

// after makes it part of the Gemm that alone reads it.
func (f fold) after() bool {
	y := f.node.Output[0]
	at := slices.IndexFunc(f.graph.Node, func(n *onnxpb.NodeProto) bool { return slices.Contains(n.Input, y) })
	if at < 0 || f.users[y] != 1 {
		return false
	}
	layer := f.graph.Node[at]
	if layer.OpType != "Gemm" || layer.Domain != "" || layer.Input[0] != y || !unscaled(layer) || intAttribute(layer, "transB", 0) != 0 {
		return false
	}
	w := f.floats(layer.Input[1])
	if w == nil || len(w)%len(f.a) != 0 || f.users[layer.Input[1]] != 1 {
		return false
	}
	outputs := len(w) / len(f.a)
	bias := f.bias(layer, outputs)
	if bias == nil {
		return false
	}
	for i := range w {
		bias[i%outputs] += w[i] * f.b[i/outputs]
		w[i] *= f.a[i/outputs]
	}
	f.refit(layer, w, bias)
	return true
}

// bias is a layer's, zeros where it has none, nil where it is none of so many
// constants for this layer alone.
func (f fold) bias(layer *onnxpb.NodeProto, size int) []float64 {
	if len(layer.Input) < 3 || layer.Input[2] == "" {
		return make([]float64, size)
	}
	if v := f.floats(layer.Input[2]); len(v) == size && f.users[layer.Input[2]] == 1 {
		return v
	}
	return nil
}

// refit gives a layer other numbers under the names that they have.
func (f fold) refit(layer *onnxpb.NodeProto, w, bias []float64) {
	f.setFloats(f.weights[layer.Input[1]], w)
	if len(layer.Input) < 3 || layer.Input[2] == "" {
		layer.Input = append(layer.Input[:2:2], f.addFloats(layer.Name+"/bias", bias, len(bias)))
		return
	}
	f.setFloats(f.weights[layer.Input[2]], bias)
}

// write puts a product and a sum in its place.
func (f fold) write() {
	shape := append([]int{len(f.a)}, slices.Repeat([]int{1}, max(f.rank(f.node.Output[0])-2, 0))...)
	product := f.values.claim(f.node.Name + "/Mul")
	before := &onnxpb.NodeProto{
		Name: f.nodes.claim(f.node.Name + "/Mul"), OpType: "Mul",
		Input: []string{f.node.Input[0], f.addFloats(f.node.Name+"/factor", f.a, shape...)}, Output: []string{product},
	}
	f.node.OpType, f.node.Attribute = "Add", nil
	f.node.Input = []string{product, f.addFloats(f.node.Name+"/summand", f.b, shape...)}
	f.graph.Node = slices.Insert(f.graph.Node, slices.Index(f.graph.Node, f.node), before)
}
