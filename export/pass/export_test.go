package pass

import "github.com/gantrain/gantrain/export/onnxpb"

// Shapes gives the shapes that are known, -1 an axis without a size.
func Shapes(m *onnxpb.ModelProto) map[string][]int {
	return infer(m.Graph).known
}

// HalfOf rounds to half precision.
var HalfOf = halfOf
