package runtime_test

import (
	"context"
	"encoding/binary"
	"math"
	"os"
	"testing"

	"google.golang.org/protobuf/proto"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/runtime"
)

// array describes a model's input or output. An axis is an int, a name, or nil.
func array(name string, dtype onnxpb.TensorProto_DataType, axes ...any) *onnxpb.ValueInfoProto {
	shape := &onnxpb.TensorShapeProto{}
	for _, a := range axes {
		d := &onnxpb.TensorShapeProto_Dimension{}
		switch a := a.(type) {
		case int:
			d.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(a)}
		case string:
			d.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: a}
		}
		shape.Dim = append(shape.Dim, d)
	}
	return &onnxpb.ValueInfoProto{Name: name, Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
		TensorType: &onnxpb.TypeProto_Tensor{ElemType: int32(dtype), Shape: shape},
	}}}
}

func node(op string, inputs []string, outputs ...string) *onnxpb.NodeProto {
	return &onnxpb.NodeProto{OpType: op, Input: inputs, Output: outputs}
}

func floats(name string, shape []int64, values ...float32) *onnxpb.TensorProto {
	var raw []byte
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return &onnxpb.TensorProto{Name: name, DataType: int32(onnxpb.TensorProto_FLOAT), Dims: shape, RawData: raw}
}

func serialise(t testing.TB, g *onnxpb.GraphProto) []byte {
	t.Helper()
	g.Name = "test"
	b, err := proto.Marshal(&onnxpb.ModelProto{
		IrVersion:   8,
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: 15}},
		Graph:       g,
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// embedding looks rows of a table up: label int64 [batch, 1] -> row [batch, 1, 2].
func embedding(t testing.TB) []byte {
	return serialise(t, &onnxpb.GraphProto{
		Input:       []*onnxpb.ValueInfoProto{array("label", onnxpb.TensorProto_INT64, "batch", 1)},
		Output:      []*onnxpb.ValueInfoProto{array("row", onnxpb.TensorProto_FLOAT, "batch", 1, 2)},
		Initializer: []*onnxpb.TensorProto{floats("table", []int64{3, 2}, 0, 1, 10, 11, 20, 21)},
		Node:        []*onnxpb.NodeProto{node("Gather", []string{"table", "label"}, "row")},
	})
}

// sum adds two inputs of one batch size: a, b float32 [batch, 2] -> y.
func sum(t testing.TB) []byte {
	return serialise(t, &onnxpb.GraphProto{
		Input:  []*onnxpb.ValueInfoProto{array("a", onnxpb.TensorProto_FLOAT, "batch", 2), array("b", onnxpb.TensorProto_FLOAT, "batch", 2)},
		Output: []*onnxpb.ValueInfoProto{array("y", onnxpb.TensorProto_FLOAT, "batch", 2)},
		Node:   []*onnxpb.NodeProto{node("Add", []string{"a", "b"}, "y")},
	})
}

// identity hands x on as y.
func identity(t testing.TB, dtype onnxpb.TensorProto_DataType, axes ...any) []byte {
	return serialise(t, &onnxpb.GraphProto{
		Input:  []*onnxpb.ValueInfoProto{array("x", dtype, axes...)},
		Output: []*onnxpb.ValueInfoProto{array("y", dtype, axes...)},
		Node:   []*onnxpb.NodeProto{node("Identity", []string{"x"}, "y")},
	})
}

func generator(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/generator.onnx")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// load opens a model for the length of the test.
func load(t testing.TB, model []byte, o runtime.Options) *runtime.Session {
	t.Helper()
	s, err := runtime.Load(context.Background(), model, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func dense[T any](shape []int, values ...T) *tensor.Dense {
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values))
}
