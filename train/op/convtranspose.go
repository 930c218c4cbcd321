package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
)

// convTranspose2D is the adjoint of conv2D: what a convolution of the same
// geometry gathers into a pixel, it spreads from there.
//
//	y[n, c, i·sh-top+p, j·sw-left+q] += x[n,o,i,j] · w[o,c,p,q], then b[c] added
//	x [N, O, H', W'], w [O, C, KH, KW], b [C] -> y [N, C, H, W]
//
// H and W are given, since up to sh-1 of them shrink to the same H'. ONNX:
// ConvTranspose, opset 11, in the spelling that every runtime reads alike:
// symmetric pads, and a Slice where the geometry's are not.
type convTranspose2D struct {
	operator
	Geometry
	height, width int // H, W
}

var (
	_ gorgonia.SDOp   = (*convTranspose2D)(nil)
	_ export.Operator = (*convTranspose2D)(nil)
)

// ConvTranspose2D spreads x [N, O, H', W'] by w [O, C, KH, KW] into pictures of
// height by width and adds bias [C], which may be nil. Keras keeps w as
// [KH, KW, C, O].
func ConvTranspose2D(x, w, bias *gorgonia.Node, g Geometry, height, width int) (*gorgonia.Node, error) {
	if err := g.check("ConvTranspose2D"); err != nil {
		return nil, err
	}
	operands, types := withBias(x, w, bias, rank(4))
	attrs := struct {
		Geometry
		Height, Width int
	}{g, height, width}
	o := &convTranspose2D{
		operator: newOperator("ConvTranspose2D", attrs, rank(4), types...),
		Geometry: g, height: height, width: width,
	}
	return apply(o, operands...)
}

func (o *convTranspose2D) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	s := shapes(ds)
	x, w := s[0], s[1]
	if x[1] != w[0] {
		return nil, fmt.Errorf("op: ConvTranspose2D: x %v has %d channels, w %v takes %d", x, x[1], w, w[0])
	}
	if err := o.checkKernel("ConvTranspose2D", w); err != nil {
		return nil, err
	}
	if err := checkBias("ConvTranspose2D", s, w[1]); err != nil {
		return nil, err
	}
	y := tensor.Shape{x[0], w[1], o.height, o.width}
	return y, o.fits("ConvTranspose2D", y, x)
}

func (o *convTranspose2D) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, convTransposeKernel[float32](o), convTransposeKernel[float64](o))
}

func (o *convTranspose2D) DiffWRT(n int) []bool { return trues(n) }

func (o *convTranspose2D) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := Conv2D(dy, in[1], nil, o.Geometry)
	if err != nil {
		return nil, err
	}
	dw, err := ConvWeight(dy, in[0], o.Geometry)
	if err != nil {
		return nil, err
	}
	return appendBiasGradient(gorgonia.Nodes{dx, dw}, in, dy)
}

func (o *convTranspose2D) Lower(l *export.Lowering) error {
	x := l.Shape(0)
	padY, padX := min(o.Top, o.Bottom), min(o.Left, o.Right)
	// Rows and columns that no tap reaches, at the end.
	restY := o.height + o.Top + o.Bottom - (x[2]-1)*o.Stride[0] - o.Kernel[0]
	restX := o.width + o.Left + o.Right - (x[3]-1)*o.Stride[1] - o.Kernel[1]
	attributes := o.attributes(padY, padX, padY, padX)
	if restY > 0 || restX > 0 {
		attributes = append(attributes, export.Ints("output_padding", restY, restX))
	}
	in := inputs(l, o.Arity())
	if o.Top == o.Bottom && o.Left == o.Right {
		return l.Output("ConvTranspose", in, attributes...)
	}
	y := l.Add("ConvTranspose", in, attributes...)
	fromY, fromX := int64(o.Top-padY), int64(o.Left-padX)
	return l.Output("Slice", []string{
		y,
		l.Ints("starts", fromY, fromX),
		l.Ints("ends", fromY+int64(o.height), fromX+int64(o.width)),
		l.Ints("axes", 2, 3),
	})
}

// convTransposeKernel multiplies the transpose of w with a group of pictures,
// which gives the patches that fold adds up.
func convTransposeKernel[F float](o *convTranspose2D) kernel[F] {
	return func(y array[F], in []array[F]) {
		if in[1].shape[1] >= leastChannels {
			convTransposeByTaps(newTaps(o.Geometry, y.shape, in[0].shape), y, in)
			return
		}
		x, w := in[0], asMatrix(in[1])
		batch, channels := x.shape[0], x.shape[1]
		p := newPatches(o.Geometry, batch, y.shape[1], y.shape[2], y.shape[3])
		picture := p.channels * p.height * p.width
		clear(y.data)
		p.groups(batch, func(from, to int) {
			n := to - from
			small := borrowMatrix[F](channels, n*p.places)
			defer giveBack(small.data)
			interleave(small.data, x.data[from*channels*p.places:], n, channels, p.places)
			col := borrowMatrix[F](p.kernelSize, n*p.places)
			defer giveBack(col.data)
			gemm(w.t(), small, 0, col)
			fold(y.data[from*picture:to*picture], col.data, p, n)
		})
		if len(in) == 3 {
			addChannels(y, in[2].data)
		}
	}
}
