package gorgonia_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/runtime/gorgonia"
)

func serialise(t testing.TB, m *onnxpb.ModelProto) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// small is x [batch, 4] -> y by the given nodes, with weights.
func small(weights []*onnxpb.TensorProto, nodes ...*onnxpb.NodeProto) *onnxpb.ModelProto {
	return &onnxpb.ModelProto{
		IrVersion: 8, OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: 15}},
		Graph: &onnxpb.GraphProto{
			Name:  "test",
			Input: []*onnxpb.ValueInfoProto{port("x", "batch", 4)}, Output: []*onnxpb.ValueInfoProto{port("y")},
			Initializer: weights, Node: nodes,
		},
	}
}

// port describes an array of float32; an axis is a number or a name.
func port(name string, axes ...any) *onnxpb.ValueInfoProto {
	array := &onnxpb.TypeProto_Tensor{ElemType: int32(onnxpb.TensorProto_FLOAT)}
	if axes != nil {
		array.Shape = &onnxpb.TensorShapeProto{}
	}
	for _, a := range axes {
		d := &onnxpb.TensorShapeProto_Dimension{}
		if n, ok := a.(int); ok {
			d.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(n)}
		} else {
			d.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: a.(string)}
		}
		array.Shape.Dim = append(array.Shape.Dim, d)
	}
	return &onnxpb.ValueInfoProto{Name: name, Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: array}}}
}

func node(op string, inputs []string, output string, attributes ...*onnxpb.AttributeProto) *onnxpb.NodeProto {
	return &onnxpb.NodeProto{Name: "n", OpType: op, Input: inputs, Output: []string{output}, Attribute: attributes}
}

func floats(name string, shape []int64, values ...float32) *onnxpb.TensorProto {
	var raw []byte
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return &onnxpb.TensorProto{Name: name, DataType: int32(onnxpb.TensorProto_FLOAT), Dims: shape, RawData: raw}
}

func ints(name string, values ...int64) *onnxpb.TensorProto {
	return &onnxpb.TensorProto{Name: name, DataType: int32(onnxpb.TensorProto_INT64), Dims: []int64{int64(len(values))}, Int64Data: values}
}

// external is a weight of four numbers in another file.
func external(location, offset, length string) *onnxpb.TensorProto {
	w := &onnxpb.TensorProto{
		Name: "w", DataType: int32(onnxpb.TensorProto_FLOAT), Dims: []int64{4}, DataLocation: onnxpb.TensorProto_EXTERNAL,
		ExternalData: []*onnxpb.StringStringEntryProto{{Key: "location", Value: location}},
	}
	for key, value := range map[string]string{"offset": offset, "length": length} {
		if value != "" {
			w.ExternalData = append(w.ExternalData, &onnxpb.StringStringEntryProto{Key: key, Value: value})
		}
	}
	return w
}

type hostileModel struct {
	name  string
	model []byte
	want  string // in the error
	runs  bool   // opens, and fails when run
}

