package export

import (
	"errors"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// window is how an operator moves over a picture.
type window struct {
	kernel, strides, dilations []int
	pads                       []int // top, left, bottom, right
}

func (w window) attributes() []*onnxpb.AttributeProto {
	a := []*onnxpb.AttributeProto{Ints("kernel_shape", w.kernel...), Ints("pads", w.pads...), Ints("strides", w.strides...)}
	if w.dilations != nil {
		a = append(a, Ints("dilations", w.dilations...))
	}
	return a
}

func im2colWindow(op gorgonia.Op) (window, error) {
	f := fieldsOf(op)
	h, w := f.int("padH"), f.int("padW")
	return window{
		kernel:    []int{f.int("h"), f.int("w")},
		strides:   []int{f.int("strideH"), f.int("strideW")},
		dilations: []int{f.int("dilationH"), f.int("dilationW")},
		pads:      []int{h, w, h, w},
	}, f.err
}

// convolution recognises what gorgonia.Conv2d makes of its arguments: the
// picture's patches as rows of a matrix, times the filter's, with the channels
// moved to where they belong.
func convolution(n *gorgonia.Node) (form, bool) {
	perm := fieldsOf(n.Op()).ints("pattern")
	rows, ok := through(n, "transposeOp", "reshapeOp", "linAlgBinOp")
	if !ok || !slices.Equal(perm, []int{0, 3, 1, 2}) {
		return form{}, false
	}
	f := fieldsOf(rows.Op())
	if f.int("āBinaryOperator") != matMul || f.bool("transA") || !f.bool("transB") || f.err != nil {
		return form{}, false
	}
	patches, okPatches := through(children(rows)[0], "reshapeOp", "im2colOp")
	flattened := children(rows)[1]
	if !okPatches || flattened.Op() == nil || stockName(flattened.Op()) != "reshapeOp" {
		return form{}, false
	}
	picture, filter := children(patches)[0], children(flattened)[0]
	w, err := im2colWindow(patches.Op())
	p, s := patches.Shape(), filter.Shape()
	if err != nil || len(s) != 4 || !slices.Equal(s[2:], w.kernel) || s[1] != picture.Shape()[1] ||
		!slices.Equal(n.Shape(), tensor.Shape{p[0], s[0], p[1], p[2]}) {
		return form{}, false
	}
	in := gorgonia.Nodes{picture, filter}
	return form{"Conv", in, filtered, func(l *Lowering) error {
		return l.Output("Conv", []string{l.Input(0), l.Input(1)}, w.attributes()...)
	}}, true
}

// filtered is the rule of pictures and a filter that is the same for all.
func filtered(l *Lowering) (batch, error) {
	b := l.batchOf(0)
	if l.batchOf(1) != unbatched || b.axis > 0 {
		return b, errors.New("wants the batch in the picture's first axis, and nowhere in the filter")
	}
	return b, nil
}

// through goes from a node to its first child and on, as long as the operators
// are those of the names, and returns the last.
func through(n *gorgonia.Node, names ...string) (*gorgonia.Node, bool) {
	for i, name := range names {
		if n.Op() == nil || stockName(n.Op()) != name {
			return nil, false
		}
		if i < len(names)-1 {
			n = children(n)[0]
		}
	}
	return n, true
}

// im2col has the patches of a picture in its last axis: what a convolution by
// one filter for each number of a patch gives.
func im2col(n *gorgonia.Node, in gorgonia.Nodes) (form, error) {
	w, err := im2colWindow(n.Op())
	if err != nil {
		return form{}, err
	}
	return form{"Im2Col", in, perExample, func(l *Lowering) error {
		if b := l.batchOf(0); b.axis > 0 {
			return errors.New("has the batch in the channels: want it in the first axis")
		}
		channels, size := l.Shape(0)[1], l.OutputShape()[3]
		pick := l.Const("pick", identity(l.Dtype(), size, channels, w.kernel[0], w.kernel[1]))
		conv := l.Add("Conv", []string{l.Input(0), pick}, w.attributes()...)
		return l.Output("Transpose", []string{conv}, Ints("perm", 0, 2, 3, 1))
	}}, nil
}

// identity is an array whose rows, read flat, are those of a unit matrix.
func identity(dt tensor.Dtype, shape ...int) *tensor.Dense {
	v := tensor.New(tensor.Of(dt), tensor.WithShape(shape...))
	for i := range shape[0] {
		switch data := v.Data().(type) {
		case []float32:
			data[i*shape[0]+i] = 1
		case []float64:
			data[i*shape[0]+i] = 1
		}
	}
	return v
}

// maxPool writes the largest number of each window.
func maxPool(n *gorgonia.Node, in gorgonia.Nodes) (form, error) {
	f := fieldsOf(n.Op())
	north, west, south, east := f.int("padNorth"), f.int("padWest"), f.int("padSouth"), f.int("padEast")
	if f.bool("explicitPadding") {
		// Gorgonia then begins south and east of where it says.
		north, west, south, east = south, east, north, west
	}
	w := window{
		kernel: []int{f.int("h"), f.int("w")}, strides: []int{f.int("strideH"), f.int("strideW")},
		pads: []int{north, west, south, east},
	}
	if f.err != nil {
		return form{}, f.err
	}
	return form{"MaxPool", in, perExample, func(l *Lowering) error {
		return l.Output("MaxPool", []string{l.Input(0)}, w.attributes()...)
	}}, nil
}

// globalAveragePool writes the mean of each channel.
func globalAveragePool(_ *gorgonia.Node, in gorgonia.Nodes) (form, error) {
	return form{"GlobalAveragePool", in, perExample, func(l *Lowering) error {
		return l.Output("GlobalAveragePool", []string{l.Input(0)})
	}}, nil
}

// upsample has each pixel several times in both directions.
func upsample(n *gorgonia.Node, in gorgonia.Nodes) (form, error) {
	f := fieldsOf(n.Op())
	scale := float32(f.int("stride") + 1)
	if f.err != nil {
		return form{}, f.err
	}
	return form{"Resize", in, perExample, func(l *Lowering) error {
		scales := l.Const("scales", tensor.New(tensor.WithShape(4), tensor.WithBacking([]float32{1, 1, scale, scale})))
		return l.Output("Resize", []string{l.Input(0), "", scales},
			String("coordinate_transformation_mode", "asymmetric"), String("mode", "nearest"), String("nearest_mode", "floor"))
	}}, nil
}

// batchNorm normalises with the running statistics that the operator holds.
// Gorgonia scales and shifts afterwards, by other operators.
func batchNorm(n *gorgonia.Node, in gorgonia.Nodes) (form, error) {
	f := fieldsOf(n.Op())
	epsilon, training := f.float("epsilon"), f.bool("training")
	op, ok := n.Op().(*gorgonia.BatchNormOp)
	switch {
	case f.err != nil:
		return form{}, f.err
	case !ok:
		return form{}, errors.New("is not built as Gorgonia 0.9.18 builds it")
	case training:
		return form{}, errors.New("normalises by the batch's own statistics: call SetTraining(false) on the operator first")
	}
	return form{"BatchNormalization", in, perExample, func(l *Lowering) error {
		mean, variance := op.Stats()
		one, zero := tensor.Ones(l.Dtype(), l.Shape(0)[1]), tensor.New(tensor.Of(l.Dtype()), tensor.WithShape(l.Shape(0)[1]))
		return l.Output("BatchNormalization", []string{
			l.Input(0), l.Const("scale", one), l.Const("shift", zero),
			l.Const("mean", mean.(*tensor.Dense)), l.Const("variance", variance.(*tensor.Dense)),
		}, Float("epsilon", epsilon))
	}}, nil
}
