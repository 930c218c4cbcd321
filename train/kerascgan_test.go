package train

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sbinet/npyio/npz"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/engine"
	"github.com/gantrain/gantrain/train/op"
)

// narrowCGAN is the published GAN with a quarter of its hidden widths, for steps
// of 16 images.
func narrowCGAN(t *testing.T, variant string, dropout bool) arch.GAN {
	t.Helper()
	gan, err := arch.Find("michelucci-cgan", variant)
	if err != nil {
		t.Fatal(err)
	}
	gan.Recipe.Batch = 16
	var narrow func(layers arch.Layers) arch.Layers
	narrow = func(layers arch.Layers) arch.Layers {
		layers = slices.Clone(layers)
		for i, layer := range layers {
			switch l := layer.(type) {
			case arch.Dense:
				if l.Units == 128*7*7 {
					l.Units /= 4
				}
				layers[i] = l
			case arch.Embedding:
				l.Size /= 4
				layers[i] = l
			case arch.Conv2D:
				l.Filters = (l.Filters + 3) / 4
				layers[i] = l
			case arch.ConvTranspose2D:
				l.Filters /= 4
				layers[i] = l
			case arch.Reshape:
				if l.Shape[0] == 128 {
					l.Shape = arch.Shape{32, 7, 7}
				}
				layers[i] = l
			case arch.Condition:
				l.Layers = narrow(l.Layers)
				layers[i] = l
			case arch.Dropout:
				if !dropout {
					layers[i] = arch.Dropout{}
				}
			}
		}
		return layers
	}
	gan.Generator.Layers, gan.Discriminator.Layers = narrow(gan.Generator.Layers), narrow(gan.Discriminator.Layers)
	return gan
}

// Keras' own five steps of michelucci-cgan, in float64 from the same weights on
// the same batches: every loss, and every weight at the end. The fixture is
// made by Keras 3.15.1 on TensorFlow 2.21.
func TestConditionalGANFollowsKeras(t *testing.T) {
	folder := os.Getenv("GANTRAIN_KERAS_FIXTURES")
	if folder == "" {
		t.Skip("skipped: GANTRAIN_KERAS_FIXTURES names no folder of training steps by Keras")
	}
	f, err := npz.Open(filepath.Join(folder, "michelucci-cgan.npz"))
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, f)
	k := kerasCGAN{t, f}
	for _, c := range []struct {
		keras, variant string
		dropout        bool
	}{{"main", "half-batches", true}, {"nodrop", "half-batches", false}, {"sum", "sum", true}} {
		gan := narrowCGAN(t, c.variant, c.dropout)
		plan, err := NewPlan(gan, 16, tensor.Float64)
		if err != nil {
			t.Fatal(err)
		}
		state := k.state(gan, "init")
		program, err := engine.NewTape(plan.Step, state)
		if err != nil {
			t.Fatal(err)
		}
		closeAfter(t, program)
		dLoss, gLoss := k.read(c.keras+".d_loss64"), k.read(c.keras+".g_loss64")
		worst := 0.0
		for step := range 5 {
			losses := run(t, program, k.feed(gan, plan.Feeds, step))[:len(plan.Updates)]
			d := len(losses) - 1
			for i, want := range append(slices.Clone(dLoss[step*d:(step+1)*d]), gLoss[step]) {
				worst = math.Max(worst, math.Abs(losses[i]-want))
			}
		}
		if !(worst <= 1e-8) { // Keras has LeakyReLU's slope in float32
			t.Errorf("%s: losses depart from Keras by %.1e", c.keras, worst)
		}
		after, off, where := k.state(gan, c.keras+".final64"), 0.0, ""
		for _, name := range weightNames(state) {
			for i, want := range after[name].Float64s() {
				if d := math.Abs(state[name].Float64s()[i] - want); d > off {
					off, where = d, name
				}
			}
		}
		if !(off <= 1e-7) { // weights stored in float32
			t.Errorf("%s: %s departs from Keras by %.1e", c.keras, where, off)
		}
		t.Logf("%s: losses within %.1e of Keras, weights within %.1e", c.keras, worst, off)
	}
}

// kerasCGAN reads Keras' arrays, whose pictures are [height, width, channels].
type kerasCGAN struct {
	t *testing.T
	f *npz.Reader
}

func (k kerasCGAN) read(name string) []float64 {
	k.t.Helper()
	name += ".npy"
	var out []float64
	var err error
	switch h := k.f.Header(name); {
	case h == nil:
		k.t.Fatalf("no array %s", name)
	case h.Descr.Type == "<f8":
		err = k.f.Read(name, &out)
	case h.Descr.Type == "<f4":
		out, err = readAs[float32](k.f, name)
	case h.Descr.Type == "<i4":
		out, err = readAs[int32](k.f, name)
	case h.Descr.Type == "|u1":
		out, err = readAs[uint8](k.f, name)
	default:
		k.t.Fatalf("%s is of type %s", name, h.Descr.Type)
	}
	if err != nil {
		k.t.Fatal(err)
	}
	return out
}

