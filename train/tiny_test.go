package train

import (
	"io"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/runtime/latent"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/dataset"
	"github.com/gantrain/gantrain/train/engine"
)

// tiny is a GAN of 8x8 pictures with every kind of layer that moves or drops
// something, a step of which takes a millisecond. Without a change, its updates
// alternate, each with noise of its own, on 4 real images a step.
func tiny(changes ...func(*arch.GAN)) arch.GAN {
	norm, leaky := arch.BatchNorm{Momentum: 0.9, Epsilon: 1e-3}, arch.LeakyReLU{Slope: 0.2}
	image := arch.Shape{1, 8, 8}
	adam := arch.Adam{Rate: 2e-3, Beta1: 0.5, Beta2: 0.999, Epsilon: 1e-7}
	gan := arch.GAN{
		Name: "tiny", Title: "a GAN for tests", Dataset: "noise", Image: image, Min: -1, Max: 1,
		Latent: arch.Latent{Size: 4, Distribution: "normal"},
		Generator: arch.Network{Input: arch.Shape{4}, Layers: arch.Layers{
			arch.Dense{Units: 32, NoBias: true, Init: arch.Glorot}, norm, leaky,
			arch.Reshape{Shape: arch.Shape{2, 4, 4}},
			arch.ConvTranspose2D{Filters: 3, Kernel: 3, Stride: 1, NoBias: true, Init: arch.Glorot}, norm, leaky, arch.Dropout{Rate: 0.2},
			arch.ConvTranspose2D{Filters: 1, Kernel: 5, Stride: 2, Init: arch.Glorot}, arch.Tanh{},
		}},
		Discriminator: arch.Network{Input: image, Layers: arch.Layers{
			arch.Conv2D{Filters: 3, Kernel: 3, Stride: 2, Init: arch.Glorot}, leaky, arch.Dropout{Rate: 0.3},
			arch.Conv2D{Filters: 2, Kernel: 3, Stride: 2, NoBias: true, Init: arch.Glorot}, norm, leaky,
			arch.Flatten{}, arch.Dense{Units: 1, Init: arch.Glorot},
		}},
		Recipe: arch.Recipe{
			Batch: 4, Epochs: 2, Sampling: arch.Shuffled,
			Updates: []arch.Update{
				{Trains: arch.Discriminator, Noise: 0, RealLabel: 1, FakeLabel: 0},
				{Trains: arch.Generator, Noise: 1, FakeLabel: 1},
			},
			Adam: map[arch.Role]arch.Adam{arch.Generator: adam, arch.Discriminator: adam},
		},
		Grid: arch.Grid{Rows: 2, Columns: 2, Every: 2},
	}
	for _, change := range changes {
		change(&gan)
	}
	return gan
}

func simultaneous(gan *arch.GAN) {
	gan.Recipe.Simultaneous = true
	gan.Recipe.Updates[1].Noise = 0
}

func average(gan *arch.GAN) { gan.Recipe.EMA = 0.999 }

// phases trains the discriminator alone for two steps, then the generator.
func phases(gan *arch.GAN) {
	gan.Recipe.Phases = []arch.Phase{{Trains: arch.Discriminator, Steps: 2}, {Trains: arch.Generator, Steps: 2}}
}

// noiseImages is a data set of n pictures of the tiny GAN's size, and of its
// classes in turn.
func noiseImages(n int) *dataset.Images { return noiseOf(n, arch.Shape{1, 8, 8}) }

// noiseOf is a data set of n pictures of a shape.
func noiseOf(n int, shape arch.Shape) *dataset.Images {
	pixels, labels := make([]byte, n*shape.Size()), make([]byte, n)
	for i := range labels {
		labels[i] = byte(i % tinyClasses)
	}
	for i := range pixels {
		pixels[i] = byte(latent.Philox([2]uint64{1, 2}, [4]uint64{uint64(i), 0, 0, 0})[0])
	}
	return &dataset.Images{Name: "noise", Channels: shape[0], Height: shape[1], Width: shape[2], Pixels: pixels, Labels: labels}
}

// points is a data set that has no pictures: number i of them is at (i, i²).
type points int

func (n points) Len() int                      { return int(n) }
func (n points) Shape() []int                  { return []int{2} }
func (n points) Label(int) int                 { return -1 }
func (n points) About() (name, licence string) { return "points", "" }
func (n points) Sum() string                   { return "that of points" }

func (n points) Scale(dst []float32, index []int, _, _ float64) {
	for i, number := range index {
		dst[2*i], dst[2*i+1] = float32(number), float32(number*number)
	}
}

// examplesFor is MNIST where a GAN takes its pictures, else what has the shape.
func examplesFor(t *testing.T, gan arch.GAN) Examples {
	t.Helper()
	if !gan.Image.Picture() {
		return points(20)
	}
	if !slices.Equal(gan.Image, arch.Shape{1, 28, 28}) {
		return noiseOf(150, gan.Image)
	}
	data, err := dataset.MNIST(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// tinyModel is a model at step 0.
func tinyModel(t testing.TB, gan arch.GAN) *Model {
	t.Helper()
	state, err := NewState(gan, 1)
	if err != nil {
		t.Fatal(err)
	}
	return &Model{GAN: gan, State: state, Seed: 1, Dataset: "noise"}
}

// tinyTrainer trains a fresh model on n pictures.
func tinyTrainer(t testing.TB, gan arch.GAN, n int) *Trainer {
	t.Helper()
	return tinyTrainerOn(t, gan, noiseImages(n))
}

func tinyTrainerOn(t testing.TB, gan arch.GAN, data Examples) *Trainer {
	t.Helper()
	trainer, err := NewTrainer(tinyModel(t, gan), data, Options{Engine: Tape})
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, trainer)
	return trainer
}

// closeAfter closes something at the end of the test.
func closeAfter(t testing.TB, c io.Closer) {
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

// double is a state in float64, with moments of zero, and with biases, shifts
// and statistics moved away from their starts.
func double(state engine.State) engine.State {
	out := engine.State{}
	for k, name := range state.Names() {
		noise := make([]float32, state[name].Size())
		latent.Fill(noise, latent.Uniform, 3, 3, uint64(k))
		data := make([]float64, len(noise))
		for i, v := range floats(state[name]) {
			switch data[i] = float64(v); name[strings.LastIndex(name, "/")+1:] {
			case "bias", "beta", "mean", "gamma", "variance":
				data[i] += 0.4 * float64(noise[i])
			}
		}
		out[name] = tensor.New(tensor.WithShape(state[name].Shape()...), tensor.WithBacking(data))
	}
	return out
}

// set gives a state the values of another.
func set(to, from engine.State) {
	for name, v := range from {
		copy(to[name].Float64s(), v.Float64s())
	}
}

// same reports whether two states hold the same bits.
func same(a, b engine.State) bool {
	return slices.Equal(a.Names(), b.Names()) && !slices.ContainsFunc(a.Names(), func(name string) bool {
		return !slices.Equal(floats(a[name]), floats(b[name]))
	})
}
