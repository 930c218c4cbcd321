package op

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
)

// batchNormGradX is the gradient of BatchNorm by x. With r = 1/sqrt(variance +
// epsilon) and h = (x - mean)·r, in inference dx = gamma·r·dy, and in training
//
//	dx = gamma·r·(dy - mean(dy) - h·mean(dy·h))
//
// where the means run over a channel. x, dy, dx [N, C, ...]; gamma, mean and
// variance [C].
type batchNormGradX struct {
	operator
	batchNormAttrs
}

// batchNormGradGamma is the gradient by gamma: dgamma[c] = Σ dy·h over a
// channel.
type batchNormGradGamma struct {
	operator
	epsilon float64
}

var (
	_ export.Operator = (*batchNormGradX)(nil)
	_ export.Operator = (*batchNormGradGamma)(nil)
)

func newBatchNormGradX(x, gamma, mean, variance, dy *gorgonia.Node, attrs batchNormAttrs) (*gorgonia.Node, error) {
	o := newOperator("BatchNormGradX", attrs, like(x), like(x), rank(1), rank(1), rank(1), like(x))
	return apply(&batchNormGradX{o, attrs}, x, gamma, mean, variance, dy)
}

func newBatchNormGradGamma(x, mean, variance, dy *gorgonia.Node, epsilon float64) (*gorgonia.Node, error) {
	o := newOperator("BatchNormGradGamma", struct{ Epsilon float64 }{epsilon}, rank(1), like(x), rank(1), rank(1), like(x))
	return apply(&batchNormGradGamma{o, epsilon}, x, mean, variance, dy)
}

func (o *batchNormGradX) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	s := shapes(ds)
	if err := checkSame("BatchNormGradX", s[0], s[4]); err != nil {
		return nil, err
	}
	return s[0].Clone(), checkChannels("BatchNormGradX", s[0], s[1:4])
}

func (o *batchNormGradX) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, batchNormGradXKernel[float32](o), batchNormGradXKernel[float64](o))
}

func (o *batchNormGradX) Lower(l *export.Lowering) error {
	x := l.Shape(0)
	r := lowerInverseDeviation(l, l.Input(3), o.Epsilon)
	scale := l.Add("Mul", []string{l.Input(1), r})
	dy := l.Input(4)
	if !o.Training {
		return l.Output("Mul", []string{dy, broadcast(l, scale, x)})
	}
	// scale·dy - (x-mean)·slope - shift: few passes over the large arrays. x-mean
	// is shared with the variance, the sums with the gradients of gamma and beta.
	centred := l.Add("Sub", []string{l.Input(0), broadcast(l, l.Input(2), x)})
	sumDy := lowerChannelSum(l, dy, x)
	sumDyX := lowerChannelSum(l, l.Add("Mul", []string{dy, centred}), x)
	share := l.Add("Mul", []string{scale, l.Scalar("share", float64(x[1])/float64(x.TotalSize()))})
	slope := l.Add("Mul", []string{l.Add("Mul", []string{share, l.Add("Mul", []string{r, r})}), sumDyX})
	shift := l.Add("Mul", []string{share, sumDy})
	rest := l.Add("Add", []string{l.Add("Mul", []string{centred, broadcast(l, slope, x)}), broadcast(l, shift, x)})
	return l.Output("Sub", []string{l.Add("Mul", []string{dy, broadcast(l, scale, x)}), rest})
}

// lowerInverseDeviation writes 1/sqrt(variance + epsilon), of shape [C].
func lowerInverseDeviation(l *export.Lowering, variance string, epsilon float64) string {
	sum := l.Add("Add", []string{variance, l.Scalar("epsilon", epsilon)})
	return l.Add("Reciprocal", []string{l.Add("Sqrt", []string{sum})})
}

func (o *batchNormGradGamma) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	s := shapes(ds)
	if err := checkSame("BatchNormGradGamma", s[0], s[3]); err != nil {
		return nil, err
	}
	if err := checkChannels("BatchNormGradGamma", s[0], s[1:3]); err != nil {
		return nil, err
	}
	return perChannel("BatchNormGradGamma", s[0])
}

func (o *batchNormGradGamma) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, batchNormGradGammaKernel[float32](o.epsilon), batchNormGradGammaKernel[float64](o.epsilon))
}

func (o *batchNormGradGamma) Lower(l *export.Lowering) error {
	l.SumsBatch()
	x := l.Shape(0)
	r := lowerInverseDeviation(l, l.Input(2), o.epsilon)
	centred := l.Add("Sub", []string{l.Input(0), broadcast(l, l.Input(1), x)})
	sum := lowerChannelSum(l, l.Add("Mul", []string{l.Input(3), centred}), x)
	return l.Output("Mul", []string{sum, r})
}

func batchNormGradXKernel[F float](o *batchNormGradX) kernel[F] {
	return func(dx array[F], in []array[F]) {
		x, gamma, mean, variance, dy := in[0].data, in[1].data, in[2].data, in[3].data, in[4].data
		l := layoutOf(in[0].shape)
		type terms struct{ scale, mean, meanDy, slope float64 }
		channels := make([]terms, l.c)
		l.eachChannel(func(c int) {
			r, m := inverseDeviation(variance[c], o.Epsilon), float64(mean[c])
			t := terms{scale: float64(gamma[c]) * r, mean: m}
			if o.Training {
				sum, sumH := sumsWithNormalised(l, c, x, dy, m, r)
				values := float64(l.n * l.size)
				t.meanDy, t.slope = sum/values, sumH/values*r
			}
			channels[c] = t
		})
		l.eachExample(func(n int) {
			for c, t := range channels {
				for i := l.at(n, c); i < l.at(n, c)+l.size; i++ {
					dx.data[i] = F(t.scale * (float64(dy[i]) - t.meanDy - (float64(x[i])-t.mean)*t.slope))
				}
			}
		})
	}
}

func batchNormGradGammaKernel[F float](epsilon float64) kernel[F] {
	return func(dgamma array[F], in []array[F]) {
		x, mean, variance, dy := in[0].data, in[1].data, in[2].data, in[3].data
		l := layoutOf(in[0].shape)
		l.eachChannel(func(c int) {
			_, sumH := sumsWithNormalised(l, c, x, dy, float64(mean[c]), inverseDeviation(variance[c], epsilon))
			dgamma.data[c] = F(sumH)
		})
	}
}

// sumsWithNormalised returns Σ dy and Σ dy·(x - m)·r over channel c.
func sumsWithNormalised[F float](l layout, c int, x, dy []F, m, r float64) (sum, sumH float64) {
	for n := range l.n {
		for i := l.at(n, c); i < l.at(n, c)+l.size; i++ {
			d := float64(dy[i])
			sum += d
			sumH += d * (float64(x[i]) - m)
		}
	}
	return sum, sumH * r
}
