package op

import (
	"fmt"
	"math"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
)

// Target is the label that a number of rows have in common.
type Target struct {
	Rows  int
	Label float64 // 1: real, 0: generated; values between smooth it
}

// crossEntropy is the binary cross-entropy of logits against labels, the mean
// over the batch:
//
//	loss = mean of log(1 + exp(z)) - z·t    z [N, 1], t [N, 1] -> scalar
//
// It is finite for every finite logit and has no probability to clip. ONNX:
// Softplus, Mul, Sub, ReduceMean. As tf.nn.sigmoid_cross_entropy_with_logits.
type crossEntropy struct {
	operator
	targets []Target
}

// crossEntropyGrad is its gradient dz = g·(sigmoid(z) - t)/N, g a scalar.
type crossEntropyGrad struct {
	operator
	targets []Target
}

var (
	_ gorgonia.SDOp   = (*crossEntropy)(nil)
	_ export.Operator = (*crossEntropy)(nil)
	_ export.Operator = (*crossEntropyGrad)(nil)
)

type targetsAttr struct{ Targets []Target }

// SigmoidCrossEntropy returns the mean loss of logits [N, 1]. The targets name
// the labels of the rows from the first on and cover all N.
func SigmoidCrossEntropy(logits *gorgonia.Node, targets ...Target) (*gorgonia.Node, error) {
	o := newOperator("SigmoidCrossEntropy", targetsAttr{targets}, rank(0), rank(2))
	return apply(&crossEntropy{o, targets}, logits)
}

func checkTargets(name string, z tensor.Shape, targets []Target) error {
	rows := 0
	for _, t := range targets {
		if t.Rows < 1 {
			return fmt.Errorf("op: %s: a target of %d rows", name, t.Rows)
		}
		rows += t.Rows
	}
	if len(z) != 2 || z[1] != 1 || z[0] != rows {
		return fmt.Errorf("op: %s: logits %v, want (%d, 1) for the targets", name, z, rows)
	}
	return nil
}

func (o *crossEntropy) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return tensor.ScalarShape(), checkTargets("SigmoidCrossEntropy", shapes(ds)[0], o.targets)
}

func (o *crossEntropy) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, crossEntropyKernel[float32](o.targets), crossEntropyKernel[float64](o.targets))
}

func (o *crossEntropy) DiffWRT(int) []bool { return []bool{true} }

func (o *crossEntropy) SymDiff(in gorgonia.Nodes, _, g *gorgonia.Node) (gorgonia.Nodes, error) {
	z := in[0]
	d := newOperator("SigmoidCrossEntropyGrad", targetsAttr{o.targets}, rank(2), rank(2), rank(0))
	dz, err := apply(&crossEntropyGrad{d, o.targets}, z, g)
	return gorgonia.Nodes{dz}, err
}

func (o *crossEntropy) Lower(l *export.Lowering) error {
	l.SumsBatch()
	z := l.Input(0)
	labelled := l.Add("Mul", []string{z, labels(l, o.targets)})
	each := l.Add("Sub", []string{l.Add("Softplus", []string{z}), labelled})
	return l.Output("ReduceMean", []string{each}, export.Int("keepdims", 0))
}

// fixedBatch refuses a model of any batch size.
func fixedBatch(l *export.Lowering, why string) error {
	if l.Batched() {
		return fmt.Errorf("only holds for one batch size: %s", why)
	}
	return nil
}

// labels stores the targets: a scalar if there is one, else [N, 1].
func labels(l *export.Lowering, targets []Target) string {
	if len(targets) == 1 {
		return l.Scalar("label", targets[0].Label)
	}
	var all []float64
	eachLabel(targets, func(_ int, label float64) { all = append(all, label) })
	v := tensor.New(tensor.WithShape(len(all), 1), tensor.Of(l.Dtype()))
	for i, label := range all {
		if l.Dtype() == tensor.Float64 {
			v.Set(i, label)
		} else {
			v.Set(i, float32(label))
		}
	}
	return l.Const("labels", v)
}

func eachLabel(targets []Target, f func(row int, label float64)) {
	row := 0
	for _, t := range targets {
		for range t.Rows {
			f(row, t.Label)
			row++
		}
	}
}

func (o *crossEntropyGrad) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	z := shapes(ds)[0]
	return z.Clone(), checkTargets("SigmoidCrossEntropyGrad", z, o.targets)
}

func (o *crossEntropyGrad) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, crossEntropyGradKernel[float32](o.targets), crossEntropyGradKernel[float64](o.targets))
}

func (o *crossEntropyGrad) Lower(l *export.Lowering) error {
	if err := fixedBatch(l, "its share of the mean is a constant"); err != nil {
		return err
	}
	off := l.Add("Sub", []string{l.Add("Sigmoid", []string{l.Input(0)}), labels(l, o.targets)})
	weight := l.Add("Mul", []string{l.Input(1), l.Scalar("share", 1/float64(l.Shape(0)[0]))})
	return l.Output("Mul", []string{off, weight})
}

func crossEntropyKernel[F float](targets []Target) kernel[F] {
	return func(loss array[F], in []array[F]) {
		z := in[0].data
		var sum float64
		eachLabel(targets, func(row int, label float64) {
			v := float64(z[row])
			// log(1 + exp(v)) without overflow.
			sum += max(v, 0) + math.Log1p(math.Exp(-math.Abs(v))) - v*label
		})
		loss.data[0] = F(sum / float64(len(z)))
	}
}

func crossEntropyGradKernel[F float](targets []Target) kernel[F] {
	return func(dz array[F], in []array[F]) {
		z, share := in[0].data, float64(in[1].data[0])/float64(len(in[0].data))
		eachLabel(targets, func(row int, label float64) {
			dz.data[row] = F(share * (logistic(float64(z[row])) - label))
		})
	}
}
