package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/export/onnxpb"
)

// conv2D is a cross-correlation, as every framework's convolution is:
//
//	y[n,o,i,j] = b[o] + Σ x[n, c, i·sh-top+p, j·sw-left+q] · w[o,c,p,q]
//	x [N, C, H, W], w [O, C, KH, KW], b [O] -> y [N, O, H', W']
//	H' = (H + top + bottom - KH)/sh + 1
//
// ONNX: Conv, opset 11.
type conv2D struct {
	operator
	Geometry
}

var (
	_ gorgonia.SDOp   = (*conv2D)(nil)
	_ export.Operator = (*conv2D)(nil)
)

// Conv2D convolves x [N, C, H, W] with w [O, C, KH, KW] and adds bias [O],
// which may be nil. Keras keeps w as [KH, KW, C, O].
func Conv2D(x, w, bias *gorgonia.Node, g Geometry) (*gorgonia.Node, error) {
	if err := g.check("Conv2D"); err != nil {
		return nil, err
	}
	operands, types := withBias(x, w, bias, rank(4))
	o := &conv2D{operator: newOperator("Conv2D", g, rank(4), types...), Geometry: g}
	return apply(o, operands...)
}

func (o *conv2D) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	s := shapes(ds)
	x, w := s[0], s[1]
	if x[1] != w[1] {
		return nil, fmt.Errorf("op: Conv2D: x %v has %d channels, w %v takes %d", x, x[1], w, w[1])
	}
	if err := o.checkKernel("Conv2D", w); err != nil {
		return nil, err
	}
	if err := checkBias("Conv2D", s, w[0]); err != nil {
		return nil, err
	}
	height, width := o.small(x[2], x[3])
	y := tensor.Shape{x[0], w[0], height, width}
	return y, o.fits("Conv2D", x, y)
}

func (o *conv2D) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, conv2DKernel[float32](o), conv2DKernel[float64](o))
}

func (o *conv2D) DiffWRT(n int) []bool { return trues(n) }

// SymDiff: the picture's gradient is the transposed convolution.
func (o *conv2D) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	x, w := in[0], in[1]
	dx, err := ConvTranspose2D(dy, w, nil, o.Geometry, x.Shape()[2], x.Shape()[3])
	if err != nil {
		return nil, err
	}
	dw, err := ConvWeight(x, dy, o.Geometry)
	if err != nil {
		return nil, err
	}
	return appendBiasGradient(gorgonia.Nodes{dx, dw}, in, dy)
}

func (o *conv2D) Lower(l *export.Lowering) error {
	return l.Output("Conv", inputs(l, o.Arity()), o.attributes(o.Top, o.Left, o.Bottom, o.Right)...)
}

// attributes spells the geometry with explicit pads: what auto_pad means
// differs between runtimes.
func (g Geometry) attributes(pads ...int) []*onnxpb.AttributeProto {
	return []*onnxpb.AttributeProto{
		export.Ints("kernel_shape", g.Kernel[0], g.Kernel[1]),
		export.Ints("pads", pads...),
		export.Ints("strides", g.Stride[0], g.Stride[1]),
	}
}

// conv2DKernel multiplies w, as O rows, with the patches of a group of pictures.
func conv2DKernel[F float](o *conv2D) kernel[F] {
	return func(y array[F], in []array[F]) {
		if in[1].shape[1] >= leastChannels {
			convByTaps(newTaps(o.Geometry, in[0].shape, y.shape), y, in)
			return
		}
		x, w := in[0], asMatrix(in[1])
		batch, channels := y.shape[0], y.shape[1]
		p := newPatches(o.Geometry, batch, x.shape[1], x.shape[2], x.shape[3])
		picture := p.channels * p.height * p.width
		p.groups(batch, func(from, to int) {
			n := to - from
			col := borrowMatrix[F](p.kernelSize, n*p.places)
			defer giveBack(col.data)
			unfold(col.data, x.data[from*picture:to*picture], p, n)
			out := borrowMatrix[F](channels, n*p.places)
			defer giveBack(out.data)
			gemm(w, col, 0, out)
			deinterleave(y.data[from*channels*p.places:], out.data, n, channels, p.places)
		})
		if len(in) == 3 {
			addChannels(y, in[2].data)
		}
	}
}

// addChannels adds b[c] to every value of channel c.
func addChannels[F float](y array[F], b []F) {
	l := layoutOf(y.shape)
	l.eachExample(func(n int) {
		for c := range l.c {
			span := y.data[l.at(n, c) : l.at(n, c)+l.size]
			for i := range span {
				span[i] += b[c]
			}
		}
	})
}
