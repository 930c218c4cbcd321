package nn_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/nn"
)

// Two networks of a few units that have every layer between them, odd sizes,
// strides that leave uneven borders, and a normalisation of each rank.
var (
	smallGenerator = arch.Network{Input: arch.Shape{5}, Layers: arch.Layers{
		arch.Dense{Units: 18, Init: arch.Glorot}, arch.BatchNorm{Momentum: 0.9, Epsilon: 1e-3}, arch.LeakyReLU{Slope: 0.3},
		arch.Reshape{Shape: arch.Shape{2, 3, 3}},
		arch.Condition{Layers: arch.Layers{
			arch.Embedding{Classes: classes, Size: 2, Init: arch.Uniform(0.5)}, arch.Dropout{Rate: 0.25},
			arch.Dense{Units: 9, Init: arch.Glorot}, arch.BatchNorm{Momentum: 0.7, Epsilon: 1e-3},
			arch.Reshape{Shape: arch.Shape{1, 3, 3}},
		}},
		arch.ConvTranspose2D{Filters: 3, Kernel: 4, Stride: 1, NoBias: true, Init: arch.Glorot},
		arch.BatchNorm{Momentum: 0.99, Epsilon: 1e-2}, arch.ReLU{}, arch.Dropout{Rate: 0.25},
		arch.ConvTranspose2D{Filters: 1, Kernel: 5, Stride: 2, Init: arch.Glorot}, arch.Tanh{},
	}}
	smallDiscriminator = arch.Network{Input: arch.Shape{2, 7, 6}, Layers: arch.Layers{
		arch.Conv2D{Filters: 3, Kernel: 5, Stride: 2, Init: arch.Glorot}, arch.LeakyReLU{Slope: 0.2}, arch.Dropout{Rate: 0.3},
		arch.Conv2D{Filters: 2, Kernel: 3, Stride: 3, NoBias: true, Init: arch.Glorot}, arch.BatchNorm{Momentum: 0.8, Epsilon: 1e-3},
		arch.Flatten{}, arch.Dense{Units: 1, Init: arch.Glorot}, arch.Sigmoid{},
	}}
)

const classes = 4 // of the small generator's labels

const tolerance = 1e-12 // float64 on both sides, sums of some hundred terms

func TestInferenceIsTheFormula(t *testing.T) {
	for role, net := range map[arch.Role]arch.Network{arch.Generator: smallGenerator, arch.Discriminator: smallDiscriminator} {
		values, plain := double(used(t, role, net))
		for _, n := range []int{1, 4} {
			g, err := nn.NewInference(role, net, values, n)
			if err != nil {
				t.Fatal(err)
			}
			x, rows := batch(n, net.Input)
			in, labels := []*tensor.Dense{x}, labelsOf(n, net)
			if labels != nil {
				in = append(in, tensor.New(tensor.WithShape(n, 1), tensor.WithBacking(labels)))
			}
			want := naive{role: role, params: plain, labels: labels}.run(net, rows)
			for range 2 { // the graph can be run again
				y, err := g.Run(in...)
				if err != nil {
					t.Fatal(err)
				}
				if d := departure(t, y[0].Data().([]float64), want...); !(d <= tolerance) {
					t.Errorf("%s at batch %d departs from the formula by %.1e", role, n, d)
				}
			}
		}
	}
}

// A network in training, applied twice as a discriminator is to real and to
// generated images: each time with statistics of its own batch, the running
// ones moving on from the first to the second.
func TestTrainingIsTheFormula(t *testing.T) {
	for role, net := range map[arch.Role]arch.Network{arch.Generator: smallGenerator, arch.Discriminator: smallDiscriminator} {
		t.Run(string(role), func(t *testing.T) {
			values, plain := double(used(t, role, net))
			g := gorgonia.NewGraph()
			n, err := nn.New(g, role, net, tensor.Float64)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range append(n.Weights(), n.Statistics()...) {
				let(t, p.Node, values[p.Name])
			}
			read := map[string]*gorgonia.Value{}
			keep := func(name string, node *gorgonia.Node) {
				var v gorgonia.Value
				read[name] = &v
				gorgonia.Read(node, read[name])
			}
			want := map[string][][]float64{}
			for pass, size := range []int{3, 4} {
				masks, masker := drawMasks(t, g, pass)
				x, rows := batch(size, net.Input)
				in := nn.Input(g, fmt.Sprint("x", pass), tensor.Float64, x.Shape()...)
				let(t, in, x)
				labels := labelsOf(size, net)
				y, err := n.Train(in, masker, inParts(t, g, pass, labels)...)
				if err != nil {
					t.Fatal(err)
				}
				name := fmt.Sprint("output ", pass)
				keep(name, y.Node)
				want[name] = naive{role, plain, masks, labels}.run(net, rows)
			}
			for _, p := range n.Statistics() {
				keep(p.Name, p.Node)
				want[p.Name] = [][]float64{plain[p.Name]}
			}
			vm := gorgonia.NewTapeMachine(g)
			defer vm.Close()
			if err := vm.RunAll(); err != nil {
				t.Fatal(err)
			}
			for name, v := range read {
				if d := departure(t, (*v).Data().([]float64), want[name]...); !(d <= tolerance) {
					t.Errorf("%s departs from the formula by %.1e", name, d)
				}
			}
		})
	}
}

