package verify_test

import (
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/export/pass"
	"github.com/gantrain/gantrain/export/verify"
	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/nn"
)

// upscale is a generator of 6x6 pictures with uneven borders: 'same' puts one
// row of zeros before the picture and two after it.
var upscale = arch.Network{Input: arch.Shape{4}, Layers: arch.Layers{
	arch.Dense{Units: 18, Init: arch.Glorot}, arch.LeakyReLU{Slope: 0.2}, arch.Reshape{Shape: arch.Shape{2, 3, 3}},
	arch.ConvTranspose2D{Filters: 1, Kernel: 5, Stride: 2, Init: arch.Glorot}, arch.Tanh{},
}}

// subject returns the exported network, and cases of what its graph makes.
func subject(t *testing.T) (*onnxpb.ModelProto, []verify.Case) {
	t.Helper()
	values, err := nn.Init(arch.Generator, upscale, 5, 1)
	if err != nil {
		t.Fatal(err)
	}
	var model *onnxpb.ModelProto
	var cases []verify.Case
	for _, n := range []int{1, 3} {
		g, err := nn.NewInference(arch.Generator, upscale, values, n)
		if err != nil {
			t.Fatal(err)
		}
		if model, err = export.Graph(export.Model{Name: "generator", Inputs: g.Inputs, Outputs: g.Outputs, BatchAxis: "batch"}); err != nil {
			t.Fatal(err)
		}
		z := make([]float32, 4*n)
		for i := range z {
			z[i] = float32(math.Sin(float64(i + 1)))
		}
		x := tensor.New(tensor.WithShape(n, 4), tensor.WithBacking(z))
		y, err := g.Run(x)
		if err != nil {
			t.Fatal(err)
		}
		cases = append(cases, verify.Case{Inputs: map[string]*tensor.Dense{"z": x}, Want: map[string]*tensor.Dense{"image": y[0]}})
	}
	return model, cases
}

func initializer(t *testing.T, m *onnxpb.ModelProto, name string) *onnxpb.TensorProto {
	t.Helper()
	for _, i := range m.Graph.Initializer {
		if i.GetName() == name {
			return i
		}
	}
	t.Fatalf("the model has no initializer %s", name)
	return nil
}

func deconvPads(t *testing.T, m *onnxpb.ModelProto) *onnxpb.AttributeProto {
	t.Helper()
	for _, n := range m.Graph.Node {
		for _, a := range n.Attribute {
			if n.GetOpType() == "ConvTranspose" && a.GetName() == "pads" {
				return a
			}
		}
	}
	t.Fatal("the model has no ConvTranspose with pads")
	return nil
}

func TestFaithfulModelPasses(t *testing.T) {
	model, cases := subject(t)
	data, err := export.Marshal(model)
	if err != nil {
		t.Fatal(err)
	}
	report, err := verify.Model(t.Context(), data, runtime.Options{}, cases...)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Cases) != 2 || report.Cases[0].Batch != 1 || report.Cases[1].Batch != 3 || report.Cases[0].Output != "image" {
		t.Errorf("report %+v, want image at batch 1 and 3", report)
	}
	largest := math.Max(report.Cases[0].Max, report.Cases[1].Max)
	if report.Largest() != largest || !(largest <= verify.Tolerance) {
		t.Errorf("largest difference %g, want %g, at most %g", report.Largest(), largest, verify.Tolerance)
	}
}

func TestTamperedModelsAreCaught(t *testing.T) {
	for name, c := range map[string]struct {
		tamper func(*testing.T, *onnxpb.ModelProto, []verify.Case)
		want   string
	}{
		"one weight": {func(t *testing.T, m *onnxpb.ModelProto, _ []verify.Case) {
			raw := initializer(t, m, "generator/deconv1/weight").RawData
			raw[3] ^= 0x80 // the sign of the first value
		}, "departs from its graph by"},
		"a weight that is no number": {func(t *testing.T, m *onnxpb.ModelProto, _ []verify.Case) {
			copy(initializer(t, m, "generator/deconv1/bias").RawData, "\xff\xff\xff\x7f")
		}, "departs from its graph by NaN"},
		"pads moved": {func(t *testing.T, m *onnxpb.ModelProto, _ []verify.Case) {
			pads := deconvPads(t, m).Ints // top, left, bottom, right
			pads[0], pads[2] = pads[0]+1, pads[2]-1
		}, "departs from its graph by"},
		"pads too wide": {func(t *testing.T, m *onnxpb.ModelProto, _ []verify.Case) {
			deconvPads(t, m).Ints[3] += 2 // more than the Slice behind it takes off
		}, "has shape"},
		"an output renamed": {func(_ *testing.T, m *onnxpb.ModelProto, _ []verify.Case) {
			m.Graph.Output[0].Name = "picture"
			for _, n := range m.Graph.Node {
				for i, o := range n.Output {
					if o == "image" {
						n.Output[i] = "picture"
					}
				}
			}
		}, `the model has no output "image"`},
		"a graph that gives no number": {func(_ *testing.T, _ *onnxpb.ModelProto, cases []verify.Case) {
			cases[0].Want["image"].Float32s()[7] = float32(math.NaN())
		}, "departs from its graph by NaN"},
		"an operator that nobody has": {func(_ *testing.T, m *onnxpb.ModelProto, _ []verify.Case) {
			m.Graph.Node[0].OpType = "Imagine"
		}, "Imagine"},
	} {
		t.Run(name, func(t *testing.T) {
			model, cases := subject(t)
			c.tamper(t, model, cases)
			data, err := proto.Marshal(model)
			if err != nil {
				t.Fatal(err)
			}
			_, err = verify.Model(t.Context(), data, runtime.Options{}, cases...)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one line with %q", err, c.want)
			}
		})
	}
}

