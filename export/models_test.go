package export_test

import (
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/train/op"
)

// builder makes small models whose weights are the same at each call.
type builder struct {
	t     testing.TB
	graph *gorgonia.ExprGraph
	dt    tensor.Dtype
}

func newBuilder(t testing.TB, dt tensor.Dtype) builder {
	return builder{t, gorgonia.NewGraph(), dt}
}

// input adds an input of the model, without a value.
func (b builder) input(name string, shape ...int) *gorgonia.Node {
	return gorgonia.NewTensor(b.graph, b.dt, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name))
}

// weight adds a weight with values from 0.5 down to -0.5, or all above 0.
func (b builder) weight(name string, shape ...int) *gorgonia.Node {
	return b.valued(name, -0.5, shape...)
}

func (b builder) positive(name string, shape ...int) *gorgonia.Node {
	return b.valued(name, 0.5, shape...)
}

func (b builder) valued(name string, lowest float64, shape ...int) *gorgonia.Node {
	return gorgonia.NewTensor(b.graph, b.dt, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name),
		gorgonia.WithValue(pattern(b.dt, lowest, shape...)))
}

// pattern fills an array with values between lowest and lowest + 1.
func pattern(dt tensor.Dtype, lowest float64, shape ...int) *tensor.Dense {
	v := tensor.New(tensor.Of(dt), tensor.WithShape(shape...))
	for i := range v.DataSize() {
		x := lowest + float64(i*37%101)/100
		if dt == tensor.Float32 {
			v.Data().([]float32)[i] = float32(x)
		} else {
			v.Data().([]float64)[i] = x
		}
	}
	return v
}

// named passes a node on under a name.
func (b builder) named(name string) func(n *gorgonia.Node, err error) *gorgonia.Node {
	return func(n *gorgonia.Node, err error) *gorgonia.Node {
		b.t.Helper()
		if err != nil {
			b.t.Fatal(err)
		}
		if name != "" {
			gorgonia.WithName(name)(n)
		}
		return n
	}
}

// generator turns z [batch, 4] into image [batch, 1, 5, 7].
func (b builder) generator(batch int) export.Model {
	z := b.input("z", batch, 4)
	x := b.named("generator/dense")(op.Dense(z, b.weight("generator/dense/kernel", 4, 24), nil))
	x = b.named("generator/norm")(op.BatchNorm(x, b.weight("generator/norm/gamma", 24), b.weight("generator/norm/beta", 24),
		b.weight("generator/norm/mean", 24), b.positive("generator/norm/variance", 24), 1e-3, false))
	x = b.named("generator/leaky")(op.LeakyReLU(x, 0.3))
	x = b.named("generator/reshape")(op.Reshape(x, 2, 3, 4))
	g := op.Same(5, 7, [2]int{5, 4}, [2]int{2, 2})
	x = b.named("generator/deconv")(op.ConvTranspose2D(x, b.weight("generator/deconv/kernel", 2, 1, 5, 4), b.weight("generator/deconv/bias", 1), g, 5, 7))
	x = b.named("generator/tanh")(op.Tanh(x))
	return export.Model{
		Name:      "generator",
		Inputs:    []export.Port{{Name: "z", Node: z}},
		Outputs:   []export.Port{{Name: "image", Node: x}},
		BatchAxis: "batch", Producer: "gantrain", ProducerVersion: "1.2.3",
		Metadata: map[string]string{"seed": "7", "architecture": "tiny", "latent": "4"},
	}
}

// discriminator turns image [batch, 2, 6, 5] and label [batch, 3] into logit
// and probability, both [batch, 1]. Its nodes have no names of their own.
func (b builder) discriminator(batch int) export.Model {
	image, label := b.input("image", batch, 2, 6, 5), b.input("label", batch, 3)
	kernel := b.weight("kernel", 2, 2, 3, 3)
	unnamed := b.named("")
	g := op.Same(6, 5, [2]int{3, 3}, [2]int{1, 1})
	x := unnamed(op.ReLU(unnamed(op.Conv2D(image, kernel, b.weight("bias", 2), g))))
	x = unnamed(op.ReLU(unnamed(op.Conv2D(x, kernel, nil, g)))) // the kernel again
	x = unnamed(op.Concat(1, unnamed(op.Flatten(x)), label))
	logit := unnamed(op.Dense(x, b.weight("kernel", 63, 1), b.weight("bias", 1)))
	probability := unnamed(op.Sigmoid(logit))
	return export.Model{
		Name:      "discriminator",
		Inputs:    []export.Port{{Name: "image", Node: image}, {Name: "label", Node: label}},
		Outputs:   []export.Port{{Name: "logit", Node: logit}, {Name: "probability", Node: probability}},
		BatchAxis: "batch",
	}
}
