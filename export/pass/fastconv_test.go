package pass_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/export/pass"
	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train/nn"
	"github.com/gantrain/gantrain/train/op"
)

// convCase is a convolution between pictures of two sizes, in its three
// directions.
type convCase struct {
	height, width, large, small int // of the large picture; channels
	geometry                    op.Geometry
	bias                        bool
}

// same is a case with TensorFlow's padding 'same'.
func same(height, width, large, small, kernel, stride int, bias bool) convCase {
	return convCase{height, width, large, small, op.Same(height, width, [2]int{kernel, kernel}, [2]int{stride, stride}), bias}
}

func (c convCase) places() (height, width int) {
	return (c.height+c.geometry.Top+c.geometry.Bottom-c.geometry.Kernel[0])/c.geometry.Stride[0] + 1,
		(c.width+c.geometry.Left+c.geometry.Right-c.geometry.Kernel[1])/c.geometry.Stride[1] + 1
}

// model is the convolution of x, its adjoint at y, and the gradient of the
// kernel between the two.
func (c convCase) model(t testing.TB, batch int) *onnxpb.ModelProto {
	t.Helper()
	height, width := c.places()
	g := gorgonia.NewGraph()
	input := func(name string, shape ...int) *gorgonia.Node { return nn.Input(g, name, tensor.Float32, shape...) }
	x, y := input("x", batch, c.large, c.height, c.width), input("y", batch, c.small, height, width)
	w := input("w", c.small, c.large, c.geometry.Kernel[0], c.geometry.Kernel[1])
	m := export.Model{Name: "convolution", Inputs: []export.Port{{Name: "x", Node: x}, {Name: "y", Node: y}, {Name: "w", Node: w}}}
	var b [2]*gorgonia.Node
	if c.bias {
		b[0], b[1] = input("b0", c.small), input("b1", c.large)
		m.Inputs = append(m.Inputs, export.Port{Name: "b0", Node: b[0]}, export.Port{Name: "b1", Node: b[1]})
	}
	output := func(name string) func(*gorgonia.Node, error) {
		return func(n *gorgonia.Node, err error) {
			if err != nil {
				t.Fatal(err)
			}
			m.Outputs = append(m.Outputs, export.Port{Name: name, Node: n})
		}
	}
	output("small")(op.Conv2D(x, w, b[0], c.geometry))
	output("large")(op.ConvTranspose2D(y, w, b[1], c.geometry, c.height, c.width))
	output("kernel")(op.ConvWeight(x, y, c.geometry))
	model, err := export.Graph(m)
	if err != nil {
		t.Fatal(err)
	}
	return denoted(model, "x", "y")
}

// denoted says of inputs that their first axis is the batch.
func denoted(m *onnxpb.ModelProto, names ...string) *onnxpb.ModelProto {
	for _, v := range m.Graph.Input {
		if slices.Contains(names, v.Name) {
			v.Type.GetTensorType().Shape.Dim[0].Denotation = pass.DataBatch
		}
	}
	return m
}

// numbers gives each input of a model numbers from -1 to 1; an axis without a
// size gets the batch.
func numbers(m *onnxpb.ModelProto, batch int) map[string]*tensor.Dense {
	in := map[string]*tensor.Dense{}
	for i, v := range m.Graph.Input {
		shape := tensor.Shape{}
		for _, d := range v.Type.GetTensorType().Shape.Dim {
			if size := int(d.GetDimValue()); size > 0 {
				shape = append(shape, size)
			} else {
				shape = append(shape, batch)
			}
		}
		if v.Name == "label" {
			in[v.Name] = labels(shape[0])
			continue
		}
		in[v.Name] = tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(shape...))
		noise(in[v.Name], uint64(i), -1, 2)
	}
	return in
}

