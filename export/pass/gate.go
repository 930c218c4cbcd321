package pass

import "github.com/gantrain/gantrain/export/onnxpb"

// Gate joins LeakyReLU and the dropout behind it into one factor for each
// element, k = slope·mask·scale, which forward and backward pass share:
//
//	y = scale·(mask·LeakyRelu(x))                     becomes  y = x·k
//	dx = Clip(x·1e38, alpha, 1) · scale·(mask·dy)     becomes  dx = dy·k
//
// The gradient is of the form that [Slope] writes. Without one the forward pass
// stays: the factor alone costs more.
func Gate(m *onnxpb.ModelProto) error {
	if !known(m) {
		return nil
	}
	r := newRewriter(m.Graph)
	type gate struct {
		x, mask      string
		alpha, scale float64
	}
	forward := map[gate][]*onnxpb.NodeProto{}
	for _, n := range m.Graph.Node {
		dropped, mask, scale, ok := r.dropout(n)
		if leaky := r.producer(dropped, "LeakyRelu"); ok && leaky != nil && r.users[dropped] == 1 {
			g := gate{leaky.Input[0], mask, leakyAlpha(leaky), scale}
			forward[g] = append(forward[g], n)
		}
	}
	for _, n := range m.Graph.Node {
		x, alpha, kept, ok := r.slopeTimes(n)
		if !ok {
			continue
		}
		dy, mask, scale, ok := r.dropout(r.producer(kept, "Mul"))
		if !ok || r.users[kept] != 1 {
			continue
		}
		g := gate{x, mask, alpha, scale}
		if len(forward[g]) == 0 {
			continue
		}
		factor := r.add(n.Name, "Mul", []string{r.scaled(n.Name, x, alpha, scale), mask})
		for _, f := range forward[g] {
			r.product(f, factor, x)
		}
		r.product(n, factor, dy)
	}
	r.finish(m)
	return nil
}

// dropout recognises scale·(x·mask), the mask cast from whole numbers.
func (r *rewriter) dropout(n *onnxpb.NodeProto) (x, mask string, scale float64, ok bool) {
	if n == nil || n.OpType != "Mul" {
		return
	}
	masked := r.producer(n.Input[0], "Mul")
	scale, ok = r.scalar(n.Input[1])
	if !ok || masked == nil || r.users[n.Input[0]] != 1 || r.producer(masked.Input[1], "Cast") == nil {
		return x, mask, scale, false
	}
	return masked.Input[0], masked.Input[1], scale, true
}

// slopeTimes recognises the gradient that Slope writes.
func (r *rewriter) slopeTimes(n *onnxpb.NodeProto) (x string, alpha float64, dy string, ok bool) {
	if n.OpType != "Mul" {
		return
	}
	sign, alpha, high, ok := r.slopeAt(r.producer(n.Input[0], "Clip"))
	if !ok || high != 1 {
		return "", 0, "", false
	}
	return sign.Input[0], alpha, n.Input[1], true
}
