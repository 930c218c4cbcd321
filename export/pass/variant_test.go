package pass_test

import (
	"bytes"
	"image"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/export/pass"
	"github.com/gantrain/gantrain/runtime/picture"
	"github.com/gantrain/gantrain/train/op"
)

// network builds small networks with random weights.
type network struct {
	t *testing.T
	g *gorgonia.ExprGraph
	r *rand.Rand
}

func newNetwork(t *testing.T) *network {
	return &network{t, gorgonia.NewGraph(), rand.New(rand.NewPCG(1, 2))}
}

func (n *network) do(x *gorgonia.Node, err error) *gorgonia.Node {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
	return x
}

// weight has values from lowest to lowest + 1.
func (n *network) weight(name string, lowest float64, shape ...int) *gorgonia.Node {
	v := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(shape...))
	for i, data := 0, v.Data().([]float32); i < len(data); i++ {
		data[i] = float32(lowest + n.r.Float64())
	}
	return gorgonia.NewTensor(n.g, tensor.Float32, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name), gorgonia.WithValue(v))
}

func (n *network) input(shape ...int) *gorgonia.Node {
	return gorgonia.NewTensor(n.g, tensor.Float32, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName("x"))
}

func (n *network) norm(name string, x *gorgonia.Node) *gorgonia.Node {
	c := x.Shape()[1]
	return n.do(op.BatchNorm(x, n.weight(name+"/gamma", -0.5, c), n.weight(name+"/beta", -0.5, c),
		n.weight(name+"/mean", -0.5, c), n.weight(name+"/variance", 0.1, c), 1e-3, false))
}

func (n *network) dense(name string, x *gorgonia.Node, to int) *gorgonia.Node {
	return n.do(op.Dense(x, n.weight(name+"/weight", -0.5, x.Shape()[1], to), n.weight(name+"/bias", -0.5, to)))
}

