package pass

import "github.com/gantrain/gantrain/export/onnxpb"

// Rectified reads LeakyReLU's slope off its output instead of its input, which
// has the same sign:
//
//	Clip(x·1e38, alpha, 1)  becomes  Clip(y·1e38, alpha, 1),  y = LeakyRelu(x)
//
// The gradient is of the form that [Slope] writes. Where nothing else reads x,
// the product of a Gemm or Conv, ONNX Runtime makes LeakyReLU a part of that.
//
// guo-mlp's step at batch 128, two cores (Intel, AVX-512), behind Slope and
// Gate: 26.5 to 26.0 ms.
func Rectified(m *onnxpb.ModelProto) error {
	if !known(m) {
		return nil
	}
	r := newRewriter(m.Graph)
	leaky := map[string]string{}                   // from an input to the output
	behind := map[*onnxpb.NodeProto]bool{}         // products that stand behind the LeakyReLU of what they read
	candidates := map[string][]*onnxpb.NodeProto{} // products x·1e38 that are only clipped
	for _, n := range m.Graph.Node {
		switch {
		case n.Domain != "":
		case n.OpType == "LeakyRelu" && leakyAlpha(n) > 0:
			leaky[n.Input[0]] = n.Output[0]
		case n.OpType == "Mul":
			behind[n] = leaky[n.Input[0]] != ""
		case n.OpType == "Clip":
			sign, low, high, ok := r.slopeAt(n)
			if ok && behind[sign] && r.users[n.Input[0]] == 1 && low >= 0 && high == 1 {
				candidates[sign.Input[0]] = append(candidates[sign.Input[0]], sign)
			}
		}
	}
	for x, muls := range candidates {
		if r.users[x] != len(muls)+1 || r.producer(x, "Gemm") == nil && r.producer(x, "Conv") == nil {
			continue
		}
		for _, mul := range muls {
			mul.Input[0] = leaky[x]
		}
	}
	r.finish(m)
	return nil
}

// leakyAlpha is the slope of a LeakyRelu, by default ONNX's.
func leakyAlpha(n *onnxpb.NodeProto) float64 {
	if a := attribute(n, "alpha"); a != nil {
		return float64(a.GetF())
	}
	return 0.01
}
