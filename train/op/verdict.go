package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
)

// What a discriminator says of a batch, in single numbers for the record of a
// run. They have no gradient: nothing is trained by them.

// meanProbability is the mean of sigmoid(z); z [N, 1] -> scalar. ONNX: Sigmoid,
// ReduceMean.
type meanProbability struct{ operator }

// accuracy is the share of logits that are on their side: above 0 of real
// examples, below 0 of generated ones.
//
//	real [N, 1], fake [M, 1] -> scalar
//
// ONNX: Neg, Concat, Sign, Relu, ReduceMean. Keras counts a logit of 0 as above.
type accuracy struct{ operator }

var (
	_ export.Operator = (*meanProbability)(nil)
	_ export.Operator = (*accuracy)(nil)
)

// MeanProbability returns the mean probability that logits [N, 1] stand for.
func MeanProbability(logits *gorgonia.Node) (*gorgonia.Node, error) {
	return apply(&meanProbability{newOperator("MeanProbability", struct{}{}, rank(0), rank(2))}, logits)
}

// Accuracy returns the share of right logits, real [N, 1] and fake [M, 1].
func Accuracy(real, fake *gorgonia.Node) (*gorgonia.Node, error) {
	return apply(&accuracy{newOperator("Accuracy", struct{}{}, rank(0), rank(2), rank(2))}, real, fake)
}

func checkLogits(name string, shapes []tensor.Shape) error {
	for _, z := range shapes {
		if z[1] != 1 {
			return fmt.Errorf("op: %s: logits %v, want (%d, 1)", name, z, z[0])
		}
	}
	return nil
}

func (o *meanProbability) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return tensor.ScalarShape(), checkLogits("MeanProbability", shapes(ds))
}

func (o *meanProbability) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, meanProbabilityKernel[float32], meanProbabilityKernel[float64])
}

func (o *meanProbability) Lower(l *export.Lowering) error {
	l.SumsBatch()
	p := l.Add("Sigmoid", []string{l.Input(0)})
	return l.Output("ReduceMean", []string{p}, export.Int("keepdims", 0))
}

func (o *accuracy) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return tensor.ScalarShape(), checkLogits("Accuracy", shapes(ds))
}

func (o *accuracy) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, accuracyKernel[float32], accuracyKernel[float64])
}

func (o *accuracy) Lower(l *export.Lowering) error {
	if err := fixedBatch(l, "it joins batches"); err != nil {
		return err
	}
	both := l.Add("Concat", []string{l.Input(0), l.Add("Neg", []string{l.Input(1)})}, export.Int("axis", 0))
	right := l.Add("Relu", []string{l.Add("Sign", []string{both})})
	l.SumsBatch()
	return l.Output("ReduceMean", []string{right}, export.Int("keepdims", 0))
}

func meanProbabilityKernel[F float](y array[F], in []array[F]) {
	var sum float64
	for _, z := range in[0].data {
		sum += logistic(float64(z))
	}
	y.data[0] = F(sum / float64(len(in[0].data)))
}

func accuracyKernel[F float](y array[F], in []array[F]) {
	right := 0
	for _, z := range in[0].data {
		if z > 0 {
			right++
		}
	}
	for _, z := range in[1].data {
		if z < 0 {
			right++
		}
	}
	y.data[0] = F(float64(right) / float64(len(in[0].data)+len(in[1].data)))
}
