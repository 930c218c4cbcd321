package pass

import (
	"maps"
	"slices"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// InPlace finds the outputs of a model that may be written where an input lies:
// next maps outputs to the inputs whose next values they are, of one shape. Such
// an output is computed element by element, and whatever else reads its input
// has been computed before: the graph says so, not the order that a runtime
// happens to take.
//
// A weight is read for its layer's input gradient too, of which its next value
// doesn't depend. Where that value is w - x·rate, the rate is made to depend on
// it: it is joined with an empty slice.
//
// guo-mlp's step at batch 128 takes 24.4 ms with two arrays for everything,
// 23.5 with one for the moments and 22.5 with one for the weights too (two
// cores, Intel, AVX-512), in 36 MB less.
func InPlace(m *onnxpb.ModelProto, next map[string]string) (outputs []string) {
	if !known(m) {
		return nil
	}
	o := overwriting{rewriter: newRewriter(m.Graph), waits: map[*onnxpb.NodeProto][]string{}}
	for _, to := range slices.Sorted(maps.Keys(next)) {
		if o.free(next[to], to) {
			outputs = append(outputs, to)
		}
	}
	o.finish(m)
	return outputs
}

type overwriting struct {
	*rewriter
	waits map[*onnxpb.NodeProto][]string // values that a node waits for besides its inputs
}

// products are the operators that ONNX Runtime never makes a part of a later
// one: what they read is read when it is their turn.
var products = []string{"Conv", "ConvTranspose", "Gemm", "MatMul"}

// free tells whether an output may be written over an input.
func (o *overwriting) free(from, to string) bool {
	last := o.producers[to]
	if last == nil || last.Domain != "" || !slices.Contains(elementwise, last.OpType) {
		return false
	}
	if slices.ContainsFunc(o.source.Output, func(v *onnxpb.ValueInfoProto) bool { return v.Name == from }) {
		return false
	}
	before := o.before(last)
	var late []string
	for n := range o.uses(from, last) {
		switch {
		case before[n]:
		case slices.Contains(products, n.OpType):
			late = append(late, n.Output[0])
		default:
			return false
		}
	}
	if len(late) == 0 {
		return true
	}
	scaled := o.stepped(last, from)
	if scaled == nil || slices.ContainsFunc(late, func(v string) bool { return o.before(o.producers[v])[scaled] }) {
		return false
	}
	slices.Sort(late)
	o.waits[scaled] = append(o.waits[scaled], late...)
	joined := []string{o.reshape(scaled.Name, scaled.Input[1], 1)}
	for _, v := range late {
		joined = append(joined, o.add(scaled.Name, "Slice", []string{o.reshape(scaled.Name, v, -1), o.ints(0), o.ints(0), o.ints(0)}))
	}
	scaled.Input[1] = o.add(scaled.Name, "Concat", joined, intOf("axis", 0))
	return true
}

// uses are the nodes that read a value, themselves or, since ONNX Runtime may
// join them, through others; what comes behind last is none.
func (o *overwriting) uses(value string, last *onnxpb.NodeProto) map[*onnxpb.NodeProto]bool {
	found := map[*onnxpb.NodeProto]bool{}
	var follow func(value string)
	follow = func(value string) {
		for _, n := range o.readers[value] {
			if n == last || found[n] {
				continue
			}
			found[n] = true
			if !slices.Contains(products, n.OpType) {
				for _, out := range n.Output {
					follow(out)
				}
			}
		}
	}
	follow(value)
	return found
}

// before are the nodes that are always run before n.
func (o *overwriting) before(n *onnxpb.NodeProto) map[*onnxpb.NodeProto]bool {
	found := map[*onnxpb.NodeProto]bool{}
	var follow func(n *onnxpb.NodeProto)
	follow = func(n *onnxpb.NodeProto) {
		for _, name := range slices.Concat(n.Input, o.waits[n]) {
			if p := o.producers[name]; p != nil && !found[p] {
				found[p] = true
				follow(p)
			}
		}
	}
	follow(n)
	return found
}

// stepped recognises the weight w's w - x·rate, rate a scalar that is an input, and
// returns the product.
func (o *overwriting) stepped(n *onnxpb.NodeProto, w string) *onnxpb.NodeProto {
	if n.OpType != "Sub" || n.Input[0] != w {
		return nil
	}
	mul := o.producer(n.Input[1], "Mul")
	if mul == nil {
		return nil
	}
	axes := func(name string) int {
		for _, v := range o.source.Input {
			if v.Name == name {
				return len(v.Type.GetTensorType().GetShape().GetDim())
			}
		}
		return -1
	}
	if axes(mul.Input[1]) != 0 || axes(w) < 1 {
		return nil
	}
	return mul
}