func (n *network) model(x, y *gorgonia.Node, name string) *onnxpb.ModelProto {
	m, err := export.Graph(export.Model{
		Name: "test", Inputs: []export.Port{{Name: "x", Node: x}}, Outputs: []export.Port{{Name: name, Node: y}}, BatchAxis: "batch",
		Metadata: map[string]string{"gan.value.min": "-1", "gan.value.max": "1"},
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return m
}

func drawn(shape ...int) map[string]*tensor.Dense {
	r := rand.New(rand.NewPCG(1, 3))
	v := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(shape...))
	for i, data := 0, v.Data().([]float32); i < len(data); i++ {
		data[i] = float32(r.NormFloat64())
	}
	return map[string]*tensor.Dense{"x": v}
}

// apart is the largest difference of two arrays, relative to the larger of 1 and
// the largest of the second.
func apart(t *testing.T, a, b *tensor.Dense) float64 {
	t.Helper()
	if !slices.Equal(a.Shape(), b.Shape()) {
		t.Fatalf("shapes %v and %v", a.Shape(), b.Shape())
	}
	x, y := a.Data().([]float32), b.Data().([]float32)
	worst, largest := 0.0, 1.0
	for i := range x {
		worst = math.Max(worst, math.Abs(float64(x[i])-float64(y[i])))
		largest = math.Max(largest, math.Abs(float64(y[i])))
	}
	return worst / largest
}

func TestFoldBatchNorm(t *testing.T) {
	for _, c := range []struct {
		name          string
		shape         []int
		build         func(n *network, x *gorgonia.Node) *gorgonia.Node
		folded, apart int
	}{
		{"dense", []int{3, 4}, func(n *network, x *gorgonia.Node) *gorgonia.Node {
			return n.do(op.Tanh(n.norm("norm", n.dense("dense", x, 5))))
		}, 1, 0},
		{"dense without bias, as the output", []int{3, 4}, func(n *network, x *gorgonia.Node) *gorgonia.Node {
			return n.norm("norm", n.do(op.Dense(x, n.weight("w", -0.5, 4, 5), nil)))
		}, 1, 0},
		{"dense and reshape", []int{3, 4}, func(n *network, x *gorgonia.Node) *gorgonia.Node {
			return n.norm("norm", n.do(op.Reshape(n.dense("dense", x, 12), 2, 3, 2)))
		}, 1, 0},
		{"convolution", []int{3, 2, 5, 4}, func(n *network, x *gorgonia.Node) *gorgonia.Node {
			y := n.do(op.Conv2D(x, n.weight("w", -0.5, 3, 2, 3, 3), n.weight("b", -0.5, 3), op.Same(5, 4, [2]int{3, 3}, [2]int{1, 1})))
			return n.do(op.ReLU(n.norm("norm", y)))
		}, 1, 0},
		{"transposed convolution and slice", []int{3, 2, 3, 3}, func(n *network, x *gorgonia.Node) *gorgonia.Node {
			y := n.do(op.ConvTranspose2D(x, n.weight("w", -0.5, 2, 3, 5, 5), nil, op.Same(6, 6, [2]int{5, 5}, [2]int{2, 2}), 6, 6))
			return n.norm("norm", y)
		}, 1, 0},
		{"before a dense", []int{3, 4}, func(n *network, x *gorgonia.Node) *gorgonia.Node {
			return n.dense("after", n.norm("norm", n.do(op.LeakyReLU(n.dense("dense", x, 5), 0.2))), 3)
		}, 1, 0},
		{"two in a row", []int{3, 4}, func(n *network, x *gorgonia.Node) *gorgonia.Node {
			return n.norm("second", n.norm("first", n.dense("dense", x, 5)))
		}, 2, 0},
		{"the input's", []int{3, 2, 3, 3}, func(n *network, x *gorgonia.Node) *gorgonia.Node {
			return n.do(op.ReLU(n.norm("norm", x)))
		}, 0, 1},
		{"before a convolution, whose margin is not normalised", []int{3, 2, 5, 4}, func(n *network, x *gorgonia.Node) *gorgonia.Node {
			y := n.norm("norm", n.do(op.ReLU(x)))
			return n.do(op.Conv2D(y, n.weight("w", -0.5, 3, 2, 3, 3), nil, op.Same(5, 4, [2]int{3, 3}, [2]int{1, 1})))
		}, 0, 1},
		{"weights of two layers", []int{3, 4}, func(n *network, x *gorgonia.Node) *gorgonia.Node {
			w := n.weight("w", -0.5, 4, 4)
			y := n.norm("norm", n.do(op.Dense(x, w, nil)))
			return n.do(op.Dense(n.do(op.Tanh(y)), w, nil))
		}, 0, 1},
		{"a layer with two readers", []int{3, 4}, func(n *network, x *gorgonia.Node) *gorgonia.Node {
			y := n.dense("dense", x, 4)
			return n.do(op.Concat(1, n.do(op.Tanh(n.norm("norm", y))), y))
		}, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNetwork(t)
			x := n.input(c.shape...)
			plain := n.model(x, c.build(n, x), "y")
			in := drawn(append([]int{4}, c.shape[1:]...)...)
			want := run(t, plain, in)["y"]
			kept := marshal(t, plain)
			m := clone(plain)
			folded, left := pass.FoldBatchNorm(m)
			if folded != c.folded || left != c.apart {
				t.Errorf("%d folded, %d apart, want %d and %d: %v", folded, left, c.folded, c.apart, text(m))
			}
			if slices.ContainsFunc(m.Graph.Node, func(n *onnxpb.NodeProto) bool { return n.OpType == "BatchNormalization" }) {
				t.Errorf("a normalisation is left: %v", text(m))
			}
			if d := apart(t, run(t, m, in)["y"], want); d > 2e-6 { // float32 in another order
				t.Errorf("departs by %g", d)
			}
			if !bytes.Equal(kept, marshal(t, plain)) {
				t.Error("the original has changed")
			}
		})
	}
}

// TestFloat16 holds a network against half precision's own bound, and against
// what halfOf does to every weight.
func TestFloat16(t *testing.T) {
	n := newNetwork(t)
	x := n.input(3, 4)
	plain := n.model(x, n.do(op.Tanh(n.norm("norm", n.dense("dense", x, 50)))), "y")
	m := clone(plain)
	if err := pass.Float16(m); err != nil {
		t.Fatal(err)
	}
	in := drawn(5, 4)
	most, _ := pass.Variant{Float16: true}.Allowed(plain, m)
	d := apart(t, run(t, m, in)["y"], run(t, plain, in)["y"])
	if d > most || d == 0 {
		t.Errorf("departs by %g, want something below %g", d, most)
	}
	if big, small := len(marshal(t, plain)), len(marshal(t, m)); small > big*3/4 {
		t.Errorf("%d bytes of %d", small, big)
	}
	large := clone(plain)
	large.Graph.Initializer[0].RawData = append([]byte{0, 0, 0x80, 0x47}, large.Graph.Initializer[0].RawData[4:]...) // 65536
	if err := pass.Float16(large); err == nil || !strings.Contains(err.Error(), "holds 65536, want 65504 at most") {
		t.Errorf("error %v", err)
	}
}

