package nn_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/nn"
)

func initialised(t *testing.T, net arch.Network, seed, stream uint64) map[string][]float32 {
	t.Helper()
	values, err := nn.Init(arch.Generator, net, seed, stream)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]float32{}
	for name, v := range values {
		out[name] = v.Data().([]float32)
	}
	return out
}

// The deviation of each kernel's start and, for Glorot's, the bounds: fan in
// and fan out are the inputs and outputs of one place, times the kernel's area.
func TestStartsHaveTheirStatistics(t *testing.T) {
	glorot := func(fanIn, fanOut int) float64 { return math.Sqrt(6 / float64(fanIn+fanOut)) }
	for _, c := range []struct {
		layer     arch.Layer
		name      string
		input     arch.Shape
		bound     float64 // 0: none
		deviation float64
	}{
		{arch.Dense{Units: 300, Init: arch.Glorot}, "dense1", arch.Shape{50}, glorot(50, 300), glorot(50, 300) / math.Sqrt(3)},
		{arch.Conv2D{Filters: 20, Kernel: 5, Stride: 1, Init: arch.Glorot}, "conv1", arch.Shape{30, 8, 8}, glorot(30*25, 20*25), glorot(30*25, 20*25) / math.Sqrt(3)},
		{arch.ConvTranspose2D{Filters: 40, Kernel: 4, Stride: 1, Init: arch.Glorot}, "deconv1", arch.Shape{25, 8, 8}, glorot(25*16, 40*16), glorot(25*16, 40*16) / math.Sqrt(3)},
		{arch.Dense{Units: 300, Init: arch.Normal(0.02)}, "dense1", arch.Shape{50}, 0, 0.02},
		{arch.Dense{Units: 300, Init: arch.Uniform(0.05)}, "dense1", arch.Shape{50}, 0.05, 0.05 / math.Sqrt(3)},
	} {
		values := initialised(t, arch.Network{Input: c.input, Layers: arch.Layers{c.layer}}, 3, 4)
		w := values["generator/"+c.name+"/weight"]
		n := float64(len(w))
		var sum, squares, largest float64
		for _, v := range w {
			sum += float64(v)
			squares += float64(v) * float64(v)
			largest = math.Max(largest, math.Abs(float64(v)))
		}
		if mean := sum / n; math.Abs(mean) > 5*c.deviation/math.Sqrt(n) { // five standard errors
			t.Errorf("%s: mean %g, want 0", c.name, mean)
		}
		if got := math.Sqrt(squares / n); math.Abs(got/c.deviation-1) > 5/math.Sqrt(2*n) { // five standard errors of a normal's, more of a uniform's
			t.Errorf("%s: deviation %g, want %g", c.name, got, c.deviation)
		}
		// The largest of n uniform values lies within 20/n of the bound but once in e^20.
		if c.bound > 0 && (largest > c.bound*(1+1e-7) || largest < c.bound*(1-20/n)) {
			t.Errorf("%s: largest magnitude %g, want just below %g", c.name, largest, c.bound)
		}
		for _, b := range values["generator/"+c.name+"/bias"] {
			if b != 0 {
				t.Fatalf("%s: a bias starts at %g", c.name, b)
			}
		}
	}
}

func TestNormalisationStartsNeutral(t *testing.T) {
	values := initialised(t, arch.Network{Input: arch.Shape{2}, Layers: arch.Layers{arch.BatchNorm{Momentum: 0.9, Epsilon: 1e-3}}}, 1, 1)
	want := map[string][]float32{
		"generator/batchnorm1/gamma": {1, 1}, "generator/batchnorm1/beta": {0, 0},
		"generator/batchnorm1/mean": {0, 0}, "generator/batchnorm1/variance": {1, 1},
	}
	if diff := cmp.Diff(want, values); diff != "" {
		t.Errorf("starts (-want +got):\n%s", diff)
	}
}

func TestStartsDependOnSeedStreamAndPlaceAlone(t *testing.T) {
	dense := arch.Dense{Units: 6, Init: arch.Glorot}
	net := arch.Network{Input: arch.Shape{6}, Layers: arch.Layers{dense, dense, dense}}
	first := initialised(t, net, 1, 1)
	if diff := cmp.Diff(first, initialised(t, net, 1, 1)); diff != "" {
		t.Errorf("the same seed gives other values:\n%s", diff)
	}
	weights := [][]float32{first["generator/dense1/weight"], first["generator/dense2/weight"], first["generator/dense3/weight"]}
	for _, other := range [][2]uint64{{2, 1}, {1, 2}} {
		weights = append(weights, initialised(t, net, other[0], other[1])["generator/dense1/weight"])
	}
	for i := range weights {
		for j := range i {
			if slices.Equal(weights[i], weights[j]) {
				t.Errorf("arrays %d and %d of layers, seeds and streams are the same", i, j)
			}
		}
	}
}

func TestInitErrors(t *testing.T) {
	for want, layer := range map[string]arch.Layer{
		`generator/dense1/weight: unknown initialiser ""`:   arch.Dense{Units: 1},
		`generator/dense1/weight: unknown initialiser "he"`: arch.Dense{Units: 1, Init: arch.Init{Kind: "he"}},
		"generator: layer dense1: 0 units":                  arch.Dense{},
	} {
		var values map[string]*tensor.Dense
		values, err := nn.Init(arch.Generator, arch.Network{Input: arch.Shape{3}, Layers: arch.Layers{layer}}, 1, 1)
		if values != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
