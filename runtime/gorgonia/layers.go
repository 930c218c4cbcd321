package gorgonia

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"

	"github.com/gantrain/gantrain/train/op"
)

// Operators that are those of train/op. They become nodes of the graph even
// where all their operands are constants.

// layer is an operator whose operands are all nodes of the graph.
func layer(f func(in gorgonia.Nodes) (*gorgonia.Node, error)) builder {
	return func(c *compiler, in []operand) (operand, error) {
		nodes, err := c.nodes(in)
		if err != nil {
			return operand{}, err
		}
		return c.computes(f(nodes))
	}
}

func relu(*attributes) builder {
	return layer(func(in gorgonia.Nodes) (*gorgonia.Node, error) { return op.ReLU(in[0]) })
}

func leakyRelu(a *attributes) builder {
	alpha := a.float("alpha", 0.01)
	return layer(func(in gorgonia.Nodes) (*gorgonia.Node, error) { return op.LeakyReLU(in[0], alpha) })
}

func sigmoid(*attributes) builder {
	return layer(func(in gorgonia.Nodes) (*gorgonia.Node, error) { return op.Sigmoid(in[0]) })
}

func tanh(*attributes) builder {
	return layer(func(in gorgonia.Nodes) (*gorgonia.Node, error) { return op.Tanh(in[0]) })
}

func batchNormalization(a *attributes) builder {
	epsilon := a.float("epsilon", 1e-5)
	a.float("momentum", 0.9) // training's
	a.onlyInt("training_mode", 0)
	if !(epsilon > 0) {
		a.problem("attribute epsilon is %v, want more than 0", epsilon)
	}
	return layer(func(in gorgonia.Nodes) (*gorgonia.Node, error) {
		return op.BatchNorm(in[0], in[1], in[2], in[3], in[4], epsilon, false)
	})
}

// matMul takes x [..., M, K] times a matrix [K, N], as a dense layer does.
func matMul(*attributes) builder {
	return func(c *compiler, in []operand) (operand, error) {
		x, w := in[0], in[1]
		if len(x.shape) < 2 || len(w.shape) != 2 {
			return operand{}, fmt.Errorf("shapes %v and %v, want [..., M, K] and [K, N]", x.shape, w.shape)
		}
		if len(x.shape) == 2 {
			return c.product(x, w, nil, false, false)
		}
		rows := slices.Clone(x.shape[:len(x.shape)-1])
		flat, err := c.reshaped("Reshape", x, []int{array{shape: rows}.size(), x.shape[len(x.shape)-1]})
		if err != nil {
			return operand{}, err
		}
		y, err := c.product(flat, w, nil, false, false)
		if err != nil {
			return operand{}, err
		}
		return c.reshaped("Reshape", y, append(rows, w.shape[1]))
	}
}

func (c *compiler) product(a, b operand, bias *operand, transA, transB bool) (operand, error) {
	in := []operand{a, b}
	if bias != nil {
		in = append(in, *bias)
	}
	n, err := c.nodes(in)
	switch {
	case err != nil:
		return operand{}, err
	case bias != nil:
		return c.computes(op.Dense(n[0], n[1], n[2]))
	case transA || transB:
		return c.computes(op.MatMul(n[0], n[1], transA, transB))
	}
	return c.computes(op.Dense(n[0], n[1], nil))
}

// gemm is y = a'·b' + c, where the primes may be transposes.
func gemm(a *attributes) builder {
	a.onlyFloat("alpha", 1)
	a.onlyFloat("beta", 1)
	transA, transB := a.int("transA", 0) != 0, a.int("transB", 0) != 0
	sum := addition(&attributes{})
	return func(c *compiler, in []operand) (operand, error) {
		switch {
		case !given(in, 2):
			return c.product(in[0], in[1], nil, transA, transB)
		case !transA && !transB && len(in[2].shape) == 1 && len(in[1].shape) == 2 && in[2].shape[0] == in[1].shape[1]:
			return c.product(in[0], in[1], &in[2], false, false)
		}
		y, err := c.product(in[0], in[1], nil, transA, transB)
		if err != nil {
			return operand{}, err
		}
		shape := slices.Clone(y.shape)
		if y, err = sum(c, []operand{y, in[2]}); err != nil {
			return operand{}, err
		}
		if !slices.Equal(y.shape, shape) {
			return operand{}, fmt.Errorf("c %v is larger than %v", in[2].shape, shape)
		}
		return y, nil
	}
}

// convolution is what Conv and ConvTranspose have in common: two axes of space,
// explicit pads, no dilation, one group.
type convolution struct {
	kernel  []int // nil: as the weights have it
	strides []int
	pads    []int // top, left, bottom, right
}

