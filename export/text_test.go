package export_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// asText prints a model, one line for each thing in it: what a reviewer of an
// exported model wants to see change.
func asText(m *onnxpb.ModelProto) string {
	var b strings.Builder
	fmt.Fprintf(&b, "model %s, ir %d, opset %d, by %s %s\n",
		m.Graph.Name, m.IrVersion, m.OpsetImport[0].Version, m.ProducerName, m.ProducerVersion)
	for _, e := range m.MetadataProps {
		fmt.Fprintf(&b, "metadata %s=%s\n", e.Key, e.Value)
	}
	for _, list := range []struct {
		title  string
		values []*onnxpb.ValueInfoProto
	}{{"input", m.Graph.Input}, {"output", m.Graph.Output}, {"value", m.Graph.ValueInfo}} {
		for _, v := range list.values {
			fmt.Fprintf(&b, "%s %s %s\n", list.title, v.Name, typeText(v))
		}
	}
	for _, t := range m.Graph.Initializer {
		fmt.Fprintf(&b, "weight %s %s%v, %d bytes\n", t.Name, typeName(t.DataType), t.Dims, len(t.RawData))
	}
	for _, n := range m.Graph.Node {
		fmt.Fprintf(&b, "node %s: %s = %s(%s)%s\n", n.Name,
			strings.Join(n.Output, ", "), n.OpType, strings.Join(n.Input, ", "), attributeText(n.Attribute))
	}
	return b.String()
}

func typeName(t int32) string {
	return strings.ToLower(onnxpb.TensorProto_DataType(t).String())
}

func typeText(v *onnxpb.ValueInfoProto) string {
	t := v.Type.GetTensorType()
	dims := []string{}
	for _, d := range t.Shape.Dim {
		if d.GetDimParam() != "" {
			dims = append(dims, d.GetDimParam())
		} else {
			dims = append(dims, fmt.Sprint(d.GetDimValue()))
		}
	}
	return fmt.Sprintf("%s%v", typeName(t.ElemType), dims)
}

func attributeText(attributes []*onnxpb.AttributeProto) string {
	var parts []string
	for _, a := range attributes {
		switch a.Type {
		case onnxpb.AttributeProto_INT:
			parts = append(parts, fmt.Sprintf("%s=%d", a.Name, a.GetI()))
		case onnxpb.AttributeProto_INTS:
			parts = append(parts, fmt.Sprintf("%s=%v", a.Name, a.Ints))
		case onnxpb.AttributeProto_FLOAT:
			parts = append(parts, fmt.Sprintf("%s=%v", a.Name, a.GetF()))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " {" + strings.Join(parts, " ") + "}"
}

// valueNames lists every name that stands for a value, each as often as it is
// given.
func valueNames(g *onnxpb.GraphProto) []string {
	var names []string
	for _, v := range g.Input {
		names = append(names, v.Name)
	}
	for _, t := range g.Initializer {
		names = append(names, t.Name)
	}
	for _, n := range g.Node {
		names = append(names, n.Output...)
	}
	slices.Sort(names)
	return names
}
