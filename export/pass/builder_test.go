package pass

import (
	"slices"
	"testing"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// TestBuilderNames: nothing that is added takes a name that stands anywhere, of
// a value or of a node, and equal constants stand once.
func TestBuilderNames(t *testing.T) {
	b := newBuilder(&onnxpb.GraphProto{
		Input:       []*onnxpb.ValueInfoProto{{Name: "constant"}},
		Output:      []*onnxpb.ValueInfoProto{{Name: "a/Add"}},
		Initializer: []*onnxpb.TensorProto{{Name: "constant_2"}},
		Node:        []*onnxpb.NodeProto{{Name: "a/Mul", Output: []string{"a/Add_2"}}},
	})
	var got []string
	got = append(got, b.ints(1, 2), b.ints(1, 2), b.ints(1), b.floats([]float64{1, 2}, 2), b.floats([]float64{1, 2}, 1, 2))
	got = append(got, b.add("a", "Add", nil), b.add("a", "Add", nil), b.add("a", "Mul", nil))
	want := []string{"constant_3", "constant_3", "constant_4", "constant_5", "constant_6", "a/Add_3", "a/Add_2_2", "a/Mul_2"}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	nodes := map[string]bool{"a/Mul": true}
	for _, n := range b.graph.Node {
		if nodes[n.Name] {
			t.Errorf("two nodes are called %s", n.Name)
		}
		nodes[n.Name] = true
	}
}