func readAs[T float32 | int32 | uint8](f *npz.Reader, name string) (out []float64, err error) {
	var data []T
	err = f.Read(name, &data)
	for _, v := range data {
		out = append(out, float64(v))
	}
	return out, err
}

// kerasLayers are the names that Keras gives the layers.
var kerasLayers = map[string]string{
	"generator/dense1": "G.dense_1", "generator/condition1/embedding1": "G.embedding", "generator/condition1/dense1": "G.dense",
	"generator/deconv1": "G.conv2d_transpose", "generator/deconv2": "G.conv2d_transpose_1", "generator/conv1": "G.conv2d",
	"discriminator/condition1/embedding1": "D.embedding", "discriminator/condition1/dense1": "D.dense",
	"discriminator/conv1": "D.conv2d", "discriminator/conv2": "D.conv2d_1", "discriminator/dense1": "D.dense_1",
}

// state reads a set of weights; moments are zero.
func (k kerasCGAN) state(gan arch.GAN, set string) engine.State {
	all, err := shapes(gan)
	if err != nil {
		k.t.Fatal(err)
	}
	state := engine.State{}
	for name, shape := range all {
		state[name] = tensor.New(tensor.Of(tensor.Float64), tensor.WithShape(shape...))
		layer, param := filepath.Split(name)
		keras, ok := kerasLayers[strings.TrimSuffix(layer, "/")]
		if !ok {
			continue
		}
		kind := map[string]string{"weight": "kernel", "bias": "bias"}[param]
		if strings.HasSuffix(keras, "embedding") {
			kind = "embeddings"
		}
		data := k.read(set + "." + keras + "." + kind)
		if len(data) != state[name].Size() {
			k.t.Fatalf("%s: %d values for %v", name, len(data), shape)
		}
		const pixels, channels = 49, 32
		switch {
		case len(shape) == 4: // [height, width, in of a convolution or out of a transposed one, the other]
			data = permuted(data, []int{shape[2], shape[3], shape[1], shape[0]}, 3, 2, 0, 1)
		case name == "generator/dense1/weight":
			data = permuted(data, []int{shape[0], pixels, channels}, 0, 2, 1)
		case name == "generator/dense1/bias", name == "discriminator/dense1/weight":
			data = permuted(data, []int{pixels, channels}, 1, 0)
		}
		copy(state[name].Float64s(), data)
	}
	return state
}

// permuted lays an array out with its axes in another order.
func permuted(data []float64, shape []int, order ...int) []float64 {
	a := tensor.New(tensor.WithShape(shape...), tensor.WithBacking(slices.Clone(data)))
	if err := a.T(order...); err != nil {
		panic(err)
	}
	if err := a.Transpose(); err != nil {
		panic(err)
	}
	return a.Float64s()
}

// feed gives a step its inputs, of half a batch the first rows.
func (k kerasCGAN) feed(gan arch.GAN, specs []FeedSpec, step int) engine.Feed {
	feed := engine.Feed{}
	for _, s := range specs {
		if s.Kind == LearningRate {
			r := gan.Recipe
			a := r.Adam[r.Updates[s.Update].Trains]
			perStep, number := turns(r, s.Update)
			feed[s.Name] = gorgonia.NewF64(op.AdamRate(a.Rate, a.Beta1, a.Beta2, step*perStep+number))
			continue
		}
		of := []string{"d", "g"}[s.Noise]
		name := map[FeedKind]string{
			RealImages: "real", RealLabels: "labels_real", Noise: "z_" + of, FakeLabels: "labels_" + of,
		}[s.Kind]
		if s.Kind == DropoutMask {
			of := strings.Split(s.Name, "/")[2]
			if strings.HasPrefix(s.Name, fmt.Sprintf("mask/%d/", len(gan.Recipe.Updates)-1)) {
				of = "g"
			}
			name = "mask1_" + of
		}
		all := k.read("batch." + name)
		rows := all[step*len(all)/5:][:s.Shape.TotalSize()]
		switch s.Kind {
		case RealLabels, FakeLabels:
			feed[s.Name] = tensor.New(tensor.WithShape(s.Shape...), tensor.WithBacking(whole[int64](rows)))
		case DropoutMask:
			rows = permuted(rows, []int{s.Shape[0], 49, 32}, 0, 2, 1)
			feed[s.Name] = tensor.New(tensor.WithShape(s.Shape...), tensor.WithBacking(whole[uint8](rows)))
		default:
			feed[s.Name] = tensor.New(tensor.WithShape(s.Shape...), tensor.WithBacking(rows))
		}
	}
	return feed
}

func whole[T int64 | uint8](data []float64) []T {
	out := make([]T, len(data))
	for i, v := range data {
		out[i] = T(v)
	}
	return out
}