// TestHalf: every number of half precision is itself, what lies between two
// becomes the nearer, and what is as near the even one.
func TestHalf(t *testing.T) {
	value := func(h uint16) float64 {
		exponent, mantissa := int(h>>10&31), float64(h&1023)
		v := math.Ldexp(1+mantissa/1024, exponent-15)
		if exponent == 0 {
			v = math.Ldexp(mantissa/1024, -14)
		}
		if h>>15 == 1 {
			return -v
		}
		return v
	}
	for h := range uint16(0x7c00) {
		for sign := range uint16(2) {
			h := h | sign<<15
			if got := pass.HalfOf(float32(value(h))); got != h {
				t.Fatalf("%g: %04x, want %04x", value(h), got, h)
			}
			if h&0x7fff == 0x7bff {
				continue
			}
			a, b := value(h), value(h+1)
			middle, even := float32((a+b)/2), h+h&1
			if got := pass.HalfOf(middle); got != even {
				t.Fatalf("%g, between %04x and %04x: %04x, want %04x", middle, h, h+1, got, even)
			}
			if got := pass.HalfOf(math.Nextafter32(middle, float32(a))); got != h {
				t.Fatalf("below %g: %04x, want %04x", middle, got, h)
			}
		}
	}
	for x, want := range map[float32]uint16{65520: 0x7c00, float32(math.Inf(-1)): 0xfc00, 1e-9: 0, -1e-9: 0x8000} {
		if got := pass.HalfOf(x); got != want {
			t.Errorf("%g: %04x, want %04x", x, got, want)
		}
	}
	if got := pass.HalfOf(float32(math.NaN())); got&0x7c00 != 0x7c00 || got&0x3ff == 0 {
		t.Errorf("not a number: %04x", got)
	}
}

func TestInt8(t *testing.T) {
	for _, c := range []struct {
		name  string
		shape []int
		build func(n *network, x *gorgonia.Node) *gorgonia.Node
	}{
		{"dense", []int{3, 20}, func(n *network, x *gorgonia.Node) *gorgonia.Node { return n.dense("layer", x, 30) }},
		{"convolution", []int{3, 8, 5, 4}, func(n *network, x *gorgonia.Node) *gorgonia.Node {
			return n.do(op.Conv2D(x, n.weight("layer/weight", -0.5, 9, 8, 3, 3), nil, op.Same(5, 4, [2]int{3, 3}, [2]int{1, 1})))
		}},
		{"transposed convolution", []int{3, 8, 3, 3}, func(n *network, x *gorgonia.Node) *gorgonia.Node {
			return n.do(op.ConvTranspose2D(x, n.weight("layer/weight", -0.5, 8, 9, 5, 5), nil, op.Same(6, 6, [2]int{5, 5}, [2]int{2, 2}), 6, 6))
		}},
	} {
		n := newNetwork(t)
		x := n.input(c.shape...)
		plain := n.model(x, c.build(n, x), "y")
		m := clone(plain)
		if err := pass.Int8(m); err != nil {
			t.Fatal(err)
		}
		in := drawn(c.shape...)
		_, mean := pass.Variant{Int8: true}.Allowed(plain, m)
		// The largest of some hundred departures, of which mean is the allowed average.
		if d := apart(t, run(t, m, in)["y"], run(t, plain, in)["y"]); d > 4*mean || d == 0 {
			t.Errorf("%s: departs by %g, where %g is the mean allowed", c.name, d, mean)
		}
		// A weight alone: by half a step of its channel at most.
		weight := clone(m)
		weight.Graph.Node = weight.Graph.Node[:1]
		weight.Graph.Output = []*onnxpb.ValueInfoProto{vector(weight.Graph.Node[0].Output[0])}
		weight.Graph.Output[0].Type.GetTensorType().Shape = nil
		weight.Graph.ValueInfo = nil
		got := run(t, weight, in)[weight.Graph.Node[0].Output[0]].Data().([]float32)
		for i, w := range weightsOf(t, plain, "layer/weight") {
			if math.Abs(float64(got[i]-w)) > 0.5/127/2*1.001 { // the largest is 0.5 at most
				t.Fatalf("%s: weight %d is %g, was %g", c.name, i, got[i], w)
			}
		}
	}
	n := newNetwork(t)
	x := n.input(3, 4)
	if err := pass.Int8(n.model(x, n.dense("small", x, 5), "y")); err == nil {
		t.Error("no error where no weight is worth it")
	}
}

