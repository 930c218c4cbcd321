package arch

import "fmt"

// Layer is one layer of a network: one of the types of this file and of
// condition.go.
type Layer interface {
	// Kind is the layer's name in tables, scopes of weights, and files.
	Kind() string
	// Output is the shape of an example behind the layer.
	Output(in Shape) (Shape, error)
	// Params lists the layer's weights and statistics, in the order in which
	// they are stored.
	Params(in Shape) []Param
}

// Param is an array that belongs to a layer.
type Param struct {
	Name       string
	Shape      Shape
	Init       Init
	Statistics bool // kept by the forward pass, not trained
}

// Init says how an array starts.
type Init struct {
	Kind  string  // "glorot", "normal", "uniform", "zeros" or "ones"
	Scale float64 `json:",omitempty"` // the deviation of "normal", the bound of "uniform"
}

// The usual starts. Glorot: uniform in ±sqrt(6/(fan in + fan out)), Keras'
// default for kernels (Glorot and Bengio 2010).
var (
	Glorot = Init{Kind: "glorot"}
	Zeros  = Init{Kind: "zeros"}
	Ones   = Init{Kind: "ones"}
)

// Normal starts with mean 0 and the given deviation.
func Normal(deviation float64) Init { return Init{Kind: "normal", Scale: deviation} }

// Uniform starts between -bound and bound.
func Uniform(bound float64) Init { return Init{Kind: "uniform", Scale: bound} }

// Dense is a fully connected layer; its weight is [in, units].
type Dense struct {
	Units  int
	NoBias bool `json:",omitempty"`
	Init   Init // of the weight
}

// Conv2D is a convolution with TensorFlow's padding 'same'; its weight is
// [filters, channels, kernel, kernel].
type Conv2D struct {
	Filters, Kernel, Stride int
	NoBias                  bool `json:",omitempty"`
	Init                    Init
}

// ConvTranspose2D is a transposed convolution with TensorFlow's padding 'same':
// the picture grows by the stride. Its weight is [channels, filters, kernel,
// kernel].
type ConvTranspose2D struct {
	Filters, Kernel, Stride int
	NoBias                  bool `json:",omitempty"`
	Init                    Init
}

// BatchNorm normalises each channel, or each feature of a flat input. Momentum
// weights the old running statistics, as in Keras.
type BatchNorm struct{ Momentum, Epsilon float64 }

// LeakyReLU lets Slope times the negative values through.
type LeakyReLU struct{ Slope float64 }

// ReLU is the rectifier.
type ReLU struct{}

// Tanh ends a generator of images in [-1, 1].
type Tanh struct{}

// Sigmoid ends a discriminator that gives a probability.
type Sigmoid struct{}

// Dropout drops the share Rate of the values in training.
type Dropout struct{ Rate float64 }

// Reshape gives an example another shape.
type Reshape struct{ Shape Shape }

// Flatten makes an example a vector, channels first.
type Flatten struct{}

func (Dense) Kind() string           { return "dense" }
func (Conv2D) Kind() string          { return "conv" }
func (ConvTranspose2D) Kind() string { return "deconv" }
func (BatchNorm) Kind() string       { return "batchnorm" }
func (LeakyReLU) Kind() string       { return "leakyrelu" }
func (ReLU) Kind() string            { return "relu" }
func (Tanh) Kind() string            { return "tanh" }
func (Sigmoid) Kind() string         { return "sigmoid" }
func (Dropout) Kind() string         { return "dropout" }
func (Reshape) Kind() string         { return "reshape" }
func (Flatten) Kind() string         { return "flatten" }

func (l Dense) Output(in Shape) (Shape, error) {
	if len(in) != 1 {
		return nil, fmt.Errorf("takes a flat input, not %v: flatten before it", in)
	}
	if l.Units < 1 {
		return nil, fmt.Errorf("%d units", l.Units)
	}
	return Shape{l.Units}, nil
}

func (l Conv2D) Output(in Shape) (Shape, error) {
	if err := checkConv(in, l.Filters, l.Kernel, l.Stride); err != nil {
		return nil, err
	}
	shrink := func(size int) int { return (size + l.Stride - 1) / l.Stride }
	return Shape{l.Filters, shrink(in[1]), shrink(in[2])}, nil
}

