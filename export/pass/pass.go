// Package pass rewrites ONNX models: what comes out computes the same, in fewer
// or in faster nodes. A pass is deterministic and keeps the names of inputs and
// outputs. Those for speed change nothing when they are run again; those of a
// [Variant] refuse what they have done, or do it once more.
package pass

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// plain reports what keeps a model from being rewritten: names may be read in
// places where no pass looks for them.
func plain(m *onnxpb.ModelProto) error {
	if m.GetGraph() == nil {
		return fmt.Errorf("the model has no graph")
	}
	if len(m.Functions) > 0 {
		return fmt.Errorf("the model has functions of its own")
	}
	for _, message := range []protoreflect.Message{m.ProtoReflect(), m.Graph.ProtoReflect()} {
		if len(message.GetUnknown()) > 0 {
			return fmt.Errorf("the model holds more than is known here, such as sparse or training data")
		}
	}
	for _, n := range m.Graph.Node {
		for _, a := range n.Attribute {
			if a.G != nil || len(a.Graphs) > 0 {
				return fmt.Errorf("node %q (%s) holds a graph of its own", n.Name, n.OpType)
			}
		}
	}
	return nil
}

// known reports a model whose operators mean what the passes for speed know
// them by: those of opset 13 to 17, on float32.
func known(m *onnxpb.ModelProto) bool {
	if plain(m) != nil {
		return false
	}
	for _, o := range m.OpsetImport {
		if o.Domain == "" && (o.Version < 13 || o.Version > 17) {
			return false
		}
	}
	other := func(t int32) bool {
		switch onnxpb.TensorProto_DataType(t) {
		case onnxpb.TensorProto_DOUBLE, onnxpb.TensorProto_FLOAT16, onnxpb.TensorProto_BFLOAT16:
			return true
		}
		return false
	}
	return !slices.ContainsFunc(m.Graph.Input, func(v *onnxpb.ValueInfoProto) bool { return other(v.Type.GetTensorType().GetElemType()) }) &&
		!slices.ContainsFunc(m.Graph.Initializer, func(t *onnxpb.TensorProto) bool { return other(t.DataType) })
}

// inputs returns the names of a graph's inputs. An initializer of such a name
// is only a default, which a caller may replace.
func inputs(g *onnxpb.GraphProto) map[string]bool {
	names := map[string]bool{}
	for _, v := range g.Input {
		names[v.Name] = true
	}
	return names
}

// rename gives values other names wherever they stand, inputs and outputs of
// the graph aside.
func rename(g *onnxpb.GraphProto, to map[string]string) {
	change := func(name *string) {
		if other, ok := to[*name]; ok {
			*name = other
		}
	}
	for _, n := range g.Node {
		for i := range n.Input {
			change(&n.Input[i])
		}
		for i := range n.Output {
			change(&n.Output[i])
		}
	}
	for _, t := range g.Initializer {
		change(&t.Name)
	}
	for _, v := range g.ValueInfo {
		change(&v.Name)
	}
}

// typeText prints the type and shape of a value for an error: "FLOAT[batch 100]".
func typeText(t *onnxpb.TypeProto) string {
	array := t.GetTensorType()
	dims := []string{}
	for _, d := range array.GetShape().GetDim() {
		switch v := d.Value.(type) {
		case *onnxpb.TensorShapeProto_Dimension_DimValue:
			dims = append(dims, fmt.Sprint(v.DimValue))
		case *onnxpb.TensorShapeProto_Dimension_DimParam:
			dims = append(dims, v.DimParam)
		default:
			dims = append(dims, "?")
		}
	}
	return fmt.Sprintf("%v%v", onnxpb.TensorProto_DataType(array.GetElemType()), dims)
}

// names are names in use.
type names map[string]bool

// claim returns the first of the given names that is free, or else the last
// with a number that makes it so, and takes it.
func (n names) claim(choice ...string) string {
	for _, name := range choice {
		if !n[name] {
			n[name] = true
			return name
		}
	}
	last := choice[len(choice)-1]
	for i := 2; ; i++ {
		if name := fmt.Sprintf("%s_%d", last, i); !n[name] {
			n[name] = true
			return name
		}
	}
}