func TestCompare(t *testing.T) {
	vector := func(v ...float32) *tensor.Dense { return tensor.New(tensor.WithShape(len(v)), tensor.WithBacking(v)) }
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		have, want *tensor.Dense
		max        float64
	}{
		{vector(1, 2), vector(1, 2), 0},
		{vector(0.5, 0), vector(0.25, 0), 0.25}, // below 1: absolute
		{vector(5, 0), vector(4, -8), 1},        // 8 / 8
		{vector(1, nan), vector(1, 2), math.NaN()},
		{vector(1, 2), vector(nan, 2), math.NaN()},
		{vector(inf, 2), vector(inf, 2), math.NaN()}, // no finite values, no proof
		{vector(1, 2), vector(-inf, 2), math.NaN()},
		{vector(inf, 2), vector(1, 2), math.NaN()},
	} {
		got, err := verify.Compare(c.have, c.want)
		if err != nil {
			t.Fatal(err)
		}
		if got != c.max && !(math.IsNaN(got) && math.IsNaN(c.max)) {
			t.Errorf("Compare(%v, %v) = %g, want %g", c.have, c.want, got, c.max)
		}
	}
	column := tensor.New(tensor.WithShape(2, 1), tensor.WithBacking([]float32{1, 2}))
	for _, have := range []*tensor.Dense{vector(1), column} {
		if _, err := verify.Compare(have, vector(1, 2)); err == nil {
			t.Errorf("no error for shape %v", have.Shape())
		}
	}
	if _, err := verify.Compare(vector(1), tensor.New(tensor.WithShape(1), tensor.WithBacking([]float64{1}))); err == nil {
		t.Error("no error for other types")
	}
}

// TestPairs tells a difference that is known: of one weight, of half a level, and
// of pictures with their channels last.
func TestPairs(t *testing.T) {
	plain, cases := subject(t)
	plain.MetadataProps = []*onnxpb.StringStringEntryProto{{Key: "gan.value.min", Value: "-1"}, {Key: "gan.value.max", Value: "1"}}
	open := func(v pass.Variant) *runtime.Session {
		m := proto.Clone(plain).(*onnxpb.ModelProto)
		if err := v.Apply(m); err != nil {
			t.Fatal(err)
		}
		data, err := export.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		s, err := runtime.Load(t.Context(), data, runtime.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	a := open(pass.Variant{})
	in := cases[1].Inputs
	for _, c := range []struct {
		variant                 pass.Variant
		least, most             float64 // of the largest difference
		leastLevels, mostLevels float64
	}{
		{pass.Variant{}, 0, 0, 0, 0},
		{pass.Variant{Float16: true}, 1e-6, 2e-3, 1e-4, 0.3},
		{pass.Variant{Uint8Image: true}, 0.5 / 255, 1.001 / 255, 0.3, 0.501},
		{pass.Variant{Uint8Image: true, NHWC: true}, 0.5 / 255, 1.001 / 255, 0.3, 0.501},
	} {
		for _, reversed := range []bool{false, true} {
			first, second := open(c.variant), a
			if reversed && !c.variant.Uint8Image { // whose unit is another
				first, second = second, first
			}
			pairs, err := verify.Pairs(t.Context(), first, second, in)
			if err != nil || len(pairs) != 1 {
				t.Fatal(pairs, err)
			}
			if p := pairs[0]; p.Max < c.least || p.Max > c.most || p.Mean > p.Max || p.Levels < c.leastLevels || p.Levels > c.mostLevels || p.Batch != 3 {
				t.Errorf("%v: %+v, want a largest difference of %g to %g", c.variant, p, c.least, c.most)
			}
		}
	}
}
