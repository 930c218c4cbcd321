package op

import (
	"fmt"
	"math"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
)

// batchNorm normalises each channel:
//
//	y = gamma[c]·(x - mean[c])/sqrt(variance[c] + epsilon) + beta[c]
//	x, y [N, C, ...], the others [C]
//
// In training mean and variance are those of x itself, and the gradient flows
// through them as well; in inference they are constants. ONNX:
// BatchNormalization, opset 15, never in training mode. Ioffe and Szegedy 2015.
type batchNorm struct {
	operator
	batchNormAttrs
}

type batchNormAttrs struct {
	Epsilon  float64
	Training bool
}

var (
	_ gorgonia.SDOp   = (*batchNorm)(nil)
	_ export.Operator = (*batchNorm)(nil)
)

// BatchNorm normalises x [N, C, ...] with the given mean and variance and
// applies gamma and beta, each [C]. training says that the mean and the
// variance are [Statistics] of x: then x's gradient is the one through the
// statistics, too. epsilon is Keras' 1e-3 unless an architecture says otherwise.
func BatchNorm(x, gamma, beta, mean, variance *gorgonia.Node, epsilon float64, training bool) (*gorgonia.Node, error) {
	if !(epsilon > 0) {
		return nil, fmt.Errorf("op: BatchNorm: epsilon %v is not above 0", epsilon)
	}
	attrs := batchNormAttrs{epsilon, training}
	o := newOperator("BatchNorm", attrs, like(x), like(x), rank(1), rank(1), rank(1), rank(1))
	return apply(&batchNorm{o, attrs}, x, gamma, beta, mean, variance)
}

func (o *batchNorm) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	s := shapes(ds)
	return s[0].Clone(), checkChannels("BatchNorm", s[0], s[1:])
}

func (o *batchNorm) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, batchNormKernel[float32](o.Epsilon), batchNormKernel[float64](o.Epsilon))
}

func (o *batchNorm) DiffWRT(int) []bool { return []bool{true, true, true, false, false} }

func (o *batchNorm) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	x, gamma, mean, variance := in[0], in[1], in[3], in[4]
	dx, err := newBatchNormGradX(x, gamma, mean, variance, dy, o.batchNormAttrs)
	if err != nil {
		return nil, err
	}
	dgamma, err := newBatchNormGradGamma(x, mean, variance, dy, o.Epsilon)
	if err != nil {
		return nil, err
	}
	dbeta, err := ChannelSum(dy)
	return gorgonia.Nodes{dx, dgamma, dbeta, nil, nil}, err
}

func (o *batchNorm) Lower(l *export.Lowering) error {
	return l.Output("BatchNormalization", inputs(l, 5), export.Float("epsilon", o.Epsilon))
}

// batchNormKernel folds all that is constant in a channel into y = a·x + b.
func batchNormKernel[F float](epsilon float64) kernel[F] {
	return func(y array[F], in []array[F]) {
		x, gamma, beta, mean, variance := in[0].data, in[1].data, in[2].data, in[3].data, in[4].data
		l := layoutOf(in[0].shape)
		a, b := make([]F, l.c), make([]F, l.c)
		for c := range l.c {
			scale := float64(gamma[c]) * inverseDeviation(variance[c], epsilon)
			a[c], b[c] = F(scale), F(float64(beta[c])-float64(mean[c])*scale)
		}
		l.eachExample(func(n int) {
			for c := range l.c {
				from, a, b := l.at(n, c), a[c], b[c]
				out := y.data[from : from+l.size]
				for i, v := range x[from : from+l.size] {
					out[i] = a*v + b
				}
			}
		})
	}
}

func inverseDeviation[F float](variance F, epsilon float64) float64 {
	return 1 / math.Sqrt(float64(variance)+epsilon)
}
