package op

import (
	"fmt"

	"gorgonia.org/tensor"
)

// Geometry says where a convolution's kernel is laid on the picture. Pads are
// rows and columns of zeros around the larger picture of the two: the input of
// a convolution, the output of a transposed one.
type Geometry struct {
	Kernel, Stride           [2]int // height, width
	Top, Left, Bottom, Right int
}

// Same is TensorFlow's padding 'same' for a larger picture of the given size:
// the smaller one has ceil(size/stride) pixels, and where the zeros can't be
// laid evenly on both sides, the extra one is at the end.
// https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2
func Same(height, width int, kernel, stride [2]int) Geometry {
	g := Geometry{Kernel: kernel, Stride: stride}
	g.Top, g.Bottom = samePads(height, kernel[0], stride[0])
	g.Left, g.Right = samePads(width, kernel[1], stride[1])
	return g
}

func samePads(size, kernel, stride int) (before, after int) {
	small := (size + stride - 1) / stride
	pads := max((small-1)*stride+kernel-size, 0)
	return pads / 2, pads - pads/2
}

// small is the size of the smaller picture: how many places the kernel can
// take on a larger one of height by width. 0 where the kernel doesn't fit.
func (g Geometry) small(height, width int) (int, int) {
	return places(height+g.Top+g.Bottom, g.Kernel[0], g.Stride[0]), places(width+g.Left+g.Right, g.Kernel[1], g.Stride[1])
}

func places(size, kernel, stride int) int {
	if size < kernel {
		return 0
	}
	return (size-kernel)/stride + 1
}

func (g Geometry) check(name string) error {
	for axis, field := range []string{"height", "width"} {
		if g.Kernel[axis] < 1 {
			return fmt.Errorf("op: %s: kernel %s %d is below 1", name, field, g.Kernel[axis])
		}
		if g.Stride[axis] < 1 {
			return fmt.Errorf("op: %s: stride of the %s %d is below 1", name, field, g.Stride[axis])
		}
	}
	if min(g.Top, g.Left, g.Bottom, g.Right) < 0 {
		return fmt.Errorf("op: %s: negative pads %d, %d, %d, %d", name, g.Top, g.Left, g.Bottom, g.Right)
	}
	return nil
}

// fits checks that a larger picture and a smaller one, both [N, C, H, W], go
// together.
func (g Geometry) fits(name string, large, small tensor.Shape) error {
	if large[0] != small[0] {
		return fmt.Errorf("op: %s: batches of %d and of %d", name, large[0], small[0])
	}
	h, w := g.small(large[2], large[3])
	if h == 0 || w == 0 {
		return fmt.Errorf("op: %s: a kernel of %dx%d doesn't fit on a picture of %dx%d with pads of %d+%d rows and %d+%d columns",
			name, g.Kernel[0], g.Kernel[1], large[2], large[3], g.Top, g.Bottom, g.Left, g.Right)
	}
	if h != small[2] || w != small[3] {
		return fmt.Errorf("op: %s: a picture of %dx%d has %dx%d places, not %dx%d",
			name, large[2], large[3], h, w, small[2], small[3])
	}
	return nil
}

// checkKernel checks w [O, C, KH, KW] against the geometry.
func (g Geometry) checkKernel(name string, w tensor.Shape) error {
	if w[2] != g.Kernel[0] || w[3] != g.Kernel[1] {
		return fmt.Errorf("op: %s: w %v holds kernels of %dx%d, the geometry says %dx%d",
			name, w, w[2], w[3], g.Kernel[0], g.Kernel[1])
	}
	return nil
}
