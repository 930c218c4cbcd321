package keras

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/train"
	"github.com/gantrain/gantrain/train/arch"
)

// usual is how the tests check a file.
var usual = Options{Batch: 3, Seed: 1, Tolerance: 1e-5}

// exports lists the files that Keras wrote: those of this repository, and those
// that $GANTRAIN_KERAS_MODELS names, a folder of what scripts/keras/export.py
// makes.
func exports(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, folder := range []string{"testdata/tf", "testdata/jax", "testdata/fresh", os.Getenv("GANTRAIN_KERAS_MODELS")} {
		if folder == "" {
			continue
		}
		files, err := filepath.Glob(filepath.Join(folder, "models*", "*", "*.onnx"))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) == 0 {
			t.Errorf("%s holds no models*/GAN/*.onnx", folder)
		}
		all = append(all, files...)
	}
	return all
}

// Every export is the network that its folder says, in four ways, and computes
// what Keras did.
func TestExportsHold(t *testing.T) {
	for _, path := range exports(t) {
		folder := filepath.Dir(path)
		t.Run(path, func(t *testing.T) {
			o := usual
			o.Expect = folder
			r, err := Check(t.Context(), path, o)
			if err != nil {
				t.Fatal(err)
			}
			if !r.Holds {
				t.Errorf("%s", r.Verdict())
			}
			role := map[string]arch.Role{"G.onnx": arch.Generator, "D.onnx": arch.Discriminator}[filepath.Base(path)]
			if gan := strings.TrimSuffix(filepath.Base(folder), "-nobn"); r.GAN != gan || r.Network != role {
				t.Errorf("taken for the %s of %s", r.Network, r.GAN)
			}
			worst := 0.0
			for _, l := range r.Layers {
				if slices.Contains(l.Pairs, nil) && l.Keras != "" && !strings.Contains(strings.Join(r.Notes, ""), "merged into "+l.Keras) {
					t.Errorf("%s is not compared", l.Ours)
				}
				worst = max(worst, l.Worst())
			}
			if len(r.Ways) != 4 || len(r.Pairs) != 6 {
				t.Errorf("evaluated by %q, compared %q", r.Ways, r.Pairs)
			}
			if len(r.Expected) == 0 {
				t.Error("nothing is held against what Keras computed")
			}
			t.Logf("%s, %s: %d layers within %.1e; %d tensors, skipped %q", r.Name(), r.Width, len(r.Layers), worst, len(r.Tensors), r.Skipped)
		})
	}
}

