package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/export/onnxpb"
)

// channelSum adds up everything but the channel axis:
//
//	y[c] = Σ x[n,c,...]    x [N, C, ...] -> y [C]
//
// It is the gradient of a bias and of BatchNorm's beta. ONNX: ReduceSum,
// opset 13.
type channelSum struct{ operator }

var (
	_ gorgonia.SDOp   = (*channelSum)(nil)
	_ export.Operator = (*channelSum)(nil)
)

// ChannelSum sums x [N, C, ...] over every axis but the second. It has no
// gradient.
func ChannelSum(x *gorgonia.Node) (*gorgonia.Node, error) {
	return apply(&channelSum{newOperator("ChannelSum", struct{}{}, rank(1), like(x))}, x)
}

func (o *channelSum) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return perChannel("ChannelSum", shapes(ds)[0])
}

// perChannel is the shape of one value for each channel of x.
func perChannel(name string, x tensor.Shape) (tensor.Shape, error) {
	if len(x) < 2 {
		return nil, fmt.Errorf("op: %s: x %v has no channel axis", name, x)
	}
	return tensor.Shape{x[1]}, nil
}

func (o *channelSum) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, channelSumKernel[float32], channelSumKernel[float64])
}

func (o *channelSum) DiffWRT(n int) []bool { return make([]bool, n) }

func (o *channelSum) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return gorgonia.Nodes{nil}, nil
}

func (o *channelSum) Lower(l *export.Lowering) error {
	l.SumsBatch()
	return l.Output("ReduceSum", sumOperands(l, l.Input(0), l.Shape(0)), export.Int("keepdims", 0))
}

// lowerChannelSum adds up another value of the shape of x.
func lowerChannelSum(l *export.Lowering, value string, x tensor.Shape) string {
	return l.Add("ReduceSum", sumOperands(l, value, x), export.Int("keepdims", 0))
}

func sumOperands(l *export.Lowering, value string, x tensor.Shape) []string {
	return []string{value, l.Ints("axes", otherAxes(x).int64s()...)}
}

// axes is a list of axes.
type axes []int

func (a axes) int64s() []int64 {
	out := make([]int64, len(a))
	for i, v := range a {
		out[i] = int64(v)
	}
	return out
}

func (a axes) attribute() *onnxpb.AttributeProto { return export.Ints("axes", a...) }

// otherAxes lists every axis but the channel axis.
func otherAxes(x tensor.Shape) axes {
	a := axes{0}
	for i := 2; i < len(x); i++ {
		a = append(a, i)
	}
	return a
}

func channelSumKernel[F float](y array[F], in []array[F]) {
	l := layoutOf(in[0].shape)
	l.eachChannel(func(c int) { y.data[c] = F(sumOf(in[0].data, l, c)) })
}

// sumOf adds up channel c of x.
func sumOf[F float](x []F, l layout, c int) float64 {
	var sum float64
	for n := range l.n {
		for _, v := range x[l.at(n, c) : l.at(n, c)+l.size] {
			sum += float64(v)
		}
	}
	return sum
}

// layout sees an array [N, C, ...] as n pictures of c channels of size values.
type layout struct{ n, c, size int }

func layoutOf(s tensor.Shape) layout {
	return layout{s[0], s[1], inner(s, 1)}
}

// at is the offset of a channel's first value.
func (l layout) at(n, c int) int { return (n*l.c + c) * l.size }

// eachExample runs f for every n, on all cores. Where channels are single
// values, it goes through memory in order, which eachChannel does not.
func (l layout) eachExample(f func(n int)) {
	parallel(l.n, elementGrain/max(l.c*l.size, 1)+1, func(from, to int) {
		for n := from; n < to; n++ {
			f(n)
		}
	})
}

// eachChannel runs f for every channel, on all cores.
func (l layout) eachChannel(f func(c int)) {
	parallel(l.c, elementGrain/max(l.n*l.size, 1)+1, func(from, to int) {
		for c := from; c < to; c++ {
			f(c)
		}
	})
}
