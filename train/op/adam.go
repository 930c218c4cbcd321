package op

import (
	"fmt"
	"math"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
)

// Adam (Kingma and Ba 2014, algorithm 1) in the form of Keras and TensorFlow,
// with the bias correction gathered into the rate and epsilon outside of it
// (section 2 of the paper, before algorithm 2 in its later editions):
//
//	m' = beta1·m + (1 - beta1)·g
//	v' = beta2·v + (1 - beta2)·g²
//	w' = w - rate·m'/(sqrt(v') + epsilon),  rate = lr·sqrt(1 - beta2ᵗ)/(1 - beta1ᵗ)
//
// It is three operators, one for each new tensor, and each reads its operands
// once. The rate is an input, since it changes with every step.

// secondMoment is v'. ONNX: Mul and Add.
type secondMoment struct {
	elementwise
	decay float64
}

// adamStep is w'. ONNX: Sqrt, Add, Div, Mul, Sub.
type adamStep struct {
	operator
	epsilon float64
}

var (
	_ export.Operator = (*secondMoment)(nil)
	_ export.Operator = (*adamStep)(nil)
)

// Adam returns the new weight and moments from the weight w, its moments m and
// v and its gradient g, all of one shape, and the scalar rate of [AdamRate].
func Adam(w, m, v, g, rate *gorgonia.Node, beta1, beta2, epsilon float64) (newW, newM, newV *gorgonia.Node, err error) {
	if newM, err = MovingAverage(m, g, beta1); err != nil {
		return nil, nil, nil, err
	}
	second := newOperator("SecondMoment", decayAttr{beta2}, like(v), like(v), like(v))
	if newV, err = apply(&secondMoment{elementwise{second}, beta2}, v, g); err != nil {
		return nil, nil, nil, err
	}
	step := newOperator("AdamStep", struct{ Epsilon float64 }{epsilon}, like(w), like(w), like(w), like(w), rank(0))
	newW, err = apply(&adamStep{step, epsilon}, w, newM, newV, rate)
	return newW, newM, newV, err
}

// AdamRate is the rate of the t-th update, counted from 1. As in Keras and
// TensorFlow the betas are rounded to float32 here: of 1 - 0.999 that takes
// 1.3e-5, which five steps of a DCGAN turn into 7e-5 of a loss.
func AdamRate(learningRate, beta1, beta2 float64, t int) float64 {
	beta1, beta2 = float64(float32(beta1)), float64(float32(beta2))
	return learningRate * math.Sqrt(1-math.Pow(beta2, float64(t))) / (1 - math.Pow(beta1, float64(t)))
}

func (o *secondMoment) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, secondMomentKernel[float32](o.decay), secondMomentKernel[float64](o.decay))
}

func (o *secondMoment) Lower(l *export.Lowering) error {
	old := l.Add("Mul", []string{l.Input(0), l.Scalar("decay", o.decay)})
	square := l.Add("Mul", []string{l.Input(1), l.Input(1)})
	return l.Output("Add", []string{old, l.Add("Mul", []string{square, l.Scalar("rest", 1-o.decay)})})
}

func (o *adamStep) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	s := shapes(ds)
	if !s[1].Eq(s[0]) || !s[2].Eq(s[0]) || len(s[3]) != 0 {
		return nil, fmt.Errorf("op: AdamStep: weight %v, moments %v and %v, rate %v: want one shape and a scalar", s[0], s[1], s[2], s[3])
	}
	return s[0].Clone(), nil
}

func (o *adamStep) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, adamStepKernel[float32](o.epsilon), adamStepKernel[float64](o.epsilon))
}

func (o *adamStep) Lower(l *export.Lowering) error {
	deviation := l.Add("Add", []string{l.Add("Sqrt", []string{l.Input(2)}), l.Scalar("epsilon", o.epsilon)})
	// Multiplied last, the rate needs no array of its own.
	direction := l.Add("Div", []string{l.Input(1), deviation})
	return l.Output("Sub", []string{l.Input(0), l.Add("Mul", []string{direction, l.Input(3)})})
}

func secondMomentKernel[F float](decay float64) kernel[F] {
	return func(y array[F], in []array[F]) {
		v, g := in[0].data, in[1].data
		decay, rest := F(decay), F(1-decay)
		parallel(len(v), elementGrain, func(from, to int) {
			y, g := y.data[from:to], g[from:to]
			for i, v := range v[from:to] {
				y[i] = decay*v + rest*g[i]*g[i]
			}
		})
	}
}

func adamStepKernel[F float](epsilon float64) kernel[F] {
	return func(y array[F], in []array[F]) {
		w, m, v, rate := in[0].data, in[1].data, in[2].data, in[3].data[0]
		epsilon := F(epsilon)
		parallel(len(w), elementGrain, func(from, to int) {
			y, m, v := y.data[from:to], m[from:to], v[from:to]
			for i, w := range w[from:to] {
				y[i] = w - rate*m[i]/(sqrt(v[i])+epsilon)
			}
		})
	}
}

// sqrt compiles to one instruction of the element's own width.
func sqrt[F float](x F) F { return F(math.Sqrt(float64(x))) }
