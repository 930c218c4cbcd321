package pass

import "github.com/gantrain/gantrain/export/onnxpb"

// Slope writes the gradient of LeakyReLU without a condition:
//
//	Where(x > 0, dy, alpha·dy)  becomes  dy · Clip(x·1e38, alpha, 1)
//
// for 0 <= alpha <= 1. ONNX Runtime's Where is the slowest of its element-wise
// operators: it took a fifth of a DCGAN's step. Any normal float32 times 1e38
// is beyond both bounds; only below 1e-38 does the slope differ. The slope of
// one x serves all gradients that go through it.
func Slope(m *onnxpb.ModelProto) error {
	if !known(m) {
		return nil
	}
	r := newRewriter(m.Graph)
	for _, n := range m.Graph.Node {
		if x, dy, alpha, ok := r.leakyGradient(n); ok {
			r.product(n, r.scaled(n.Name, x, alpha, 1), dy)
		}
	}
	r.finish(m)
	return nil
}

// leakyGradient recognises Where(x > 0, dy, alpha·dy).
func (r *rewriter) leakyGradient(n *onnxpb.NodeProto) (x, dy string, alpha float64, ok bool) {
	if n.OpType != "Where" {
		return
	}
	positive, leaked := r.producer(n.Input[0], "Greater"), r.producer(n.Input[2], "Mul")
	if positive == nil || leaked == nil {
		return
	}
	zero, ok := r.scalar(positive.Input[1])
	if !ok || zero != 0 || leaked.Input[0] != n.Input[1] {
		return x, dy, alpha, false
	}
	alpha, ok = r.scalar(leaked.Input[1])
	return positive.Input[0], n.Input[1], alpha, ok && alpha >= 0 && alpha <= 1
}

// steep takes any normal number beyond both bounds of a slope.
const steep = 1e38

// scaled adds the slope of LeakyReLU at x, times scale.
func (r *rewriter) scaled(scope, x string, alpha, scale float64) string {
	sign := r.add(scope, "Mul", []string{x, r.floats([]float64{steep})})
	return r.add(scope, "Clip", []string{sign, r.floats([]float64{alpha * scale}), r.floats([]float64{scale})})
}

// slopeAt recognises what scaled adds: the product that it clips, and between
// which bounds.
func (r *rewriter) slopeAt(clip *onnxpb.NodeProto) (sign *onnxpb.NodeProto, low, high float64, ok bool) {
	if clip.GetOpType() != "Clip" || clip.Domain != "" || len(clip.Input) != 3 {
		return nil, 0, 0, false
	}
	low, hasLow := r.scalar(clip.Input[1])
	high, hasHigh := r.scalar(clip.Input[2])
	if sign = r.producer(clip.Input[0], "Mul"); sign == nil || !hasLow || !hasHigh {
		return nil, 0, 0, false
	}
	factor, _ := r.scalar(sign.Input[1])
	return sign, low, high, factor == float64(float32(steep))
}
