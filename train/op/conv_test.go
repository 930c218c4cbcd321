package op_test

import (
	"slices"
	"testing"

	"gorgonia.org/gorgonia"

	"github.com/gantrain/gantrain/train/op"
)

// convCase is a geometry on a larger picture with channels, which the smaller
// one has of its own.
type convCase struct {
	variant         string
	batch           int
	large, small    int // channels
	height, width   int // of the larger picture
	geometry        op.Geometry
	biased, onCores bool
}

var convCases = []convCase{
	{"same 5x5 stride 2", 2, 3, 4, 8, 8, op.Same(8, 8, [2]int{5, 5}, [2]int{2, 2}), true, false},
	{"same, odd size", 2, 2, 3, 7, 9, op.Same(7, 9, [2]int{5, 5}, [2]int{2, 2}), false, false},
	{"batch 1, one channel", 1, 1, 1, 4, 5, geometry(3, 3, 1, 1), true, false},
	{"oblong, asymmetric pads", 3, 2, 3, 8, 7, geometry(2, 3, 3, 2, 1, 0, 2, 3), true, false},
	{"more pads before", 2, 2, 2, 5, 6, geometry(4, 3, 2, 1, 3, 2, 0, 1), false, false},
	{"rest of the stride", 2, 2, 3, 8, 9, geometry(3, 3, 4, 5), true, false},
	{"rest and pads", 2, 1, 2, 8, 9, geometry(3, 2, 4, 4, 1, 1, 1, 1), false, false},
	{"stride above the kernel", 2, 2, 2, 7, 8, geometry(2, 1, 3, 3), false, false},
	{"1x1", 2, 3, 2, 3, 3, geometry(1, 1, 1, 1), true, false},
	{"1x1 stride 2", 2, 3, 2, 5, 4, geometry(1, 1, 2, 2), false, false},
	{"kernel above the picture", 2, 2, 3, 2, 3, geometry(5, 4, 1, 1, 2, 2, 2, 2), true, false},
	{"5x5 on one pixel", 2, 2, 2, 1, 1, geometry(5, 5, 1, 1, 2, 2, 2, 2), true, false},
	{"5x5 on one pixel, stride 2", 1, 1, 2, 1, 1, geometry(5, 5, 2, 2, 2, 2, 2, 2), false, false},
	{"pads above the kernel", 2, 2, 2, 4, 3, geometry(2, 2, 1, 2, 3, 2, 2, 4), true, false},
	{"one place", 2, 2, 3, 4, 4, geometry(4, 4, 1, 1), true, false},
	{"several groups", 14, 8, 2, 28, 28, op.Same(28, 28, [2]int{5, 5}, [2]int{1, 1}), true, true},
	{"several groups, stride 2", 48, 8, 2, 28, 31, op.Same(28, 31, [2]int{5, 5}, [2]int{2, 2}), false, true},
	{"groups of many channels", 3, 18, 2, 101, 99, op.Same(101, 99, [2]int{3, 3}, [2]int{2, 2}), true, true},
}

// manyChannels is how many more the larger picture needs to be multiplied tap
// by tap, and some: not a whole number of what is copied at a time.
const manyChannels = 17

// geometry takes kernel, stride, and pads at the top, left, bottom, right.
func geometry(kh, kw, sh, sw int, pads ...int) op.Geometry {
	g := op.Geometry{Kernel: [2]int{kh, kw}, Stride: [2]int{sh, sw}}
	if len(pads) == 4 {
		g.Top, g.Left, g.Bottom, g.Right = pads[0], pads[1], pads[2], pads[3]
	}
	return g
}

func convRows() []row {
	cases := slices.Clone(convCases)
	for _, c := range convCases {
		if !c.onCores {
			c.variant += ", many channels"
			c.large += manyChannels
			cases = append(cases, c)
		}
	}
	var rows []row
	for _, c := range cases {
		g := c.geometry
		places := [2]int{
			naivePlaces(c.height+g.Top+g.Bottom, g.Kernel[0], g.Stride[0]),
			naivePlaces(c.width+g.Left+g.Right, g.Kernel[1], g.Stride[1]),
		}
		large := in(c.batch, c.large, c.height, c.width)
		small := in(c.batch, c.small, places[0], places[1])
		w := in(c.small, c.large, g.Kernel[0], g.Kernel[1])
		area := g.Kernel[0] * g.Kernel[1]
		conv, transpose := []operand{large, w}, []operand{small, w}
		if c.biased {
			conv, transpose = append(conv, in(c.small)), append(transpose, in(c.large))
		}
		rows = append(rows, row{
			name: "Conv2D " + c.variant, operands: conv, terms: c.large * area, large: c.onCores,
			build: func(x []*gorgonia.Node) (*gorgonia.Node, error) { return op.Conv2D(x[0], x[1], optional(x), g) },
			naive: func(x []array) array { return naiveConv(x, g, places) },
		}, row{
			name: "ConvTranspose2D " + c.variant, operands: transpose, terms: c.small * area, large: c.onCores,
			build: func(x []*gorgonia.Node) (*gorgonia.Node, error) {
				return op.ConvTranspose2D(x[0], x[1], optional(x), g, c.height, c.width)
			},
			naive: func(x []array) array { return naiveConvTranspose(x, g, c.height, c.width) },
		}, row{
			name: "ConvWeight " + c.variant, operands: []operand{large, small}, large: c.onCores,
			terms: c.batch * places[0] * places[1],
			build: func(x []*gorgonia.Node) (*gorgonia.Node, error) { return op.ConvWeight(x[0], x[1], g) },
			naive: func(x []array) array { return naiveConvWeight(x, g) },
		})
	}
	return rows
}