// hostile are models that must be refused.
func hostile(t testing.TB) []hostileModel {
	relu := node("Relu", []string{"x"}, "y")
	sum := func(w ...*onnxpb.TensorProto) *onnxpb.ModelProto {
		return small(w, node("Add", []string{"x", "w"}, "y"))
	}
	raw := func(dtype onnxpb.TensorProto_DataType, dims ...int64) *onnxpb.TensorProto {
		return &onnxpb.TensorProto{Name: "w", DataType: int32(dtype), Dims: dims, RawData: make([]byte, 8)}
	}
	opset := func(v int64) *onnxpb.ModelProto {
		m := small(nil, relu)
		m.OpsetImport[0].Version = v
		return m
	}
	noOutput := small(nil, relu)
	noOutput.Graph.Output[0].Name = "z"
	twoOutputs := small(nil, relu)
	twoOutputs.Graph.Output = append(twoOutputs.Graph.Output, port("y"))
	huge := small(nil, node("Relu", []string{"x"}, "y"))
	huge.Graph.DocString = strings.Repeat(" ", 9<<20)
	foreign := node("Relu", []string{"x"}, "y")
	foreign.Domain = "com.example"
	list := []hostileModel{
		{"nothing", nil, "empty", false},
		{"text", []byte("not a model\n"), "not an ONNX model", false},
		{"cut", serialise(t, sum(floats("w", []int64{4}, 1, 2, 3, 4)))[:40], "damaged", false},
	}
	for _, m := range []struct {
		name  string
		model *onnxpb.ModelProto
		want  string
	}{
		{"cycle of one", small(nil, node("Add", []string{"x", "y"}, "y")), `node "n" (Add) reads "y", which is computed by itself or later`},
		{"cycle of two", small(nil, node("Add", []string{"x", "b"}, "a"), node("Relu", []string{"a"}, "b"), node("Relu", []string{"b"}, "y")), `node "n" (Add) reads "b", which is computed by itself or later`},
		{"missing weight", sum(), `node "n" (Add) reads "w", which is neither an input nor a weight nor computed`},
		{"value twice", small(nil, node("Relu", []string{"x"}, "y"), node("Tanh", []string{"x"}, "y")), `value "y" is there twice`},
		{"value like an input", small(nil, node("Relu", []string{"x"}, "x")), `value "x" is there twice`},
		{"value like a weight", small([]*onnxpb.TensorProto{floats("y", []int64{1}, 1)}, relu), `value "y" is there twice`},
		{"weight twice", sum(floats("w", []int64{1}, 1), floats("w", []int64{1}, 1)), `weight "w" is there twice`},
		{"no such output", noOutput, `output "z" is not computed`},
		{"output twice", twoOutputs, `output "y" is there twice`},
		{"no nodes", small([]*onnxpb.TensorProto{floats("y", []int64{1}, 1)}), "no nodes"},
		{"node without inputs", small(nil, node("Relu", nil, "y")), "0 inputs and 1 outputs"},
		{"opset 12", opset(12), "opset 12: want 13 to 23"},
		{"opset 24", opset(24), "opset 24: want 13 to 23"},
		{"two gigabytes", sum(raw(onnxpb.TensorProto_FLOAT, 1<<15, 1<<14)), "more than 268435456 elements"},
		{"one gigabyte", sum(raw(onnxpb.TensorProto_FLOAT, 1<<14, 1<<14)), "8 bytes of data, want 1073741824"},
		{"overflowing axes", sum(raw(onnxpb.TensorProto_FLOAT, 1<<30, 1<<30, 1<<30)), "more than 268435456 elements"},
		{"overflowing axis", sum(raw(onnxpb.TensorProto_FLOAT, math.MaxInt64)), "an axis of 9223372036854775807"},
		{"negative axis", sum(raw(onnxpb.TensorProto_FLOAT, -2)), "an axis of -2"},
		{"strings", sum(raw(onnxpb.TensorProto_STRING, 2)), "elements of type STRING"},
		{"unknown type", sum(raw(99, 2)), "elements of type 99"},
		{"short fields", sum(&onnxpb.TensorProto{Name: "w", DataType: 1, Dims: []int64{4}, FloatData: []float32{1}}), "1 elements of data, want 4"},
		{"long text", huge, "bytes beside the weights: want at most"},
		{"outside", sum(external("../secret", "", "")), `external data "../secret" is not in the model's folder`},
		{"absolute", sum(external("/etc/passwd", "", "")), `external data "/etc/passwd" is not in the model's folder`},
		{"by link", sum(external("link", "", "")), `external data "link" is a link to nothing in the model's folder`},
		{"by a folder's link", sum(external("up/secret", "", "")), `external data "up/secret": path escapes from parent`},
		{"no such file", sum(external("none", "", "")), `external data "none": no such file or directory`},
		{"no location", sum(external("", "", "")), `external data "" is not in the model's folder`},
		{"a folder", sum(external(".", "", "")), `external data "." is not a regular file`},
		{"short file", sum(external("weights", "60", "")), `external data "weights" has 64 bytes, want 16 from 60 on`},
		{"negative offset", sum(external("weights", "-1", "")), "want 16 from -1 on"},
		{"overflowing offset", sum(external("weights", "9223372036854775807", "")), "from 9223372036854775807 on"},
		{"no number", sum(external("weights", "x", "")), `offset "x", want a number`},
		{"wrong length", sum(external("weights", "", "15")), "external data of 15 bytes, want 16"},
		{"foreign domain", small(nil, foreign), "operator com.example.Relu is not supported"},
		{"unknown operator", small(nil, node("Loop", []string{"x"}, "y")), "operator Loop is not supported"},
		{"line feed", small(nil, node("A\nB", []string{"x"}, "y")), `operator A\nB is not supported`},
	} {
		list = append(list, hostileModel{m.name, serialise(t, m.model), m.want, false})
	}
	for _, m := range []struct {
		name  string
		model *onnxpb.ModelProto
		want  string
	}{
		{"huge range", small([]*onnxpb.TensorProto{ints("a", 0), ints("b", 1<<27), ints("c", 1)},
			node("Range", []string{"a", "b", "c"}, "r"), node("Gather", []string{"x", "r"}, "y")), "134217728 numbers, want at most"},
		{"huge constant", small([]*onnxpb.TensorProto{floats("a", []int64{4096, 1}, make([]float32, 4096)...), floats("b", []int64{1, 4096}, make([]float32, 4096)...)},
			node("Add", []string{"a", "b"}, "c"), node("Add", []string{"x", "c"}, "y")), "constants of more than"},
		{"huge output", small([]*onnxpb.TensorProto{ints("s", -1, 1, 1, 1), floats("w", []int64{1, 1, 1, 1}, 1)},
			node("Reshape", []string{"x", "s"}, "p"), node("ConvTranspose", []string{"p", "w"}, "y", intsAttr("output_padding", 1<<20, 1<<20), intsAttr("strides", 1<<21, 1<<21))),
			"has more than 268435456 elements"},
		{"index", small([]*onnxpb.TensorProto{ints("i", 4)}, node("Gather", []string{"x", "i"}, "y", intAttr("axis", 1))), "index 4 is not in [-4, 4)"},
		{"reshape", small([]*onnxpb.TensorProto{ints("s", 3, -1)}, node("Reshape", []string{"x", "s"}, "y")), "shape [2 4] can't become [3 -1]"},
		{"reshape of two unknowns", small([]*onnxpb.TensorProto{ints("s", -1, -1)}, node("Reshape", []string{"x", "s"}, "y")), "leaves two axes open"},
		{"divided by zero", small([]*onnxpb.TensorProto{ints("a", 1), ints("z", 0)}, node("Div", []string{"a", "z"}, "i"), node("Gather", []string{"x", "i"}, "y")), "divide by zero"},
		{"types", small([]*onnxpb.TensorProto{ints("i", 1)}, node("Add", []string{"x", "i"}, "y")), "operands of float32 and of int64"},
		{"shapes", small([]*onnxpb.TensorProto{floats("w", []int64{3}, 1, 2, 3)}, node("Add", []string{"x", "w"}, "y")), "shapes [2 4] and [3] can't be broadcast"},
	} {
		list = append(list, hostileModel{m.name, serialise(t, m.model), m.want, true})
	}
	return list
}