func weightsOf(t *testing.T, m *onnxpb.ModelProto, name string) []float32 {
	t.Helper()
	i := slices.IndexFunc(m.Graph.Initializer, func(t *onnxpb.TensorProto) bool { return t.Name == name })
	raw := m.Graph.Initializer[i].RawData
	out := make([]float32, len(raw)/4)
	for j := range out {
		out[j] = math.Float32frombits(uint32(raw[4*j]) | uint32(raw[4*j+1])<<8 | uint32(raw[4*j+2])<<16 | uint32(raw[4*j+3])<<24)
	}
	return out
}

// TestSubpixel holds transposed convolutions of many shapes against themselves.
func TestSubpixel(t *testing.T) {
	replaced := 0
	for kernel := 1; kernel <= 6; kernel++ {
		for stride := 1; stride <= 4; stride++ {
			for _, size := range []int{3, 4} {
				n := newNetwork(t)
				x := n.input(2, 3, size, 2)
				h, w := stride*size, 2*2
				g := op.Same(h, w, [2]int{kernel, 3}, [2]int{stride, 2})
				if g.Top < 0 || g.Bottom < 0 {
					continue
				}
				y, err := op.ConvTranspose2D(x, n.weight("w", -0.5, 3, 2, kernel, 3), n.weight("b", -0.5, 2), g, h, w)
				if err != nil {
					continue // a kernel that doesn't reach every row
				}
				plain := n.model(x, n.do(op.Tanh(y)), "y")
				m := clone(plain)
				if pass.Subpixel(m) != 1 || slices.ContainsFunc(m.Graph.Node, func(n *onnxpb.NodeProto) bool { return n.OpType == "ConvTranspose" }) {
					t.Fatalf("kernel %d, stride %d: %v", kernel, stride, text(m))
				}
				in := drawn(3, 3, size, 2)
				if d := apart(t, run(t, m, in)["y"], run(t, plain, in)["y"]); d > 2e-6 {
					t.Errorf("kernel %d, stride %d, size %d departs by %g: %v", kernel, stride, size, d, text(m))
				}
				replaced++
			}
		}
	}
	// A bias that a caller gives can't be repeated beforehand.
	n := newNetwork(t)
	x := n.input(2, 3, 3, 3)
	y := n.do(op.ConvTranspose2D(x, n.weight("w", -0.5, 3, 2, 5, 5), n.weight("b", -0.5, 2), op.Same(6, 6, [2]int{5, 5}, [2]int{2, 2}), 6, 6))
	m := n.model(x, y, "y")
	m.Graph.Initializer = slices.DeleteFunc(m.Graph.Initializer, func(t *onnxpb.TensorProto) bool { return t.Name == "b" })
	m.Graph.Input = append(m.Graph.Input, vector("b", 2))
	if pass.Subpixel(m) != 0 {
		t.Errorf("a computed bias is lost: %v", text(m))
	}
	if replaced < 30 {
		t.Errorf("%d tried, want 30", replaced)
	}
}

// TestCandle: no layer is left that candle-onnx can't run.
func TestCandle(t *testing.T) {
	n := newNetwork(t)
	x := n.input(3, 4)
	y := n.do(op.Reshape(n.do(op.Dense(x, n.weight("w", -0.5, 4, 18), nil)), 2, 3, 3))
	y = n.do(op.ConvTranspose2D(y, n.weight("k", -0.5, 2, 1, 5, 5), nil, op.Same(6, 6, [2]int{5, 5}, [2]int{2, 2}), 6, 6))
	plain := n.model(x, y, "y")
	m := clone(plain)
	pass.Candle(m)
	for _, node := range m.Graph.Node {
		if node.OpType == "ConvTranspose" || node.OpType == "Gemm" && len(node.Input) != 3 {
			t.Errorf("%s with %d inputs is left", node.OpType, len(node.Input))
		}
	}
	in := drawn(3, 4)
	if d := apart(t, run(t, m, in)["y"], run(t, plain, in)["y"]); d > 2e-6 {
		t.Errorf("departs by %g", d)
	}
}

