package main

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/runtime/latent"
	"github.com/gantrain/gantrain/runtime/modelinfo"
)

// The models of the tests are one dense layer each: small enough to compute
// again in a loop, and shaped as exported GANs are.

const (
	testLatent = 4
	testSide   = 8
	// testClasses are those of the conditional models, which add a class's own
	// number to every pixel: 0, 1 and 2 tenths.
	testClasses = 3
)

var (
	generatorInfo = modelinfo.Info{
		Architecture: "tiny", Network: modelinfo.Generator,
		Latent: testLatent, Distribution: latent.Normal, Min: -1, Max: 1, Seed: 9, Step: 3,
	}
	discriminatorInfo = modelinfo.Info{Architecture: "tiny", Network: modelinfo.Discriminator, Min: -1, Max: 1}
)

// writeModels puts the models that tests and scripts name into dir.
func writeModels(dir string) error {
	uniform, unnamed, noNumber := generatorInfo, modelinfo.Info{}, modelinfo.Info{}
	uniform.Distribution = latent.Uniform
	fixed := generatorModel(generatorInfo, 1, 3, 0)
	labelled := generatorModel(generatorInfo, 1, -1, 0)
	labelled.Graph.Input = append(labelled.Graph.Input, valueInfo("label", onnxpb.TensorProto_INT64, -1, 1))
	three := generatorModel(generatorInfo, 1, -1, 0)
	for _, name := range []string{"label", "more"} {
		three.Graph.Input = append(three.Graph.Input, valueInfo(name, onnxpb.TensorProto_INT64, -1, 1))
	}
	wrongInfo := generatorModel(generatorInfo, 1, -1, 0)
	for _, p := range wrongInfo.MetadataProps {
		if p.Key == "gan.latent.size" {
			p.Value = "many"
		}
	}
	wide := generatorInfo
	wide.Latent = maxLatent
	for name, m := range map[string]*onnxpb.ModelProto{
		"generator.onnx":   generatorModel(generatorInfo, 1, -1, 0),
		"colour.onnx":      generatorModel(generatorInfo, 3, -1, 0),
		"brighter.onnx":    generatorModel(generatorInfo, 1, -1, 0.01),
		"uniform.onnx":     generatorModel(uniform, 1, -1, 0),
		"two.onnx":         generatorModel(generatorInfo, 2, -1, 0),
		"foreign.onnx":     generatorModel(unnamed, 1, -1, 0),
		"nan.onnx":         generatorModel(noNumber, 1, -1, float32(math.NaN())),
		"points.onnx":      pointsModel(),
		"fixed.onnx":       fixed,
		"label.onnx":       labelled,
		"threeinputs.onnx": three,
		"digits.onnx":      conditional(generatorModel(generatorInfo, 1, -1, 0), "dense"),
		"judge.onnx":       conditional(discriminatorModel("logit", "probability"), "flatten"),
		"shapes.onnx":      named(conditional(generatorModel(generatorInfo, 1, -1, 0), "dense")),
		"critic.onnx":      named(conditional(discriminatorModel("logit", "probability"), "flatten")),
		"wronginfo.onnx":   wrongInfo,
		"logit.onnx":       discriminatorModel("logit"),
		"probability.onnx": discriminatorModel("probability"),
		"both.onnx":        discriminatorModel("logit", "probability"),
		"score.onnx":       discriminatorModel("score"),
		"hugenoise.onnx":   shapesModel(wide, "z", "image", []int64{maxBatch, maxLatent}, []int64{maxBatch, 1, 8, 8}),
		"widenoise.onnx":   shapesModel(wide, "z", "image", []int64{-1, maxLatent}, []int64{-1, 1, 8, 8}),
		"hugeimage.onnx":   shapesModel(generatorInfo, "z", "image", []int64{maxBatch, testLatent}, []int64{maxBatch, 4096, 4096, 4096}),
		"channels.onnx":    shapesModel(discriminatorInfo, "image", "logit", []int64{maxBatch, 4096, 4096, 4096}, []int64{maxBatch, 1}),
		"hugebatch.onnx":   shapesModel(discriminatorInfo, "image", "logit", []int64{maxBatch, 3, 4096, 4096}, []int64{maxBatch, 1}),
	} {
		b, err := proto.Marshal(m)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return err
		}
		if name == "generator.onnx" {
			if err := os.WriteFile(filepath.Join(dir, "cut.onnx"), b[:len(b)/2], 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// weights returns n numbers between -1 and 1 that look like noise.
func weights(n int) []float32 {
	w := make([]float32, n)
	latent.Fill(w, latent.Uniform, 77, 0, 0)
	return w
}

// generatorModel makes z [batch, 4] into tanh(z W + offset), image [batch, c, 8, 8].
func generatorModel(info modelinfo.Info, c int, batch int64, offset float32) *onnxpb.ModelProto {
	pixels := c * testSide * testSide
	bias := make([]float32, pixels)
	for i := range bias {
		bias[i] = offset
	}
	return model(info, &onnxpb.GraphProto{
		Name:   "generator",
		Input:  []*onnxpb.ValueInfoProto{valueInfo("z", onnxpb.TensorProto_FLOAT, batch, testLatent)},
		Output: []*onnxpb.ValueInfoProto{valueInfo("image", onnxpb.TensorProto_FLOAT, batch, int64(c), testSide, testSide)},
		Initializer: []*onnxpb.TensorProto{
			floatTensor("dense/weight", weights(testLatent*pixels), testLatent, int64(pixels)),
			floatTensor("dense/bias", bias, int64(pixels)),
			intTensor("shape", -1, int64(c), testSide, testSide),
		},
		Node: []*onnxpb.NodeProto{
			{Name: "dense", OpType: "Gemm", Input: []string{"z", "dense/weight", "dense/bias"}, Output: []string{"h"},
				Attribute: []*onnxpb.AttributeProto{{Name: "alpha", Type: onnxpb.AttributeProto_FLOAT, F: proto.Float32(1)}}},
			{Name: "tanh", OpType: "Tanh", Input: []string{"h"}, Output: []string{"t"}},
			{Name: "reshape", OpType: "Reshape", Input: []string{"t", "shape"}, Output: []string{"image"}},
		},
		ValueInfo: []*onnxpb.ValueInfoProto{valueInfo("h", onnxpb.TensorProto_FLOAT, -1, int64(pixels))},
	})
}

// pointsModel makes z [batch, 4] into points [batch, 2], its first two numbers
// times a weight each.
func pointsModel() *onnxpb.ModelProto {
	info := generatorInfo
	info.Min, info.Max = 0, 0
	return model(info, &onnxpb.GraphProto{
		Name:        "generator",
		Input:       []*onnxpb.ValueInfoProto{valueInfo("z", onnxpb.TensorProto_FLOAT, -1, testLatent)},
		Output:      []*onnxpb.ValueInfoProto{valueInfo("points", onnxpb.TensorProto_FLOAT, -1, 2)},
		Initializer: []*onnxpb.TensorProto{floatTensor("dense/weight", []float32{2, 0, 0, 3, 0, 0, 0, 0}, testLatent, 2)},
		Node:        []*onnxpb.NodeProto{{Name: "dense", OpType: "MatMul", Input: []string{"z", "dense/weight"}, Output: []string{"points"}}},
	})
}

// discriminatorModel makes image [batch, 1, 8, 8] into the sum of its pixels,
// logit [batch, 1], and its sigmoid: the outputs that are named.
func discriminatorModel(outputs ...string) *onnxpb.ModelProto {
	const pixels = testSide * testSide
	ones := make([]float32, pixels)
	for i := range ones {
		ones[i] = 1
	}
	g := &onnxpb.GraphProto{
		Name:        "discriminator",
		Input:       []*onnxpb.ValueInfoProto{valueInfo("image", onnxpb.TensorProto_FLOAT, -1, 1, testSide, testSide)},
		Initializer: []*onnxpb.TensorProto{floatTensor("dense/weight", ones, pixels, 1)},
		Node: []*onnxpb.NodeProto{
			{Name: "flatten", OpType: "Flatten", Input: []string{"image"}, Output: []string{"f"}},
			{Name: "dense", OpType: "MatMul", Input: []string{"f", "dense/weight"}, Output: []string{"logit"}},
		},
	}
	for _, name := range outputs {
		if name != "logit" {
			g.Node = append(g.Node, &onnxpb.NodeProto{Name: name, OpType: "Sigmoid", Input: []string{"logit"}, Output: []string{name}})
		}
		g.Output = append(g.Output, valueInfo(name, onnxpb.TensorProto_FLOAT, -1, 1))
	}
	return model(discriminatorInfo, g)
}

// conditional gives a model an input label, of which it adds the class's number,
// in tenths, to all that the node of that name computes.
func conditional(m *onnxpb.ModelProto, node string) *onnxpb.ModelProto {
	const pixels = testSide * testSide
	g := m.Graph
	table := make([]float32, testClasses*pixels)
	for i := range table {
		table[i] = float32(i/pixels) / 10
	}
	g.Input = append(g.Input, valueInfo("label", onnxpb.TensorProto_INT64, -1, 1))
	g.Initializer = append(g.Initializer, floatTensor("table", table, testClasses, pixels))
	i := slices.IndexFunc(g.Node, func(n *onnxpb.NodeProto) bool { return n.Name == node })
	out := g.Node[i].Output[0]
	g.Node[i].Output[0] = "unlabelled"
	g.Node = slices.Insert(g.Node, i+1,
		&onnxpb.NodeProto{Name: "embedding", OpType: "Gather", Input: []string{"table", "label"}, Output: []string{"rows"}},
		&onnxpb.NodeProto{Name: "rows", OpType: "Flatten", Input: []string{"rows"}, Output: []string{"class"}},
		&onnxpb.NodeProto{Name: "condition", OpType: "Add", Input: []string{"unlabelled", "class"}, Output: []string{out}})
	m.MetadataProps = append(m.MetadataProps, &onnxpb.StringStringEntryProto{Key: "gan.classes", Value: strconv.Itoa(testClasses)})
	return m
}

// named gives the classes of a model names, one of which is another's number.
func named(m *onnxpb.ModelProto) *onnxpb.ModelProto {
	m.MetadataProps = append(m.MetadataProps, &onnxpb.StringStringEntryProto{Key: "gan.classes.names", Value: `["disc","square","1"]`})
	return m
}

// shapesModel has an input and an output of any shapes, and reshapes one into
// the other: it loads, and is not to be run.
func shapesModel(info modelinfo.Info, in, out string, from, to []int64) *onnxpb.ModelProto {
	return model(info, &onnxpb.GraphProto{
		Name:        "shapes",
		Input:       []*onnxpb.ValueInfoProto{valueInfo(in, onnxpb.TensorProto_FLOAT, from...)},
		Output:      []*onnxpb.ValueInfoProto{valueInfo(out, onnxpb.TensorProto_FLOAT, to...)},
		Initializer: []*onnxpb.TensorProto{intTensor("shape", to...)},
		Node:        []*onnxpb.NodeProto{{Name: "reshape", OpType: "Reshape", Input: []string{in, "shape"}, Output: []string{out}}},
	})
}

func model(info modelinfo.Info, g *onnxpb.GraphProto) *onnxpb.ModelProto {
	m := &onnxpb.ModelProto{
		IrVersion: 8, ProducerName: "test", ProducerVersion: "1",
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: 15}}, Graph: g,
	}
	if !cmp.Equal(info, modelinfo.Info{}) {
		for k, v := range info.Map() {
			m.MetadataProps = append(m.MetadataProps, &onnxpb.StringStringEntryProto{Key: k, Value: v})
		}
	}
	return m
}

// valueInfo describes a value; a negative size is the batch.
func valueInfo(name string, kind onnxpb.TensorProto_DataType, shape ...int64) *onnxpb.ValueInfoProto {
	s := &onnxpb.TensorShapeProto{}
	for _, size := range shape {
		d := &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: size}}
		if size < 0 {
			d.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: "batch"}
		}
		s.Dim = append(s.Dim, d)
	}
	t := &onnxpb.TypeProto_Tensor{ElemType: int32(kind), Shape: s}
	return &onnxpb.ValueInfoProto{Name: name, Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: t}}}
}

func floatTensor(name string, data []float32, dims ...int64) *onnxpb.TensorProto {
	return &onnxpb.TensorProto{Name: name, DataType: int32(onnxpb.TensorProto_FLOAT), Dims: dims, FloatData: data}
}

func intTensor(name string, data ...int64) *onnxpb.TensorProto {
	return &onnxpb.TensorProto{Name: name, DataType: int32(onnxpb.TensorProto_INT64), Dims: []int64{int64(len(data))}, Int64Data: data}
}

// models returns a folder that holds the models.
func models(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := writeModels(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}
