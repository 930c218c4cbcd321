package keras

import (
	"github.com/gantrain/gantrain/export/onnxpb"
)

// attribute finds an attribute of a node, nil where it has none.
func attribute(n *onnxpb.NodeProto, name string) *onnxpb.AttributeProto {
	for _, a := range n.Attribute {
		if a.Name == name {
			return a
		}
	}
	return nil
}

func intAttribute(n *onnxpb.NodeProto, name string, usual int64) int64 {
	if a := attribute(n, name); a != nil && a.I != nil {
		return *a.I
	}
	return usual
}

// intsAttribute reads a short list of sizes.
func intsAttribute(n *onnxpb.NodeProto, name string) ([]int, bool) {
	a := attribute(n, name)
	if a == nil {
		return nil, false
	}
	var out []int
	for _, v := range a.Ints {
		out = append(out, int(min(max(v, -maxRange), maxRange)))
	}
	return out, true
}