// TestUint8Image holds the bytes against those that the pictures on disk have.
func TestUint8Image(t *testing.T) {
	n := newNetwork(t)
	x := n.input(3, 3, 5, 4)
	plain := n.model(x, n.do(op.LeakyReLU(x, 0.9)), "image") // past the range, too
	in := drawn(7, 3, 5, 4)
	want := run(t, plain, in)["image"].Data().([]float32)
	for _, nhwc := range []bool{false, true} {
		m := clone(plain)
		if err := pass.Uint8Image(m, nhwc); err != nil {
			t.Fatal(err)
		}
		got := run(t, m, in)["image"].Data().([]uint8)
		for i := range 7 {
			img, err := picture.From(want[i*60:][:60], 3, 5, 4, -1, 1)
			if err != nil {
				t.Fatal(err)
			}
			pix := img.(*image.NRGBA).Pix
			for p := range 20 {
				for c := range 3 {
					at := i*60 + c*20 + p
					if nhwc {
						at = i*60 + p*3 + c
					}
					if got[at] != pix[4*p+c] {
						t.Fatalf("nhwc %v: picture %d, pixel %d, channel %d: %d, want %d", nhwc, i, p, c, got[at], pix[4*p+c])
					}
				}
			}
		}
		if m.MetadataProps[0].Value != "255" || m.MetadataProps[1].Value != "0" {
			t.Errorf("metadata %v", m.MetadataProps)
		}
	}
	for want, change := range map[string]func(m *onnxpb.ModelProto){
		"the model's metadata has no gan.value.min":    func(m *onnxpb.ModelProto) { m.MetadataProps = nil },
		`the model has no output "image" of four axes`: func(m *onnxpb.ModelProto) { m.Graph.Output[0].Name = "picture" },
	} {
		m := clone(plain)
		change(m)
		if err := pass.Uint8Image(m, false); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("error %v, want one that ends in %q", err, want)
		}
	}
}

func TestOpset(t *testing.T) {
	n := newNetwork(t)
	x := n.input(3, 30)
	plain := n.model(x, n.do(op.Tanh(n.norm("norm", n.dense("dense", x, 30)))), "y")
	in := drawn(3, 30)
	want := run(t, plain, in)["y"]
	for version := 11; version <= 22; version++ {
		m := clone(plain)
		if err := (pass.Variant{Opset: version, Batch: 3}).Apply(m); err != nil {
			t.Fatal(err)
		}
		if d := apart(t, run(t, m, in)["y"], want); d != 0 {
			t.Errorf("opset %d departs by %g", version, d)
		}
		if s := typeOf(m.Graph.Input[0]); s != "[3 30]" {
			t.Errorf("the input is %s, want [3 30]", s)
		}
	}
	for v, want := range map[pass.Variant]string{
		{Opset: 10}:                 "opset 10: want 11 to 22",
		{Opset: 23}:                 "opset 23: want 11 to 22",
		{Batch: 1 << 17}:            "batch 131072: want 1 to 65536",
		{Int8: true, Opset: 12}:     "opset 12: this model can have 13 to 22, for its DequantizeLinear",
		{Int8: true, Float16: true}: "float16 and int8 are two ways to store weights: want one of them",
		{NHWC: true}:                "channels last are for a picture of bytes: want uint8 images as well",
	} {
		if err := v.Apply(clone(plain)); err == nil || err.Error() != want {
			t.Errorf("%v: error %v, want %s", v, err, want)
		}
	}
}

func TestFixBatch(t *testing.T) {
	axes := func(params ...string) *onnxpb.ModelProto {
		v := vector("x")
		v.Type.GetTensorType().Shape.Dim = nil
		for _, p := range params {
			v.Type.GetTensorType().Shape.Dim = append(v.Type.GetTensorType().Shape.Dim,
				&onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: p}})
		}
		return &onnxpb.ModelProto{Graph: &onnxpb.GraphProto{Input: []*onnxpb.ValueInfoProto{v}}}
	}
	m := axes("n", "n*4")
	if err := pass.FixBatch(m, 3); err != nil || typeOf(m.Graph.Input[0]) != "[3 12]" {
		t.Errorf("axes %s, error %v, want [3 12]", typeOf(m.Graph.Input[0]), err)
	}
	for want, m := range map[string]*onnxpb.ModelProto{
		`batch 3: axes "n" and "m" are open, want one`:             axes("n", "m"),
		`batch 3: an axis "n*x", want a whole number behind the *`: axes("n*x"),
	} {
		if err := pass.FixBatch(m, 3); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func typeOf(v *onnxpb.ValueInfoProto) string {
	var sizes []string
	for _, d := range v.Type.GetTensorType().Shape.Dim {
		if d.GetDimParam() != "" {
			sizes = append(sizes, d.GetDimParam())
			continue
		}
		sizes = append(sizes, strconv.FormatInt(d.GetDimValue(), 10))
	}
	return "[" + strings.Join(sizes, " ") + "]"
}