func (l ConvTranspose2D) Output(in Shape) (Shape, error) {
	if err := checkConv(in, l.Filters, l.Kernel, l.Stride); err != nil {
		return nil, err
	}
	return Shape{l.Filters, in[1] * l.Stride, in[2] * l.Stride}, nil
}

func checkConv(in Shape, filters, kernel, stride int) error {
	const most = 1 << 10 // a kernel or a stride beyond is a mistake
	switch {
	case len(in) != 3:
		return fmt.Errorf("takes [channels height width], not %v: reshape before it", in)
	case filters < 1:
		return fmt.Errorf("%d filters", filters)
	case kernel < 1 || kernel > most:
		return fmt.Errorf("kernel of %d", kernel)
	case stride < 1 || stride > most:
		return fmt.Errorf("stride of %d", stride)
	}
	return nil
}

func (l BatchNorm) Output(in Shape) (Shape, error) {
	if !(l.Momentum >= 0 && l.Momentum < 1) {
		return nil, fmt.Errorf("momentum %g is not in [0, 1)", l.Momentum)
	}
	if !(l.Epsilon > 0) {
		return nil, fmt.Errorf("epsilon %g is not above 0", l.Epsilon)
	}
	return in, nil
}

func (l Dropout) Output(in Shape) (Shape, error) {
	if !(l.Rate >= 0 && l.Rate < 1) {
		return nil, fmt.Errorf("rate %g is not in [0, 1)", l.Rate)
	}
	return in, nil
}

func (l Reshape) Output(in Shape) (Shape, error) {
	if err := l.Shape.check(); err != nil {
		return nil, err
	}
	if l.Shape.Size() != in.Size() {
		return nil, fmt.Errorf("makes %v of %v: %d values of %d", l.Shape, in, l.Shape.Size(), in.Size())
	}
	return l.Shape, nil
}

func (LeakyReLU) Output(in Shape) (Shape, error) { return in, nil }
func (ReLU) Output(in Shape) (Shape, error)      { return in, nil }
func (Tanh) Output(in Shape) (Shape, error)      { return in, nil }
func (Sigmoid) Output(in Shape) (Shape, error)   { return in, nil }
func (Flatten) Output(in Shape) (Shape, error)   { return Shape{in.Size()}, nil }

func (l Dense) Params(in Shape) []Param {
	return weightAndBias(Shape{in[0], l.Units}, l.Units, l.NoBias, l.Init)
}

func (l Conv2D) Params(in Shape) []Param {
	return weightAndBias(Shape{l.Filters, in[0], l.Kernel, l.Kernel}, l.Filters, l.NoBias, l.Init)
}

func (l ConvTranspose2D) Params(in Shape) []Param {
	return weightAndBias(Shape{in[0], l.Filters, l.Kernel, l.Kernel}, l.Filters, l.NoBias, l.Init)
}

func weightAndBias(weight Shape, outputs int, noBias bool, init Init) []Param {
	params := []Param{{Name: "weight", Shape: weight, Init: init}}
	if !noBias {
		params = append(params, Param{Name: "bias", Shape: Shape{outputs}, Init: Zeros})
	}
	return params
}

func (l BatchNorm) Params(in Shape) []Param {
	channels := Shape{in[0]}
	return []Param{
		{Name: "gamma", Shape: channels, Init: Ones},
		{Name: "beta", Shape: channels, Init: Zeros},
		{Name: "mean", Shape: channels, Init: Zeros, Statistics: true},
		{Name: "variance", Shape: channels, Init: Ones, Statistics: true},
	}
}

func (LeakyReLU) Params(Shape) []Param { return nil }
func (ReLU) Params(Shape) []Param      { return nil }
func (Tanh) Params(Shape) []Param      { return nil }
func (Sigmoid) Params(Shape) []Param   { return nil }
func (Dropout) Params(Shape) []Param   { return nil }
func (Reshape) Params(Shape) []Param   { return nil }
func (Flatten) Params(Shape) []Param   { return nil }