// equal runs two forms of a model on the same numbers.
func equal(t *testing.T, before, after *onnxpb.ModelProto, batch int) {
	t.Helper()
	in := numbers(before, batch)
	want, got := run(t, before, in), run(t, after, in)
	for name, v := range want {
		if !got[name].Shape().Eq(v.Shape()) {
			t.Errorf("%s has shape %v, was %v", name, got[name].Shape(), v.Shape())
		} else if d := difference(got[name], v); !(d <= 1e-5) { // float32, sums of up to some 6000 terms
			t.Errorf("%s differs by %.1e of its largest", name, d)
		}
	}
}

// convolutions counts the nodes that a fast form has none of.
func convolutions(m *onnxpb.ModelProto) int { return count(m, "Conv") + count(m, "ConvTranspose") }

// TestConvolution: every direction computes the same in its fast form, and has
// one where one pays.
func TestConvolution(t *testing.T) {
	rectangle := func(height, width, large, small int, kernel, stride [2]int, bias bool) convCase {
		return convCase{height, width, large, small, op.Same(height, width, kernel, stride), bias}
	}
	for _, c := range []struct {
		convCase
		fast bool
	}{
		// Few channels: what a place sees is gathered.
		{same(1, 1, 1, 1, 1, 1, false), true},
		{same(7, 7, 1, 5, 3, 1, true), true},
		{same(8, 8, 1, 16, 5, 2, true), true}, // pads 1 and 2: a Slice behind ConvTranspose
		{same(9, 9, 3, 4, 5, 2, false), true}, // pads 2 and 2
		{same(8, 8, 3, 4, 4, 2, true), true},  // pads 1 and 1
		{same(7, 9, 3, 4, 4, 3, true), true},
		{same(9, 9, 16, 8, 1, 2, true), true}, // no tap meets every other pixel
		{same(6, 6, 16, 3, 2, 3, false), true},
		{same(3, 2, 3, 2, 6, 1, true), true}, // a kernel larger than the picture
		{rectangle(6, 9, 3, 4, [2]int{2, 5}, [2]int{1, 2}, true), true},
		{convCase{8, 7, 2, 3, op.Geometry{Kernel: [2]int{3, 2}, Stride: [2]int{2, 3}}, true}, true}, // no pads, rows left over
		{convCase{5, 5, 2, 3, op.Geometry{Kernel: [2]int{3, 3}, Stride: [2]int{1, 1}, Top: 3, Left: 2, Bottom: 4, Right: 0}, false}, true},
		// Many channels: the transform of the picture.
		{same(7, 7, 64, 64, 5, 1, true), true},
		{same(7, 7, 64, 64, 5, 1, false), true},
		{same(14, 14, 64, 64, 5, 2, true), true},    // four parts, pads 1 and 2
		{same(15, 15, 128, 128, 6, 3, false), true}, // nine parts
		{same(14, 14, 64, 64, 5, 1, false), true},
		{same(6, 9, 64, 64, 5, 1, true), true},
		{same(7, 7, 64, 64, 3, 1, true), true},
		{same(7, 7, 16, 16, 5, 1, true), true},
		{same(8, 8, 64, 64, 4, 2, true), true},
		{same(14, 14, 32, 32, 5, 1, true), true},
		{same(28, 28, 32, 32, 3, 1, true), true},
		// Few channels of the small picture: what a place gives is scattered.
		{same(9, 9, 40, 1, 7, 1, true), true},
		{same(7, 8, 40, 3, 5, 1, false), true},
		{rectangle(6, 9, 40, 2, [2]int{2, 5}, [2]int{1, 1}, true), true},
		{convCase{8, 7, 40, 3, op.Geometry{Kernel: [2]int{3, 4}, Stride: [2]int{1, 1}, Top: 1, Left: 0, Bottom: 2, Right: 3}, true}, true},
		{rectangle(8, 4, 64, 64, [2]int{6, 5}, [2]int{1, 1}, true), true},
		{convCase{9, 9, 64, 64, op.Geometry{Kernel: [2]int{5, 5}, Stride: [2]int{1, 1}}, true}, true}, // no pads
		// Neither: too few channels for a transform, too many to gather; sizes
		// that the stride doesn't divide; strides that differ.
		{same(20, 20, 16, 16, 3, 1, true), false},
		{same(15, 15, 64, 64, 5, 2, true), false},
		{rectangle(14, 14, 64, 64, [2]int{5, 5}, [2]int{2, 1}, true), false},
	} {
		t.Run(fmt.Sprintf("%+v", c.convCase), func(t *testing.T) {
			const batch = 3
			before := c.model(t, batch)
			after := clone(before)
			pass.BatchLast(after)
			left := convolutions(after)
			switch {
			case c.fast && left > 0:
				t.Errorf("%d convolutions are left", left)
			case !c.fast && string(marshal(t, after)) != string(marshal(t, before)):
				t.Error("rewritten, where no form is faster")
			}
			if c.fast {
				equal(t, before, after, batch)
			}
		})
	}
}

