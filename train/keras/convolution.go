package keras

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/op"
)

// convolution reads a Conv or a ConvTranspose. Keras' kernel is [height, width,
// in, out], of a transposed one [height, width, out, in].
func (a *activation) convolution(n *onnxpb.NodeProto, out string, constants []*constant) (*activation, error) {
	w := constants[0]
	if w.floats == nil || len(w.dims) != 4 || len(a.dims) != 3 {
		return nil, fmt.Errorf("a kernel of %v on values of %v", w.dims, a.dims)
	}
	transposed := n.OpType == "ConvTranspose"
	in, filters := w.dims[1], w.dims[0]
	if transposed {
		in, filters = filters, in
	}
	if in != a.dims[0] {
		return nil, fmt.Errorf("a kernel for %d channels on values of %v", in, a.dims)
	}
	g, err := readGeometry(n, w)
	if err != nil {
		return nil, err
	}
	dims, want, err := g.over(a.dims, transposed)
	if err != nil {
		return nil, err
	}
	kernel, stride := g.Kernel[0], g.Stride[0]
	var l arch.Layer = arch.Conv2D{Filters: filters, Kernel: kernel, Stride: stride, NoBias: true}
	// A transposed convolution of stride 1 is a convolution with a kernel that is
	// turned round, and so the JAX route writes it.
	turned := !transposed && stride == 1 && len(w.flipped) == 4 && w.flipped[2] && w.flipped[3]
	if transposed || turned {
		l = arch.ConvTranspose2D{Filters: filters, Kernel: kernel, Stride: stride, NoBias: true}
	}
	y := a.then(n, out, l)
	y.layer.fault = g.fault
	if y.layer.fault == "" && g.Geometry != want {
		y.layer.fault = fmt.Sprintf("pads %v, want %v for 'same'", pads(g.Geometry), pads(want))
	}
	if axes := wide(a.axes, a.dims); axes != wide("CHW", a.inOrder("CHW")) {
		y.layer.fault = fmt.Sprintf("takes a picture laid out as %s, want C, H, W", spread(a.axes))
	}
	if name, ok := mergedName(n); ok {
		y.layer.name, y.layer.absorbed = name, y.layer.name
	}
	y.layer.weights["kernel"] = fromGraph(w, turned)
	y.layer.value.axes, y.layer.value.dims = "CHW", append([]int{filters}, dims...)
	y.stored = y.layer.value
	if len(constants) > 1 {
		bias := constants[1]
		if bias.floats == nil || !slices.Equal(bias.dims, []int{filters}) {
			return nil, fmt.Errorf("a bias of %v for %d filters", bias.dims, filters)
		}
		y.layer.Layer, _ = withBias(l)
		y.layer.weights["bias"] = bias
	}
	return y, nil
}

// mergedName tells a convolution that a BatchNorm was merged into: the
// TensorFlow route gives the node the BatchNorm's name and the kernel that of the
// convolution, "MODEL/conv2d_1/convolution/merged_input:0".
func mergedName(n *onnxpb.NodeProto) (layer string, ok bool) {
	kernel := strings.Split(n.Input[1], "/")
	if len(kernel) < 3 || !strings.HasPrefix(kernel[len(kernel)-1], "merged_input") {
		return "", false
	}
	return brief(kernel[1]), true
}

// geometry is that of a convolution in a graph.
type geometry struct {
	op.Geometry
	fault string // what ours can't be
}

func readGeometry(n *onnxpb.NodeProto, w *constant) (geometry, error) {
	var g geometry
	g.Kernel, g.Stride = [2]int{w.dims[2], w.dims[3]}, [2]int{1, 1}
	pads := []int{0, 0, 0, 0}
	for name, to := range map[string][]int{"strides": g.Stride[:], "pads": pads} {
		if v, ok := intsAttribute(n, name); ok {
			if len(v) != len(to) {
				return g, fmt.Errorf("%s %s", name, sizes(v))
			}
			copy(to, v)
		}
	}
	g.Top, g.Left, g.Bottom, g.Right = pads[0], pads[1], pads[2], pads[3]
	if min(g.Stride[0], g.Stride[1]) < 1 || slices.Min(pads) < 0 {
		return g, fmt.Errorf("strides %v, pads %v", g.Stride, pads)
	}
	dilations, _ := intsAttribute(n, "dilations")
	outputPads, _ := intsAttribute(n, "output_padding")
	_, sized := intsAttribute(n, "output_shape")
	auto := "NOTSET"
	if a := attribute(n, "auto_pad"); a != nil {
		auto = brief(string(a.S))
	}
	kernel, given := intsAttribute(n, "kernel_shape")
	switch other := func(v int) bool { return v != 1 }; {
	case given && !slices.Equal(kernel, g.Kernel[:]):
		return g, fmt.Errorf("kernel_shape %s, its weight is %v", sizes(kernel), w.dims)
	case g.Kernel[0] != g.Kernel[1]:
		g.fault = fmt.Sprintf("a kernel of %dx%d, want a square", g.Kernel[0], g.Kernel[1])
	case g.Stride[0] != g.Stride[1]:
		g.fault = fmt.Sprintf("strides %v, want equal ones", g.Stride)
	case slices.ContainsFunc(dilations, other):
		g.fault = fmt.Sprintf("dilations %s, want none", sizes(dilations))
	case intAttribute(n, "group", 1) != 1:
		g.fault = fmt.Sprintf("%d groups, want one", intAttribute(n, "group", 1))
	case slices.ContainsFunc(outputPads, func(v int) bool { return v != 0 }) || sized || auto != "NOTSET":
		g.fault = "its size is given by output_padding, output_shape or auto_pad, want pads"
	}
	return g, nil
}

// over gives the height and width behind the convolution, and the geometry of
// 'same' there.
func (g geometry) over(dims []int, transposed bool) ([]int, op.Geometry, error) {
	var out []int
	padded := [2]int{g.Top + g.Bottom, g.Left + g.Right}
	larger := [2]int{dims[1], dims[2]}
	for i := range 2 {
		n := (dims[1+i]+padded[i]-g.Kernel[i])/g.Stride[i] + 1
		if transposed {
			n = (dims[1+i]-1)*g.Stride[i] + g.Kernel[i] - padded[i]
			larger[i] = dims[1+i] * g.Stride[i]
		} else if dims[1+i]+padded[i] < g.Kernel[i] {
			n = 0
		}
		if n < 1 || n > 1<<20 {
			return nil, op.Geometry{}, fmt.Errorf("a kernel of %v, stride %v and pads %v on values of %v", g.Kernel, g.Stride, pads(g.Geometry), dims)
		}
		out = append(out, n)
	}
	return out, op.Same(larger[0], larger[1], g.Kernel, g.Stride), nil
}

func pads(g op.Geometry) []int { return []int{g.Top, g.Left, g.Bottom, g.Right} }
