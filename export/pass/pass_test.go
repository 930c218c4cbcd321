package pass_test

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/runtime"
)

// model writes a model in a few lines: vectors of two float32 go in and out,
// and weights are such vectors. A node is "y = Add(a, b)".
func model(in, out string, weights map[string][2]float32, nodes ...string) *onnxpb.ModelProto {
	g := &onnxpb.GraphProto{Name: "test"}
	for name := range strings.FieldsSeq(in) {
		g.Input = append(g.Input, vector(name, 2))
	}
	for name := range strings.FieldsSeq(out) {
		g.Output = append(g.Output, vector(name, 2))
	}
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		raw := []byte{}
		for _, v := range weights[name] {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
		}
		g.Initializer = append(g.Initializer, &onnxpb.TensorProto{
			Name: name, DataType: int32(onnxpb.TensorProto_FLOAT), Dims: []int64{2}, RawData: raw,
		})
	}
	for _, line := range nodes {
		g.Node = append(g.Node, node(line))
		for _, name := range g.Node[len(g.Node)-1].Output {
			if !slices.Contains(strings.Fields(out), name) {
				g.ValueInfo = append(g.ValueInfo, vector(name, 2))
			}
		}
	}
	return &onnxpb.ModelProto{IrVersion: 8, OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: 15}}, Graph: g}
}

func vector(name string, dims ...int64) *onnxpb.ValueInfoProto {
	shape := &onnxpb.TensorShapeProto{}
	for _, d := range dims {
		shape.Dim = append(shape.Dim, &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: d}})
	}
	return &onnxpb.ValueInfoProto{Name: name, Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
		TensorType: &onnxpb.TypeProto_Tensor{ElemType: int32(onnxpb.TensorProto_FLOAT), Shape: shape},
	}}}
}

// node reads "a, b = Op(c, d)"; the node has the name of its first output.
func node(line string) *onnxpb.NodeProto {
	out, rest, _ := strings.Cut(line, " = ")
	op, in, _ := strings.Cut(strings.TrimSuffix(rest, ")"), "(")
	n := &onnxpb.NodeProto{OpType: op, Output: strings.Split(out, ", ")}
	if in != "" {
		n.Input = strings.Split(in, ", ")
	}
	n.Name = n.Output[0]
	return n
}

// text is the inverse of model: nodes, then weights, then the names that go in
// and out and have types.
func text(m *onnxpb.ModelProto) []string {
	var lines []string
	for _, n := range m.Graph.Node {
		lines = append(lines, fmt.Sprintf("%s = %s(%s)", strings.Join(n.Output, ", "), n.OpType, strings.Join(n.Input, ", ")))
	}
	var line strings.Builder
	line.WriteString("weights")
	for _, t := range m.Graph.Initializer {
		line.WriteString(" " + t.Name)
	}
	lines = append(lines, line.String())
	for _, list := range []struct {
		title  string
		values []*onnxpb.ValueInfoProto
	}{{"in", m.Graph.Input}, {"out", m.Graph.Output}, {"types", m.Graph.ValueInfo}} {
		var line strings.Builder
		line.WriteString(list.title)
		for _, v := range list.values {
			line.WriteString(" " + v.Name)
		}
		lines = append(lines, line.String())
	}
	return lines
}

func clone(m *onnxpb.ModelProto) *onnxpb.ModelProto { return proto.Clone(m).(*onnxpb.ModelProto) }

func marshal(t testing.TB, m *onnxpb.ModelProto) []byte {
	t.Helper()
	data, err := export.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// run gives the outputs of a model on ONNX Runtime.
func run(t testing.TB, m *onnxpb.ModelProto, in map[string]*tensor.Dense) map[string]*tensor.Dense {
	t.Helper()
	s, err := runtime.Load(t.Context(), marshal(t, m), runtime.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out, err := s.Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// pairs gives the inputs of a model two values each, those with a default none.
func pairs(m *onnxpb.ModelProto) map[string]*tensor.Dense {
	in := map[string]*tensor.Dense{}
	for i, v := range m.Graph.Input {
		if slices.ContainsFunc(m.Graph.Initializer, func(t *onnxpb.TensorProto) bool { return t.Name == v.Name }) {
			continue
		}
		in[v.Name] = tensor.New(tensor.WithShape(2), tensor.WithBacking([]float32{0.3 + float32(i), -1.7 * float32(i+1)}))
	}
	return in
}

// only picks the inputs of a model.
func only(m *onnxpb.ModelProto, from map[string]*tensor.Dense) map[string]*tensor.Dense {
	in := map[string]*tensor.Dense{}
	for _, v := range m.Graph.Input {
		in[v.Name] = from[v.Name]
	}
	return in
}

// values turns the outputs of a run into bits that can be compared.
func values(out map[string]*tensor.Dense) map[string][]uint32 {
	bits := map[string][]uint32{}
	for name, v := range out {
		data, ok := v.Data().([]float32)
		if !ok {
			data = []float32{v.Data().(float32)}
		}
		for _, x := range data {
			bits[name] = append(bits[name], math.Float32bits(x))
		}
	}
	return bits
}