// TestConvolutions of any geometry.
func TestConvolutions(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	rewritten := 0
	for i := range 60 {
		c := convCase{
			height: 1 + r.IntN(9), width: 1 + r.IntN(9),
			large: []int{1, 3, 16, 64}[r.IntN(4)], small: []int{1, 3, 16, 64}[r.IntN(4)], bias: i%2 == 0,
		}
		g := &c.geometry
		g.Kernel, g.Stride = [2]int{1 + r.IntN(6), 1 + r.IntN(6)}, [2]int{1 + r.IntN(3), 1 + r.IntN(3)}
		if i%3 > 0 {
			g.Kernel[1], g.Stride[1] = g.Kernel[0], g.Stride[0]
			*g = op.Same(c.height, c.width, g.Kernel, g.Stride)
		} else {
			// Pads that leave at least one place, each less than the kernel.
			g.Top, g.Left = r.IntN(g.Kernel[0]), r.IntN(g.Kernel[1])
			g.Bottom, g.Right = max(g.Kernel[0]-c.height-g.Top, r.IntN(g.Kernel[0])), max(g.Kernel[1]-c.width-g.Left, r.IntN(g.Kernel[1]))
		}
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			batch := 1 + i%4
			before := c.model(t, batch)
			after := clone(before)
			pass.BatchLast(after)
			if convolutions(after) < convolutions(before) {
				rewritten++
				equal(t, before, after, batch)
			}
		})
	}
	if rewritten < 30 {
		t.Errorf("only %d of 60 were rewritten", rewritten)
	}
}

// BenchmarkConvolution is a convolution in its three directions, as it is
// exported and in its fast form, which has to turn its inputs and outputs here.
func BenchmarkConvolution(b *testing.B) {
	for _, c := range []convCase{
		same(7, 7, 16, 16, 5, 1, false), same(7, 7, 32, 32, 3, 1, false), same(14, 14, 32, 32, 5, 1, false),
		same(14, 14, 64, 64, 3, 1, false), same(16, 16, 64, 128, 5, 2, false), same(8, 8, 64, 64, 4, 2, false),
		same(28, 28, 32, 32, 3, 1, false), same(28, 28, 32, 64, 5, 2, false), same(8, 8, 128, 256, 5, 2, false),
	} {
		for _, form := range []string{"plain", "fast"} {
			b.Run(fmt.Sprintf("%dx%d,%d-%d,k%d,s%d/%s", c.height, c.width, c.large, c.small, c.geometry.Kernel[0], c.geometry.Stride[0], form), func(b *testing.B) {
				m := c.model(b, 128)
				if form == "fast" {
					pass.BatchLast(m)
				}
				s, err := runtime.Load(b.Context(), marshal(b, m), runtime.Options{Waiting: runtime.SpinDuringRun})
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				l, err := s.NewLoop(nil, nil)
				if err != nil {
					b.Fatal(err)
				}
				defer l.Close()
				for b.Loop() {
					if err := l.Run(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