// inParts makes two inputs of the labels of a pass, the first with one of them.
func inParts(t *testing.T, g *gorgonia.ExprGraph, pass int, labels []int64) []*gorgonia.Node {
	if labels == nil {
		return nil
	}
	var nodes []*gorgonia.Node
	for i, part := range [][]int64{labels[:1], labels[1:]} {
		n := nn.Input(g, fmt.Sprintf("label/%d/%d", pass, i), tensor.Int64, len(part), 1)
		let(t, n, tensor.New(tensor.WithShape(len(part), 1), tensor.WithBacking(part)))
		nodes = append(nodes, n)
	}
	return nodes
}

func let(t *testing.T, n *gorgonia.Node, v gorgonia.Value) {
	t.Helper()
	if err := gorgonia.Let(n, v); err != nil {
		t.Fatal(err)
	}
}

// drawMasks returns the masks of a pass, filled in as the masker is asked.
func drawMasks(t *testing.T, g *gorgonia.ExprGraph, pass int) (map[string][]uint8, nn.Masker) {
	masks := map[string][]uint8{}
	r := rand.New(rand.NewPCG(uint64(pass), 4))
	return masks, func(layer string, rate float64, shape tensor.Shape) *gorgonia.Node {
		mask := make([]uint8, shape.TotalSize())
		for i := range mask {
			if r.Float64() >= rate {
				mask[i] = 1
			}
		}
		masks[layer] = mask
		n := nn.Input(g, fmt.Sprintf("mask/%d/%s", pass, layer), tensor.Uint8, shape...)
		let(t, n, tensor.New(tensor.WithShape(shape...), tensor.WithBacking(mask)))
		return n
	}
}

func TestLogitIsTheSigmoidsInput(t *testing.T) {
	for _, c := range []struct {
		name string
		net  arch.Network
		ends bool // in a sigmoid
	}{
		{"sigmoid last", smallDiscriminator, true},
		{"logits", arch.Network{Input: arch.Shape{3}, Layers: arch.Layers{arch.Sigmoid{}, arch.Dense{Units: 1}}}, false},
	} {
		g := gorgonia.NewGraph()
		n, err := nn.New(g, arch.Discriminator, c.net, tensor.Float32)
		if err != nil {
			t.Fatal(err)
		}
		out, err := n.Infer(nn.Input(g, "x", tensor.Float32, append([]int{2}, c.net.Input...)...))
		if err != nil {
			t.Fatal(err)
		}
		if (out.Node != out.Logit) != c.ends {
			t.Errorf("%s: the logit is a node of its own: %v, want %v", c.name, out.Node != out.Logit, c.ends)
		}
	}
}

func TestNamesOfInputsAndOutputs(t *testing.T) {
	logits := arch.Network{Input: smallDiscriminator.Input, Layers: smallDiscriminator.Layers[:len(smallDiscriminator.Layers)-1]}
	both := smallDiscriminator
	both.Logit = true
	plane := arch.Network{Input: arch.Shape{2}, Layers: arch.Layers{arch.Dense{Units: 2, Init: arch.Glorot}}}
	for _, c := range []struct {
		role arch.Role
		net  arch.Network
		want []string
	}{
		{arch.Generator, smallGenerator, []string{"z", "label", "image"}},
		{arch.Generator, plane, []string{"z", "points"}},
		{arch.Discriminator, smallDiscriminator, []string{"image", "probability"}},
		{arch.Discriminator, logits, []string{"image", "logit"}},
		{arch.Discriminator, both, []string{"image", "logit", "probability"}},
		{arch.Discriminator, plane, []string{"points", "logit"}},
	} {
		g, err := nn.NewInference(c.role, c.net, used(t, c.role, c.net), 2)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, p := range slices.Concat(g.Inputs, g.Outputs) {
			names = append(names, p.Name)
		}
		if diff := cmp.Diff(c.want, names); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.role, diff)
		}
	}
}

