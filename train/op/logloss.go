package op

import (
	"fmt"
	"math"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
)

// logLoss is the cross-entropy of probabilities kept from log(0) by an epsilon,
// the mean over the batch:
//
//	loss = mean of -log(q + epsilon), q = p if real, 1 - p if not
//	p [N, 1] in [0, 1] -> scalar
//
// For recipes that ask for it; the others use [SigmoidCrossEntropy]. ONNX:
// Sub, Add, Log, Neg, ReduceMean.
type logLoss struct {
	operator
	logLossAttrs
}

// logLossGrad is its gradient: dp = -g/(N·(p + epsilon)) if real,
// g/(N·(1 - p + epsilon)) if not.
type logLossGrad struct {
	operator
	logLossAttrs
}

type logLossAttrs struct {
	Real    bool
	Epsilon float64
}

var (
	_ gorgonia.SDOp   = (*logLoss)(nil)
	_ export.Operator = (*logLoss)(nil)
	_ export.Operator = (*logLossGrad)(nil)
)

// LogLoss returns the mean loss of probabilities p [N, 1] that should be 1
// (real) or 0.
func LogLoss(p *gorgonia.Node, real bool, epsilon float64) (*gorgonia.Node, error) {
	if !(epsilon >= 0) {
		return nil, fmt.Errorf("op: LogLoss: epsilon %v is below 0", epsilon)
	}
	attrs := logLossAttrs{real, epsilon}
	return apply(&logLoss{newOperator("LogLoss", attrs, rank(0), like(p)), attrs}, p)
}

func (o *logLoss) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return tensor.ScalarShape(), nil
}

func (o *logLoss) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, logLossKernel[float32](o.logLossAttrs), logLossKernel[float64](o.logLossAttrs))
}

func (o *logLoss) DiffWRT(int) []bool { return []bool{true} }

func (o *logLoss) SymDiff(in gorgonia.Nodes, _, g *gorgonia.Node) (gorgonia.Nodes, error) {
	p := in[0]
	d := &logLossGrad{newOperator("LogLossGrad", o.logLossAttrs, like(p), like(p), rank(0)), o.logLossAttrs}
	dp, err := apply(d, p, g)
	return gorgonia.Nodes{dp}, err
}

func (o *logLoss) Lower(l *export.Lowering) error {
	l.SumsBatch()
	log := l.Add("Log", []string{o.lowerShifted(l)})
	return l.Output("Neg", []string{l.Add("ReduceMean", []string{log}, export.Int("keepdims", 0))})
}

// lowerShifted writes q + epsilon.
func (a logLossAttrs) lowerShifted(l *export.Lowering) string {
	q := l.Input(0)
	if !a.Real {
		q = l.Add("Sub", []string{l.Scalar("one", 1), q})
	}
	return l.Add("Add", []string{q, l.Scalar("epsilon", a.Epsilon)})
}

func (o *logLossGrad) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return shapes(ds)[0].Clone(), nil
}

func (o *logLossGrad) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, logLossGradKernel[float32](o.logLossAttrs), logLossGradKernel[float64](o.logLossAttrs))
}

func (o *logLossGrad) Lower(l *export.Lowering) error {
	if err := fixedBatch(l, "its share of the mean is a constant"); err != nil {
		return err
	}
	share := 1 / float64(l.Shape(0).TotalSize())
	if o.Real {
		share = -share
	}
	weight := l.Add("Mul", []string{l.Input(1), l.Scalar("share", share)})
	return l.Output("Div", []string{weight, o.lowerShifted(l)})
}

// shifted is q + epsilon.
func (a logLossAttrs) shifted(p float64) float64 {
	if a.Real {
		return p + a.Epsilon
	}
	return 1 - p + a.Epsilon
}

func logLossKernel[F float](a logLossAttrs) kernel[F] {
	return func(loss array[F], in []array[F]) {
		p := in[0].data
		var sum float64
		for _, v := range p {
			sum -= math.Log(a.shifted(float64(v)))
		}
		loss.data[0] = F(sum / float64(len(p)))
	}
}

func logLossGradKernel[F float](a logLossAttrs) kernel[F] {
	return func(dp array[F], in []array[F]) {
		p, share := in[0].data, float64(in[1].data[0])/float64(len(in[0].data))
		if a.Real {
			share = -share
		}
		for i, v := range p {
			dp.data[i] = F(share / a.shifted(float64(v)))
		}
	}
}
