package pass

import (
	"slices"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// direction says which of the three arrays of a convolution is computed from
// the other two.
type direction int

const (
	toSmall  direction = iota // Conv
	toLarge                   // ConvTranspose, and the gradient of Conv's input
	toKernel                  // the gradient of either's weight
)

// convolution is a convolution between a large picture x and a small one y,
//
//	y[o] = sum over t of x[stride·o + t - pad] w[t]
//
// in one of its directions. w is [channels of y, channels of x, height, width].
type convolution struct {
	direction
	x, y, w, bias        string // x, y or w is what is computed; bias may be ""
	large, small         [2]int // height and width of x and y
	channels             struct{ large, small int }
	kernel, stride, pads [2]int // pads: rows above, columns to the left
}

// convolutionAt recognises the convolution whose last node is n.
func (p *batchLast) convolutionAt(n *onnxpb.NodeProto) (convolution, bool) {
	switch n.OpType {
	case "Conv":
		return p.forward(n)
	case "ConvTranspose":
		return p.adjoint(n, n, [2]int{})
	case "Slice":
		// The rows and columns that symmetric pads leave too many.
		from := p.producers[n.Input[0]]
		if len(n.Input) != 4 {
			break
		}
		starts, axes := p.lists[n.Input[1]], p.lists[n.Input[3]]
		if from.GetOpType() == "ConvTranspose" && slices.Equal(axes, []int{2, 3}) && len(starts) == 2 {
			return p.adjoint(from, n, [2]int{starts[0], starts[1]})
		}
	case "Transpose":
		return p.weightGradient(n)
	}
	return convolution{}, false
}

func pair(v []int) [2]int { return [2]int{v[0], v[1]} }

// ungrouped reports a convolution over all channels, without what is rare.
func ungrouped(n *onnxpb.NodeProto) bool {
	return n.Domain == "" && intAttribute(n, "group", 1) == 1 && attribute(n, "auto_pad") == nil && attribute(n, "output_shape") == nil
}

func (p *batchLast) forward(n *onnxpb.NodeProto) (c convolution, ok bool) {
	x, w, y := p.shapes[n.Input[0]], p.shapes[n.Input[1]], p.shapes[n.Output[0]]
	pads, strides, dilations := geometry(n)
	if !ungrouped(n) || !slices.Equal(dilations, []int{1, 1}) || len(x) != 4 || len(w) != 4 || len(y) != 4 || !p.batch[n.Input[0]] || p.batch[n.Input[1]] {
		return c, false
	}
	c = convolution{
		direction: toSmall, x: n.Input[0], w: n.Input[1], y: n.Output[0],
		large: pair(x[2:]), small: pair(y[2:]), kernel: pair(w[2:]), stride: pair(strides), pads: pair(pads),
	}
	c.channels.small, c.channels.large = w[0], w[1]
	if len(n.Input) > 2 {
		c.bias = n.Input[2]
	}
	return c, true
}

func (p *batchLast) adjoint(n, last *onnxpb.NodeProto, offset [2]int) (c convolution, ok bool) {
	y, w, x := p.shapes[n.Input[0]], p.shapes[n.Input[1]], p.shapes[last.Output[0]]
	pads, strides, dilations := geometry(n)
	if !ungrouped(n) || !slices.Equal(dilations, []int{1, 1}) || len(x) != 4 || len(w) != 4 || len(y) != 4 || !p.batch[n.Input[0]] || p.batch[n.Input[1]] {
		return c, false
	}
	c = convolution{
		direction: toLarge, x: last.Output[0], w: n.Input[1], y: n.Input[0],
		large: pair(x[2:]), small: pair(y[2:]), kernel: pair(w[2:]), stride: pair(strides),
		pads: [2]int{pads[0] + offset[0], pads[1] + offset[1]},
	}
	c.channels.small, c.channels.large = w[0], w[1]
	if len(n.Input) > 2 {
		c.bias = n.Input[2]
	}
	return c, true
}

// weightGradient recognises a correlation over the batch: a Conv of x by y with
// batch and channels exchanged, stride as dilation. Rows of x that the kernel
// doesn't reach may be cut off first.
func (p *batchLast) weightGradient(n *onnxpb.NodeProto) (c convolution, ok bool) {
	exchanged := func(n *onnxpb.NodeProto) bool {
		return n.GetOpType() == "Transpose" && slices.Equal(intsAttribute(n, "perm"), []int{1, 0, 2, 3})
	}
	conv := p.producers[n.Input[0]]
	if !exchanged(n) || conv.GetOpType() != "Conv" || len(conv.Input) != 2 || !ungrouped(conv) {
		return c, false
	}
	fromX, fromY := p.producers[conv.Input[0]], p.producers[conv.Input[1]]
	var ends []int
	if fromX.GetOpType() == "Slice" && len(fromX.Input) == 4 && slices.Equal(p.lists[fromX.Input[1]], []int{0, 0}) && slices.Equal(p.lists[fromX.Input[3]], []int{2, 3}) {
		ends, fromX = p.lists[fromX.Input[2]], p.producers[fromX.Input[0]]
	}
	if !exchanged(fromX) || !exchanged(fromY) {
		return c, false
	}
	x, y, w := p.shapes[fromX.Input[0]], p.shapes[fromY.Input[0]], p.shapes[n.Output[0]]
	pads, strides, dilations := geometry(conv)
	if !slices.Equal(strides, []int{1, 1}) || len(w) != 4 || !p.batch[fromX.Input[0]] || !p.batch[fromY.Input[0]] {
		return c, false
	}
	for i, end := range ends { // rows that are cut off are no zeros
		if end < x[2+i] && pads[2+i] > 0 {
			return c, false
		}
	}
	c = convolution{
		direction: toKernel, x: fromX.Input[0], y: fromY.Input[0], w: n.Output[0],
		large: pair(x[2:]), small: pair(y[2:]), kernel: pair(w[2:]), stride: pair(dilations), pads: pair(pads),
	}
	c.channels.small, c.channels.large = w[0], w[1]
	return c, true
}

// mirrored is the same convolution of stride 1 seen from the other picture: with i
// the pixel that a tap meets from o, o = i + (kernel - 1 - t) - (kernel - 1 - pad),
// so that pictures and channels change places and the kernel is turned round.
func (c convolution) mirrored() convolution {
	m := c
	m.x, m.y, m.large, m.small = c.y, c.x, c.small, c.large
	m.channels.large, m.channels.small = c.channels.small, c.channels.large
	for axis := range 2 {
		m.pads[axis] = c.kernel[axis] - 1 - c.pads[axis]
	}
	switch c.direction {
	case toSmall:
		m.direction = toLarge
	case toLarge:
		m.direction = toSmall
	}
	return m
}

// direct is the work for one picture, by direct convolution, in multiplications.
func (c convolution) direct() int {
	return c.kernel[0] * c.kernel[1] * c.small[0] * c.small[1] * c.channels.large * c.channels.small
}

// phases splits the large picture by the remainders of row and column to the
// stride, so that the convolution has stride 1 between each part and y.
func (c convolution) phases() int { return c.stride[0] * c.stride[1] }

// phasePicture is the size of such a part.
func (c convolution) phasePicture() [2]int {
	return [2]int{c.large[0] / c.stride[0], c.large[1] / c.stride[1]}
}

// phaseTaps are the taps that reach from y into a part.
func (c convolution) phaseTaps() (t taps) {
	for axis := range 2 {
		t.first[axis] = floorDiv(-c.pads[axis], c.stride[axis])
		t.last[axis] = floorDiv(c.kernel[axis]-1-c.pads[axis], c.stride[axis])
	}
	return t
}

// tapTable gives the kernel's tap for each offset of phaseTaps and each part,
// kernel height times width where there is none.
func (c convolution) tapTable() []int {
	t := c.phaseTaps()
	none := c.kernel[0] * c.kernel[1]
	var table []int
	for dy := t.first[0]; dy <= t.last[0]; dy++ {
		for dx := t.first[1]; dx <= t.last[1]; dx++ {
			for phaseY := range c.stride[0] {
				for phaseX := range c.stride[1] {
					ky, kx := dy*c.stride[0]+phaseY+c.pads[0], dx*c.stride[1]+phaseX+c.pads[1]
					if ky < 0 || ky >= c.kernel[0] || kx < 0 || kx >= c.kernel[1] {
						table = append(table, none)
					} else {
						table = append(table, ky*c.kernel[1]+kx)
					}
				}
			}
		}
	}
	return table
}

// at is the position of x, row by row, that a tap meets from a position of y;
// -1 outside of the picture.
func (c convolution) at(o, tap int) int {
	y := c.stride[0]*(o/c.small[1]) + tap/c.kernel[1] - c.pads[0]
	x := c.stride[1]*(o%c.small[1]) + tap%c.kernel[1] - c.pads[1]
	if y < 0 || y >= c.large[0] || x < 0 || x >= c.large[1] {
		return -1
	}
	return y*c.large[1] + x
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}