func readConvolution(a *attributes) convolution {
	if v, ok := take[string](a, "auto_pad"); ok && v != "NOTSET" {
		a.problem("attribute auto_pad is %s, want NOTSET", quoted(v))
	}
	if v := a.list("dilations", 1, 1); v[0] != 1 || v[1] != 1 {
		a.problem("attribute dilations is %v, want [1 1]", v)
	}
	a.onlyInt("group", 1)
	g := convolution{strides: a.list("strides", 1, 1), pads: a.list("pads", 0, 0, 0, 0)}
	if _, ok := a.left["kernel_shape"]; ok {
		g.kernel = a.list("kernel_shape", 0, 0)
	}
	if min(g.strides[0], g.strides[1]) < 1 {
		a.problem("attribute strides is %v, want 1 at least", g.strides)
	}
	if slices.Min(g.pads) < 0 {
		a.problem("attribute pads is %v, want 0 at least", g.pads)
	}
	return g
}

// geometry checks the operands x [N, C, H, W] and w [., ., KH, KW].
func (g convolution) geometry(in []operand) (op.Geometry, error) {
	x, w := in[0].shape, in[1].shape
	if len(x) != 4 || len(w) != 4 {
		return op.Geometry{}, fmt.Errorf("x %v and w %v, want four axes each", x, w)
	}
	if g.kernel != nil && !slices.Equal(g.kernel, w[2:]) {
		return op.Geometry{}, fmt.Errorf("attribute kernel_shape is %v for weights %v", g.kernel, w)
	}
	return op.Geometry{
		Kernel: [2]int{w[2], w[3]}, Stride: [2]int{g.strides[0], g.strides[1]},
		Top: g.pads[0], Left: g.pads[1], Bottom: g.pads[2], Right: g.pads[3],
	}, nil
}

// withBias adds the bias, or nil where it is left out.
func (c *compiler) withBias(in []operand) (x, w, bias *gorgonia.Node, err error) {
	if !given(in, 2) {
		in = in[:2]
	}
	n, err := c.nodes(in)
	if err != nil {
		return nil, nil, nil, err
	}
	if len(n) == 3 {
		bias = n[2]
	}
	return n[0], n[1], bias, nil
}

// room checks the working memory of a convolution: the patches of an example,
// one for each place of the kernel on the larger picture.
func room(w, small []int) error {
	patch, err := sizeOf([]int{max(w[0], w[1]), w[2], w[3]})
	if err != nil {
		return err
	}
	_, err = sizeOf([]int{patch, small[2], small[3]})
	return err
}

func conv(a *attributes) builder {
	attrs := readConvolution(a)
	return func(c *compiler, in []operand) (operand, error) {
		g, err := attrs.geometry(in)
		if err != nil {
			return operand{}, err
		}
		x, w, bias, err := c.withBias(in)
		if err != nil {
			return operand{}, err
		}
		y, err := op.Conv2D(x, w, bias, g)
		if err != nil {
			return operand{}, err
		}
		if err := room(in[1].shape, y.Shape()); err != nil {
			return operand{}, err
		}
		return c.computes(y, nil)
	}
}

func convTranspose(a *attributes) builder {
	attrs := readConvolution(a)
	extra := a.list("output_padding", 0, 0)
	if v := a.ints("output_shape"); v != nil {
		a.problem("attribute output_shape is not supported")
	}
	if min(extra[0], extra[1]) < 0 {
		a.problem("attribute output_padding is %v, want 0 at least", extra)
	}
	return func(c *compiler, in []operand) (operand, error) {
		g, err := attrs.geometry(in)
		if err != nil {
			return operand{}, err
		}
		if err := room(in[1].shape, in[0].shape); err != nil {
			return operand{}, err
		}
		x, w, bias, err := c.withBias(in)
		if err != nil {
			return operand{}, err
		}
		size := func(axis, before, after int) int {
			return (in[0].shape[2+axis]-1)*g.Stride[axis] + g.Kernel[axis] - before - after + extra[axis]
		}
		height, width := size(0, g.Top, g.Bottom), size(1, g.Left, g.Right)
		if min(height, width) < 1 {
			return operand{}, fmt.Errorf("pads %v leave nothing of a picture", attrs.pads)
		}
		if _, err := sizeOf([]int{in[0].shape[0], in[1].shape[1], height, width}); err != nil {
			return operand{}, err
		}
		return c.computes(op.ConvTranspose2D(x, w, bias, g, height, width))
	}
}
