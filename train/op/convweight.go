package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
)

// convWeight is the gradient of a convolution's kernel, and of a transposed
// one's:
//
//	w[o,c,p,q] = Σ large[n, c, i·sh-top+p, j·sw-left+q] · small[n,o,i,j]
//	large [N, C, H, W], small [N, O, H', W'] -> w [O, C, KH, KW]
//
// ONNX: Conv with batch and channels swapped, the stride as dilation.
type convWeight struct {
	operator
	Geometry
}

var (
	_ gorgonia.SDOp   = (*convWeight)(nil)
	_ export.Operator = (*convWeight)(nil)
)

// ConvWeight correlates large [N, C, H, W] with small [N, O, H', W'], which a
// convolution of that geometry makes of it.
func ConvWeight(large, small *gorgonia.Node, g Geometry) (*gorgonia.Node, error) {
	if err := g.check("ConvWeight"); err != nil {
		return nil, err
	}
	o := &convWeight{operator: newOperator("ConvWeight", g, rank(4), rank(4), rank(4)), Geometry: g}
	return apply(o, large, small)
}

func (o *convWeight) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	large, small := shapes(ds)[0], shapes(ds)[1]
	return tensor.Shape{small[1], large[1], o.Kernel[0], o.Kernel[1]}, o.fits("ConvWeight", large, small)
}

func (o *convWeight) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return run(o, in, convWeightKernel[float32](o), convWeightKernel[float64](o))
}

func (o *convWeight) DiffWRT(int) []bool { return []bool{true, true} }

// SymDiff: the operator is linear in either picture, so each gradient is the
// convolution, or its adjoint, by the gradient of w.
func (o *convWeight) SymDiff(in gorgonia.Nodes, _, dw *gorgonia.Node) (gorgonia.Nodes, error) {
	large, small := in[0], in[1]
	dLarge, err := ConvTranspose2D(small, dw, nil, o.Geometry, large.Shape()[2], large.Shape()[3])
	if err != nil {
		return nil, err
	}
	dSmall, err := Conv2D(large, dw, nil, o.Geometry)
	return gorgonia.Nodes{dLarge, dSmall}, err
}

func (o *convWeight) Lower(l *export.Lowering) error {
	l.SumsBatch()
	large, small := l.Shape(0), l.Shape(1)
	swap := export.Ints("perm", 1, 0, 2, 3)
	x := l.Add("Transpose", []string{l.Input(0)}, swap)
	kernel := l.Add("Transpose", []string{l.Input(1)}, swap)
	// The pads at the end that leave exactly the kernel's size: fewer than the
	// geometry's where the kernel's last place stops short of the border.
	bottom := o.Kernel[0] + (small[2]-1)*o.Stride[0] - large[2] - o.Top
	right := o.Kernel[1] + (small[3]-1)*o.Stride[1] - large[3] - o.Left
	if bottom < 0 || right < 0 { // not even all of the picture is used
		height, width := large[2]+min(bottom, 0), large[3]+min(right, 0)
		if height < 1 || width < 1 {
			return fmt.Errorf("the kernel never leaves the pads")
		}
		x = l.Add("Slice", []string{
			x, l.Ints("starts", 0, 0), l.Ints("ends", int64(height), int64(width)), l.Ints("axes", 2, 3),
		})
	}
	w := l.Add("Conv", []string{x, kernel},
		export.Ints("dilations", o.Stride[0], o.Stride[1]),
		export.Ints("kernel_shape", small[2], small[3]),
		export.Ints("pads", o.Top, o.Left, max(bottom, 0), max(right, 0)))
	return l.Output("Transpose", []string{w}, swap)
}

// convWeightKernel multiplies the small pictures with the transposed patches
// of the large ones and sums over the groups.
func convWeightKernel[F float](o *convWeight) kernel[F] {
	return func(y array[F], in []array[F]) {
		large, small := in[0], in[1]
		if y.shape[1] >= leastChannels {
			convWeightByTaps(newTaps(o.Geometry, large.shape, small.shape), y, in)
			return
		}
		batch, channels := small.shape[0], small.shape[1]
		p := newPatches(o.Geometry, batch, large.shape[1], large.shape[2], large.shape[3])
		picture := p.channels * p.height * p.width
		clear(y.data)
		p.groups(batch, func(from, to int) {
			n := to - from
			col := borrowMatrix[F](p.kernelSize, n*p.places)
			defer giveBack(col.data)
			unfold(col.data, large.data[from*picture:to*picture], p, n)
			group := borrowMatrix[F](channels, n*p.places)
			defer giveBack(group.data)
			interleave(group.data, small.data[from*channels*p.places:], n, channels, p.places)
			gemm(group, col.t(), 1, asMatrix(y))
		})
	}
}