// load reads an export of this repository's.
func load(t testing.TB, path string) *onnxpb.ModelProto {
	t.Helper()
	m, err := readModel(filepath.FromSlash("testdata/" + path))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// checkModel checks a model that was changed in memory.
func checkModel(t *testing.T, m *onnxpb.ModelProto, name string, o Options) *Report {
	t.Helper()
	r, err := check(t.Context(), name, m, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestWidths(t *testing.T) {
	for path, want := range map[string]string{
		"tf/models/fredriksson-2d/G.onnx":   "full width",
		"tf/models/michelucci-cgan/G.onnx":  "1/16 of its width",
		"tf/models/michelucci-dcgan/D.onnx": "1/16 of its width",
	} {
		if r := checkModel(t, load(t, path), path, usual); r.Width != want {
			t.Errorf("%s: %s, want %s", path, r.Width, want)
		}
	}
}

// A variant's network is told from the usual one.
func TestVariants(t *testing.T) {
	// Without its BatchNorm, the generator is the variant nobn's.
	m := load(t, "tf/models/intro-mlp/G.onnx")
	without(t, m, "batch_normalization_1")
	r := checkModel(t, m, "G.onnx", usual)
	if r.Unknown != nil || r.Variant != "nobn" || !r.Holds {
		t.Errorf("%s %q: %s", r.GAN, r.Variant, r.Verdict())
	}
	// The discriminator is that of both, and goes with either.
	d := checkModel(t, load(t, "tf/models/intro-mlp/D.onnx"), "D.onnx", usual)
	model, err := Model(1, r, d)
	if err != nil {
		t.Fatal(err)
	}
	if model.GAN.Variant != "nobn" {
		t.Errorf("together they are variant %q", model.GAN.Variant)
	}
}

// grey makes a network for pictures of three channels one of one channel: it
// keeps the first along an axis of tensors.
func grey(t *testing.T, m *onnxpb.ModelProto, port *onnxpb.ValueInfoProto, axes map[string]int) {
	t.Helper()
	for part, axis := range axes {
		for _, p := range m.Graph.Initializer {
			if !strings.Contains(p.Name, part) {
				continue
			}
			c, err := tensorConstant(p)
			if err != nil {
				t.Fatal(err)
			}
			put(t, p, c.taken(axis, []int64{0}, []int{1}))
		}
	}
	port.Type.GetTensorType().Shape.Dim[3].Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: 1}
}

// Silva's networks for MNIST are those of the variant.
func TestVariantOfOneChannel(t *testing.T) {
	g, d := load(t, "tf/models/silva-dcgan/G.onnx"), load(t, "tf/models/silva-dcgan/D.onnx")
	grey(t, g, g.Graph.Output[0], map[string]int{"conv2d_transpose_2_1/conv_transpose/": 1, "conv2d_transpose_2_1/Squeeze": 0})
	grey(t, d, d.Graph.Input[0], map[string]int{"conv2d_1/convolution/": 1})
	for name, m := range map[string]*onnxpb.ModelProto{"G.onnx": g, "D.onnx": d} {
		r := checkModel(t, m, name, usual)
		if r.Unknown != nil || r.GAN != "silva-dcgan" || r.Variant != "mnist" || !r.Holds {
			t.Errorf("%s is of %s %q: %s", name, r.GAN, r.Variant, r.Verdict())
		}
	}
}

// The weights go on from a checkpoint as they came from the files.
func TestModelKeepsTheWeights(t *testing.T) {
	for _, route := range []string{"tf", "jax"} {
		folder := filepath.Join("testdata", route, "models", "michelucci-dcgan")
		var reports []*Report
		for _, name := range []string{"G.onnx", "D.onnx"} {
			r, err := Check(t.Context(), filepath.Join(folder, name), usual)
			if err != nil {
				t.Fatal(err)
			}
			reports = append(reports, r)
		}
		model, err := Model(1, reports...)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "keras.safetensors")
		if err := model.Save(path); err != nil {
			t.Fatal(err)
		}
		read, err := train.LoadModel(path)
		if err != nil {
			t.Fatal(err)
		}
		exported := filepath.Join(t.TempDir(), "generator.onnx")
		if _, err := read.Export(t.Context(), arch.Generator, exported, train.ExportOptions{Runtime: usual.Runtime}); err != nil {
			t.Fatal(err)
		}
		o := usual
		for name, against := range map[string]string{"D.onnx": path, "G.onnx": exported} {
			o.Against = against
			r, err := Check(t.Context(), filepath.Join(folder, name), o)
			if err != nil {
				t.Fatal(err)
			}
			for _, tensor := range r.Tensors {
				if tensor.Absolute != 0 {
					t.Errorf("%s: %s has moved by %g", route, tensor.Name, tensor.Absolute)
				}
			}
			if !r.Holds || len(r.Tensors) == 0 {
				t.Errorf("%s: %s: %s", route, name, r.Verdict())
			}
		}
	}
}

// One network leaves the other at its start, at the same share of its width.
func TestModelOfOneNetwork(t *testing.T) {
	r := checkModel(t, load(t, "tf/models/michelucci-cgan/D.onnx"), "D.onnx", usual)
	model, err := Model(5, r)
	if err != nil {
		t.Fatal(err)
	}
	if err := model.GAN.Check(); err != nil {
		t.Fatal(err)
	}
	fresh, err := train.NewState(model.GAN, 5)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range model.State {
		_, ours := r.weights[name]
		if !ours && differ(v.Float32s(), fresh[name].Float32s()).Absolute != 0 {
			t.Errorf("%s is not at its start", name)
		}
	}
	if got := model.State["generator/deconv1/weight"].Shape(); got[1] != 8 {
		t.Errorf("the generator's first transposed convolution has %v", got)
	}
}

func TestModelRefuses(t *testing.T) {
	g := checkModel(t, load(t, "tf/models/guo-mlp/G.onnx"), "G.onnx", usual)
	d := checkModel(t, load(t, "tf/models/intro-mlp/D.onnx"), "D.onnx", usual)
	for _, reports := range [][]*Report{{g, d}, {g, g}, {}, {g, d, d}} {
		if _, err := Model(1, reports...); err == nil {
			t.Errorf("no error for %d files that make no GAN", len(reports))
		}
	}
	m := load(t, "tf/models/guo-mlp/G.onnx")
	if r := checkModel(t, m, "G.onnx", Options{GAN: "silva-dcgan", Batch: 1, Tolerance: 1e-5}); r.Unknown == nil {
		t.Error("a generator of guo-mlp is taken for silva-dcgan's")
	}
	if proto.Size(m) == 0 {
		t.Error("the model was emptied")
	}
}

// Labels may be integers; int32 ones have a Cast less.
func TestLabelTypes(t *testing.T) {
	for name, change := range map[string]func(m *onnxpb.ModelProto){
		"int32": func(m *onnxpb.ModelProto) {
			m.Graph.Input[1].Type.GetTensorType().ElemType = int32(onnxpb.TensorProto_INT32)
			drop(m, nth(t, m, "Cast", 0))
		},
		"int64": func(m *onnxpb.ModelProto) {
			m.Graph.Input[1].Type.GetTensorType().ElemType = int32(onnxpb.TensorProto_INT64)
		},
	} {
		m := load(t, "tf/models/michelucci-cgan/D.onnx")
		change(m)
		if r := checkModel(t, m, "D.onnx", usual); !r.Holds {
			t.Errorf("%s: %s", name, r.Verdict())
		}
	}
}
