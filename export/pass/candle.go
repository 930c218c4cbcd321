package pass

import "github.com/gantrain/gantrain/export/onnxpb"

// Candle writes a model for candle-onnx 0.11, which lacks ConvTranspose and ends
// in a panic at a Gemm of two inputs: those get a bias of zeros.
func Candle(m *onnxpb.ModelProto) {
	Subpixel(m)
	e := newEditor(m.Graph)
	for _, n := range m.Graph.Node {
		if n.OpType != "Gemm" || n.Domain != "" || len(n.Input) != 2 || e.weights[n.Input[1]] == nil {
			continue
		}
		outputs := int(e.weights[n.Input[1]].Dims[1-intAttribute(n, "transB", 0)])
		n.Input = append(n.Input, e.addFloats(n.Name+"/bias", make([]float64, outputs), outputs))
	}
}