func intAttr(name string, v int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_INT, I: &v}
}

func intsAttr(name string, v ...int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_INTS, Ints: v}
}

func floatAttr(name string, v float32) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_FLOAT, F: &v}
}

func stringAttr(name, v string) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_STRING, S: []byte(v)}
}

// Each is refused in a line that says what is wrong, and takes no memory that
// its size does not account for.
func TestHostile(t *testing.T) {
	outer := t.TempDir()
	folder := filepath.Join(outer, "models")
	for _, err := range []error{
		os.Mkdir(folder, 0o755),
		os.WriteFile(filepath.Join(outer, "secret"), make([]byte, 64), 0o644),
		os.WriteFile(filepath.Join(folder, "weights"), make([]byte, 64), 0o644),
		os.Symlink("../secret", filepath.Join(folder, "link")),
		os.Symlink("..", filepath.Join(folder, "up")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range hostile(t) {
		t.Run(m.name, func(t *testing.T) {
			path := filepath.Join(folder, "model.onnx")
			if err := os.WriteFile(path, m.model, 0o644); err != nil {
				t.Fatal(err)
			}
			var before, after goruntime.MemStats
			goruntime.ReadMemStats(&before)
			s, err := gorgonia.Open(t.Context(), path)
			if err == nil {
				if !m.runs {
					t.Fatal("it opens")
				}
				defer s.Close()
				_, err = s.Run(t.Context(), map[string]*tensor.Dense{"x": tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(2, 4))})
			}
			goruntime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), m.want) || !strings.HasPrefix(err.Error(), "gorgonia: "+path+": ") {
				t.Errorf("got  %v\nwant ...%s...", err, m.want)
			}
			oneLine(t, err)
			if got := after.TotalAlloc - before.TotalAlloc; got > 16<<20+uint64(8*len(m.model)) {
				t.Errorf("%d bytes of a model take %d", len(m.model), got)
			}
		})
	}
}

// A file that is read for one weight does not serve for another.
func TestExternalDataOnce(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "weights"), make([]byte, 20), 0o644); err != nil {
		t.Fatal(err)
	}
	a, b := external("weights", "", ""), external("weights", "4", "16")
	b.Name = "v"
	model := serialise(t, small([]*onnxpb.TensorProto{a, b}, node("Add", []string{"x", "w"}, "y")))
	_, err := gorgonia.Load(t.Context(), model, folder)
	if err == nil || !strings.Contains(err.Error(), `weight "v": external data "weights" is used twice`) {
		t.Errorf("got %v", err)
	}
	_, err = gorgonia.Load(t.Context(), model, "")
	if err == nil || !strings.Contains(err.Error(), `weight "w": external data "weights", but the model came without a folder`) {
		t.Errorf("got %v", err)
	}
}

// Weights in another file give what they give inside.
func TestExternalData(t *testing.T) {
	inside := serialise(t, small([]*onnxpb.TensorProto{floats("w", []int64{4}, 1, 2, 3, 4)}, node("Add", []string{"x", "w"}, "y")))
	outside := serialise(t, small([]*onnxpb.TensorProto{external("d/weights", "8", "16")}, node("Add", []string{"x", "w"}, "y")))
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "d"), 0o755); err != nil {
		t.Fatal(err)
	}
	data := slices.Concat(make([]byte, 8), floats("", nil, 1, 2, 3, 4).RawData)
	if err := os.WriteFile(filepath.Join(folder, "d", "weights"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, model := range [][]byte{inside, outside} {
		s, err := gorgonia.Load(t.Context(), model, folder)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		out, err := s.Run(t.Context(), map[string]*tensor.Dense{"x": tensor.New(tensor.WithShape(1, 4), tensor.WithBacking([]float32{1, 1, 1, 1}))})
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(out["y"].Data()))
	}
	if got[0] != "[2 3 4 5]" || got[1] != got[0] {
		t.Errorf("inside %s, outside %s", got[0], got[1])
	}
}