// naivePlaces counts the places of a kernel one after the other.
func naivePlaces(size, kernel, stride int) int {
	places := 0
	for at := 0; at+kernel <= size; at += stride {
		places++
	}
	return places
}

// eachTap calls f for every tap of the kernel in every place that falls on the
// larger picture: at y, x of it, at i, j of the smaller one, at p, q of the
// kernel.
func eachTap(g op.Geometry, height, width, smallHeight, smallWidth int, f func(y, x, i, j, p, q int)) {
	for i := range smallHeight {
		for j := range smallWidth {
			for p := range g.Kernel[0] {
				for q := range g.Kernel[1] {
					y, x := i*g.Stride[0]-g.Top+p, j*g.Stride[1]-g.Left+q
					if y >= 0 && y < height && x >= 0 && x < width {
						f(y, x, i, j, p, q)
					}
				}
			}
		}
	}
}

func naiveConv(in []array, g op.Geometry, places [2]int) array {
	x, w := in[0], in[1]
	out := newArray(x.shape[0], w.shape[0], places[0], places[1])
	for n := range x.shape[0] {
		for o := range w.shape[0] {
			for c := range w.shape[1] {
				eachTap(g, x.shape[2], x.shape[3], places[0], places[1], func(y, z, i, j, p, q int) {
					out.add(x.at(n, c, y, z)*w.at(o, c, p, q), n, o, i, j)
				})
			}
		}
	}
	return naiveAddBias(out, in)
}

func naiveConvTranspose(in []array, g op.Geometry, height, width int) array {
	x, w := in[0], in[1]
	out := newArray(x.shape[0], w.shape[1], height, width)
	for n := range x.shape[0] {
		for o := range w.shape[0] {
			for c := range w.shape[1] {
				eachTap(g, height, width, x.shape[2], x.shape[3], func(y, z, i, j, p, q int) {
					out.add(x.at(n, o, i, j)*w.at(o, c, p, q), n, c, y, z)
				})
			}
		}
	}
	return naiveAddBias(out, in)
}

func naiveConvWeight(in []array, g op.Geometry) array {
	large, small := in[0], in[1]
	out := newArray(small.shape[1], large.shape[1], g.Kernel[0], g.Kernel[1])
	for n := range large.shape[0] {
		for o := range small.shape[1] {
			for c := range large.shape[1] {
				eachTap(g, large.shape[2], large.shape[3], small.shape[2], small.shape[3], func(y, z, i, j, p, q int) {
					out.add(large.at(n, c, y, z)*small.at(n, o, i, j), o, c, p, q)
				})
			}
		}
	}
	return out
}

// naiveAddBias adds the third operand, if there is one, to the channels.
func naiveAddBias(y array, in []array) array {
	if len(in) < 3 {
		return y
	}
	size := len(y.data) / (y.shape[0] * y.shape[1])
	return y.mapped(func(i int) float64 { return y.data[i] + in[2].at(i/size%y.shape[1]) })
}

// TestSame: pads that TensorFlow 2 gives, worked out by its documented rule:
// the smaller size is ceil(size/stride).
func TestSame(t *testing.T) {
	for _, c := range []struct{ size, kernel, stride, before, after int }{
		{28, 5, 2, 1, 2}, // 14 places: 13·2+5 = 31 rows
		{14, 5, 2, 1, 2},
		{7, 5, 2, 2, 2}, // 4 places: 11 rows
		{7, 5, 1, 2, 2},
		{8, 4, 2, 1, 1},
		{8, 4, 1, 1, 2},
		{5, 1, 2, 0, 0},
		{9, 2, 4, 0, 1}, // 3 places: 10 rows
		{8, 2, 4, 0, 0}, // a stride above the kernel leaves rows out
		{1, 5, 1, 2, 2},
	} {
		g := op.Same(c.size, 28, [2]int{c.kernel, 5}, [2]int{c.stride, 2})
		if g.Top != c.before || g.Bottom != c.after || g.Left != 1 || g.Right != 2 {
			t.Errorf("height %d, kernel %d, stride %d: pads %d, %d, want %d, %d; width 28: %d, %d, want 1, 2",
				c.size, c.kernel, c.stride, g.Top, g.Bottom, c.before, c.after, g.Left, g.Right)
		}
		if g = op.Same(28, c.size, [2]int{5, c.kernel}, [2]int{2, c.stride}); g.Left != c.before || g.Right != c.after {
			t.Errorf("width %d, kernel %d, stride %d: pads %d, %d, want %d, %d",
				c.size, c.kernel, c.stride, g.Left, g.Right, c.before, c.after)
		}
	}
}