// A network that gives both gives the logit of its probability.
func TestLogitBesideProbability(t *testing.T) {
	net := smallDiscriminator
	net.Logit = true
	values, _ := double(used(t, arch.Discriminator, net))
	g, err := nn.NewInference(arch.Discriminator, net, values, 3)
	if err != nil {
		t.Fatal(err)
	}
	x, _ := batch(3, net.Input)
	out, err := g.Run(x)
	if err != nil {
		t.Fatal(err)
	}
	for i, z := range out[0].Data().([]float64) {
		if p := out[1].Data().([]float64)[i]; math.Abs(p-1/(1+math.Exp(-z))) > tolerance {
			t.Errorf("logit %g, probability %g", z, p)
		}
	}
}

func TestInferenceErrors(t *testing.T) {
	values := used(t, arch.Generator, smallGenerator)
	delete(values, "generator/deconv2/bias")
	_, err := nn.NewInference(arch.Generator, smallGenerator, values, 1)
	if want := "nn: no value for generator/deconv2/bias"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	g, err := nn.NewInference(arch.Discriminator, smallDiscriminator, used(t, arch.Discriminator, smallDiscriminator), 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Run(); err == nil || err.Error() != "nn: 0 inputs are given, want 1" {
		t.Errorf("error %v", err)
	}
	graph := gorgonia.NewGraph()
	n, err := nn.New(graph, arch.Generator, smallGenerator, tensor.Float32)
	if err != nil {
		t.Fatal(err)
	}
	_, err = n.Infer(nn.Input(graph, "x", tensor.Float32, 2, 5))
	if want := "nn: generator/condition1: generator/condition1/embedding1: no labels are given"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	broken := arch.Network{Input: arch.Shape{5}, Layers: arch.Layers{arch.Dense{Units: 3}, arch.Conv2D{Filters: 1, Kernel: 3, Stride: 1}}}
	_, err = nn.NewInference(arch.Generator, broken, nil, 1)
	if want := "nn: generator: layer conv1: takes [channels height width], not [3]: reshape before it"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// What each layer puts out has its name, and asking for it changes nothing.
func TestRunLayers(t *testing.T) {
	g, err := nn.NewInference(arch.Discriminator, smallDiscriminator, used(t, arch.Discriminator, smallDiscriminator), 2)
	if err != nil {
		t.Fatal(err)
	}
	x := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(append([]int{2}, smallDiscriminator.Input...)...))
	for i := range x.Float32s() {
		x.Float32s()[i] = float32(i%7) / 7
	}
	before, err := g.Run(x)
	if err != nil {
		t.Fatal(err)
	}
	outputs, layers, err := g.RunLayers(x)
	if err != nil {
		t.Fatal(err)
	}
	after, err := g.Run(x)
	if err != nil {
		t.Fatal(err)
	}
	if len(after) != len(before) {
		t.Fatalf("%d outputs, then %d", len(before), len(after))
	}
	for i := range before {
		for _, other := range []*tensor.Dense{outputs[i], after[i]} {
			if !slices.Equal(before[i].Float32s(), other.Float32s()) {
				t.Errorf("output %d has changed", i)
			}
		}
	}
	rows, err := smallDiscriminator.Rows()
	if err != nil {
		t.Fatal(err)
	}
	k := 0
	for _, r := range rows {
		if _, ok := r.Layer.(arch.Dropout); ok {
			continue
		}
		if name := nn.LayerName(arch.Discriminator, r.Name); k >= len(layers) || g.Layers[k].Name != name {
			t.Fatalf("layer %d is not %s", k, name)
		}
		if want := append([]int{2}, r.Output...); !slices.Equal(layers[k].Shape(), tensor.Shape(want)) {
			t.Errorf("%s puts out %v, want %v", r.Name, layers[k].Shape(), want)
		}
		k++
	}
	if k != len(layers) {
		t.Errorf("%d layers, want %d", len(layers), k)
	}
}
