package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
)

// channelMean is the mean of each channel over the batch and the picture:
//
//	m[c] = mean of x[n,c,...] over n and ...    x [N, C, ...] -> m [C]
//
// ONNX: ReduceMean, opset 13.
type channelMean struct{ operator }

// channelVariance is the biased variance of each channel, which divides by the
// number of values, not by one less:
//
//	v[c] = mean of (x[n,c,...] - m[c])²    x [N, C, ...], m [C] -> v [C]
type channelVariance struct{ operator }

var (
	_ gorgonia.SDOp   = (*channelMean)(nil)
	_ gorgonia.SDOp   = (*channelVariance)(nil)
	_ export.Operator = (*channelMean)(nil)
	_ export.Operator = (*channelVariance)(nil)
)

// Statistics returns mean and biased variance of each channel of x
// [N, C, ...], both [C]. They have no gradient of their own: [BatchNorm]
// carries it.
func Statistics(x *gorgonia.Node) (mean, variance *gorgonia.Node, err error) {
	m := &channelMean{newOperator("ChannelMean", struct{}{}, rank(1), like(x))}
	if mean, err = apply(m, x); err != nil {
		return nil, nil, err
	}
	v := &channelVariance{newOperator("ChannelVariance", struct{}{}, rank(1), like(x), rank(1))}
	variance, err = apply(v, x, mean)
	return mean, variance, err
}

func (o *channelMean) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return perChannel("ChannelMean", shapes(ds)[0])
}

func (o *channelMean) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, channelMeanKernel[float32], channelMeanKernel[float64])
}

func (o *channelMean) DiffWRT(int) []bool { return []bool{false} }

func (o *channelMean) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return gorgonia.Nodes{nil}, nil
}

func (o *channelMean) Lower(l *export.Lowering) error {
	l.SumsBatch()
	return l.Output("ReduceMean", inputs(l, 1), otherAxes(l.Shape(0)).attribute(), export.Int("keepdims", 0))
}

func (o *channelVariance) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	s := shapes(ds)
	if err := checkChannels("ChannelVariance", s[0], s[1:]); err != nil {
		return nil, err
	}
	return perChannel("ChannelVariance", s[0])
}

// checkChannels checks operands that hold one value for each channel of x.
func checkChannels(name string, x tensor.Shape, operands []tensor.Shape) error {
	if len(x) < 2 {
		return fmt.Errorf("op: %s: x %v has no channel axis", name, x)
	}
	for _, s := range operands {
		if !s.Eq(tensor.Shape{x[1]}) {
			return fmt.Errorf("op: %s: an operand of shape %v for x %v, want (%d)", name, s, x, x[1])
		}
	}
	return nil
}

func (o *channelVariance) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, channelVarianceKernel[float32], channelVarianceKernel[float64])
}

func (o *channelVariance) DiffWRT(int) []bool { return []bool{false, false} }

func (o *channelVariance) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return gorgonia.Nodes{nil, nil}, nil
}

func (o *channelVariance) Lower(l *export.Lowering) error {
	l.SumsBatch()
	x := l.Shape(0)
	centred := l.Add("Sub", []string{l.Input(0), broadcast(l, l.Input(1), x)})
	square := l.Add("Mul", []string{centred, centred})
	return l.Output("ReduceMean", []string{square}, otherAxes(x).attribute(), export.Int("keepdims", 0))
}

// broadcast reshapes a value for each channel so that it broadcasts over x.
func broadcast(l *export.Lowering, perChannel string, x tensor.Shape) string {
	shape := make([]int64, len(x)-1)
	shape[0] = int64(x[1])
	for i := range shape[1:] {
		shape[i+1] = 1
	}
	return l.Add("Reshape", []string{perChannel, l.Ints("channels", shape...)})
}

func channelMeanKernel[F float](y array[F], in []array[F]) {
	l := layoutOf(in[0].shape)
	l.eachChannel(func(c int) { y.data[c] = F(sumOf(in[0].data, l, c) / float64(l.n*l.size)) })
}

func channelVarianceKernel[F float](y array[F], in []array[F]) {
	x, mean, l := in[0].data, in[1].data, layoutOf(in[0].shape)
	l.eachChannel(func(c int) {
		var sum float64
		m := float64(mean[c])
		for n := range l.n {
			for _, v := range x[l.at(n, c) : l.at(n, c)+l.size] {
				sum += (float64(v) - m) * (float64(v) - m)
			}
		}
		y.data[c] = F(sum / float64(l.n*l.size))
	})
}
