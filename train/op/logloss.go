package op

import (
	"fmt"
	"math"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
)

// logLoss is the cross-entropy of probabilities kept from log(0) by an epsilon,
// the mean over the batch:
//
//	loss = mean of -t·log(p + epsilon) - (1 - t)·log(1 - p + epsilon)
//	p [N, 1] in [0, 1], t [N, 1] -> scalar
//
// For recipes that ask for it; the others use [SigmoidCrossEntropy]. A term
// whose factor is 0 in all rows is left out. ONNX: Sub, Add, Log, Mul, Neg,
// ReduceMean.
type logLoss struct {
	operator
	logLossAttrs
}

// logLossGrad is its gradient:
//
//	dp = g/N·((1 - t)/(1 - p + epsilon) - t/(p + epsilon))
type logLossGrad struct {
	operator
	logLossAttrs
}

type logLossAttrs struct {
	Targets []Target
	Epsilon float64
}

var (
	_ gorgonia.SDOp   = (*logLoss)(nil)
	_ export.Operator = (*logLoss)(nil)
	_ export.Operator = (*logLossGrad)(nil)
)

// LogLoss returns the mean loss of probabilities p [N, 1]. The targets name the
// labels of the rows from the first on and cover all N.
func LogLoss(p *gorgonia.Node, epsilon float64, targets ...Target) (*gorgonia.Node, error) {
	if !(epsilon >= 0) {
		return nil, fmt.Errorf("op: LogLoss: epsilon %v is below 0", epsilon)
	}
	attrs := logLossAttrs{targets, epsilon}
	return apply(&logLoss{newOperator("LogLoss", attrs, rank(0), rank(2)), attrs}, p)
}

func (o *logLoss) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return tensor.ScalarShape(), checkTargets("LogLoss", shapes(ds)[0], o.Targets)
}

func (o *logLoss) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, logLossKernel[float32](o.logLossAttrs), logLossKernel[float64](o.logLossAttrs))
}

func (o *logLoss) DiffWRT(int) []bool { return []bool{true} }

func (o *logLoss) SymDiff(in gorgonia.Nodes, _, g *gorgonia.Node) (gorgonia.Nodes, error) {
	p := in[0]
	d := &logLossGrad{newOperator("LogLossGrad", o.logLossAttrs, rank(2), rank(2), rank(0)), o.logLossAttrs}
	dp, err := apply(d, p, g)
	return gorgonia.Nodes{dp}, err
}

func (o *logLoss) Lower(l *export.Lowering) error {
	l.SumsBatch()
	var sum []string
	for _, t := range o.terms(l) {
		sum = append(sum, t.times(l, l.Add("Log", []string{t.shifted})))
	}
	if len(sum) > 1 {
		sum = []string{l.Add("Add", sum)}
	}
	return l.Output("Neg", []string{l.Add("ReduceMean", sum, export.Int("keepdims", 0))})
}

// term is a part of the loss in ONNX: p + epsilon with the labels, or 1 - p +
// epsilon with what they leave of 1.
type term struct {
	shifted string
	factors []Target
	side    float64 // -1 where the loss falls with p
}

// terms writes the terms whose factors aren't all 0.
func (a logLossAttrs) terms(l *export.Lowering) (terms []term) {
	real, fake := term{side: -1}, term{side: 1}
	for _, t := range a.Targets {
		real.factors = append(real.factors, t)
		fake.factors = append(fake.factors, Target{t.Rows, 1 - t.Label})
	}
	for _, t := range []term{real, fake} {
		if t.all(0) {
			continue
		}
		q := l.Input(0)
		if t.side > 0 {
			q = l.Add("Sub", []string{l.Scalar("one", 1), q})
		}
		t.shifted = l.Add("Add", []string{q, l.Scalar("epsilon", a.Epsilon)})
		terms = append(terms, t)
	}
	return terms
}

func (t term) all(factor float64) bool {
	return !slices.ContainsFunc(t.factors, func(f Target) bool { return f.Label != factor })
}

// times writes a value times the factors.
func (t term) times(l *export.Lowering, value string) string {
	if t.all(1) {
		return value
	}
	return l.Add("Mul", []string{value, labels(l, t.factors)})
}

func (o *logLossGrad) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	p := shapes(ds)[0]
	return p.Clone(), checkTargets("LogLossGrad", p, o.Targets)
}

func (o *logLossGrad) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, logLossGradKernel[float32](o.logLossAttrs), logLossGradKernel[float64](o.logLossAttrs))
}

func (o *logLossGrad) Lower(l *export.Lowering) error {
	if err := fixedBatch(l, "its share of the mean is a constant"); err != nil {
		return err
	}
	var slopes []string
	terms := o.terms(l)
	for _, t := range terms {
		share := t.side / float64(l.Shape(0)[0])
		slope := []string{t.times(l, l.Add("Mul", []string{l.Input(1), l.Scalar("share", share)})), t.shifted}
		if len(terms) == 1 {
			return l.Output("Div", slope)
		}
		slopes = append(slopes, l.Add("Div", slope))
	}
	return l.Output("Add", slopes)
}

func logLossKernel[F float](a logLossAttrs) kernel[F] {
	return func(loss array[F], in []array[F]) {
		var sum float64
		eachLabel(a.Targets, func(row int, label float64) {
			p := float64(in[0].data[row])
			if label != 0 {
				sum -= label * math.Log(p+a.Epsilon)
			}
			if label != 1 {
				sum -= (1 - label) * math.Log(1-p+a.Epsilon)
			}
		})
		loss.data[0] = F(sum / float64(len(in[0].data)))
	}
}

func logLossGradKernel[F float](a logLossAttrs) kernel[F] {
	return func(dp array[F], in []array[F]) {
		share := float64(in[1].data[0]) / float64(len(in[0].data))
		eachLabel(a.Targets, func(row int, label float64) {
			p, slope := float64(in[0].data[row]), 0.0
			if label != 0 {
				slope -= label / (p + a.Epsilon)
			}
			if label != 1 {
				slope += (1 - label) / (1 - p + a.Epsilon)
			}
			dp.data[row] = F(share * slope)
		})
	}
}
