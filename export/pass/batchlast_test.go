package pass_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/export/pass"
	"github.com/gantrain/gantrain/train"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/engine"
)

// dcgan is a GAN whose convolutions take every fast form: gathered pixels, a
// transform, one of four parts, all of them forward and backward.
func dcgan(changes ...func(*arch.GAN)) arch.GAN {
	norm, leaky := arch.BatchNorm{Momentum: 0.9, Epsilon: 1e-3}, arch.LeakyReLU{Slope: 0.2}
	gan := small([]arch.Update{
		{Trains: arch.Discriminator, RealLabel: 1},
		{Trains: arch.Generator, FakeLabel: 1, Noise: 1},
	}, false)
	gan.Name, gan.Image = "dcgan", arch.Shape{1, 14, 14}
	gan.Generator.Layers = arch.Layers{
		arch.Dense{Units: 64 * 49, NoBias: true, Init: arch.Glorot}, norm, leaky, arch.Reshape{Shape: arch.Shape{64, 7, 7}},
		arch.ConvTranspose2D{Filters: 64, Kernel: 5, Stride: 1, NoBias: true, Init: arch.Glorot}, norm, leaky, arch.Dropout{Rate: 0.2},
		arch.ConvTranspose2D{Filters: 64, Kernel: 5, Stride: 2, NoBias: true, Init: arch.Glorot}, norm, leaky,
		arch.ConvTranspose2D{Filters: 1, Kernel: 5, Stride: 1, Init: arch.Glorot}, arch.Tanh{},
	}
	gan.Discriminator = arch.Network{Input: gan.Image, Layers: arch.Layers{
		arch.Conv2D{Filters: 64, Kernel: 5, Stride: 1, Init: arch.Glorot}, leaky, arch.Dropout{Rate: 0.3},
		arch.Conv2D{Filters: 64, Kernel: 5, Stride: 2, NoBias: true, Init: arch.Glorot}, norm, leaky, arch.Dropout{Rate: 0.3},
		arch.Flatten{}, arch.Dense{Units: 8, Init: arch.Glorot}, leaky, arch.Dense{Units: 1, Init: arch.Glorot},
	}}
	for _, change := range changes {
		change(&gan)
	}
	return gan
}

func mustPlan(t testing.TB, gan arch.GAN, real int) *train.Plan {
	t.Helper()
	plan, err := train.NewPlan(gan, real, tensor.Float32)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// step is a GAN's step, and numbers for all of its inputs.
func step(t testing.TB, gan arch.GAN, real int) (*onnxpb.ModelProto, map[string]*tensor.Dense) {
	t.Helper()
	plan := mustPlan(t, gan, real)
	state := midway(t, gan)
	m, err := engine.Model(plan.Step, state)
	if err != nil {
		t.Fatal(err)
	}
	_, in := feeds(plan)
	maps.Copy(in, state)
	return m, only(m, in)
}

// masks lists the inputs that hold whole numbers.
func masks(m *onnxpb.ModelProto) (list []string) {
	for _, v := range m.Graph.Input {
		if v.Type.GetTensorType().ElemType == int32(onnxpb.TensorProto_UINT8) {
			list = append(list, v.Name)
		}
	}
	return list
}

// turned lays masks out in the order that BatchLast gives.
func turned(in map[string]*tensor.Dense, rows map[string][]int) map[string]*tensor.Dense {
	out := maps.Clone(in)
	for name, order := range rows {
		from := in[name].Data().([]uint8)
		batch := len(from) / len(order)
		to := make([]uint8, len(from))
		for i, feature := range order {
			for b := range batch {
				to[i*batch+b] = from[b*len(order)+feature]
			}
		}
		out[name] = tensor.New(tensor.WithShape(len(order), batch), tensor.WithBacking(to))
	}
	return out
}

// agree compares what two forms of a step give, each array by the largest of its
// kind in its layer: a bias's gradient is a sum that may come to nothing.
func agree(t *testing.T, got, want map[string]*tensor.Dense) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d outputs, were %d", len(got), len(want))
	}
	largest := map[string]float64{}
	kind := strings.NewReplacer("weight", "", "bias", "", "gamma", "", "beta", "").Replace
	for name, v := range want {
		for _, x := range floats(v) {
			largest[kind(name)] = max(largest[kind(name)], math.Abs(float64(x)))
		}
	}
	for name, v := range want {
		if !got[name].Shape().Eq(v.Shape()) {
			t.Errorf("%s has shape %v, was %v", name, got[name].Shape(), v.Shape())
			continue
		}
		worst, x := 0.0, floats(got[name])
		for i, y := range floats(v) {
			worst = max(worst, math.Abs(float64(x[i])-float64(y))) // NaN stays
		}
		if !(worst <= 1e-5*largest[kind(name)]) { // float32, as in TestStep
			t.Errorf("%s differs by %.1e of its layer's largest", name, worst/largest[kind(name)])
		}
	}
}

// joinedBatch lets the discriminator see real and generated pictures as one.
func joinedBatch(gan *arch.GAN) {
	gan.Recipe.Updates[0].Joined, gan.Recipe.Updates[0].RealLabel = true, 0.9
}

func simultaneous(gan *arch.GAN) {
	gan.Recipe.Simultaneous, gan.Recipe.Updates[1].Noise = true, 0
}

// conditional shows both networks a label.
func conditional(gan *arch.GAN) {
	gan.Classes = classes
	plane := func(side int) arch.Layer {
		return arch.Condition{Layers: arch.Layers{
			arch.Embedding{Classes: classes, Size: 4, Init: arch.Uniform(0.5)},
			arch.Dense{Units: side * side, Init: arch.Glorot}, arch.Reshape{Shape: arch.Shape{1, side, side}},
		}}
	}
	gan.Generator.Layers = slices.Insert(gan.Generator.Layers, 4, plane(7))
	gan.Discriminator.Layers = slices.Insert(gan.Discriminator.Layers, 0, plane(14))
}

func batchOf(n int) func(*arch.GAN) { return func(gan *arch.GAN) { gan.Recipe.Batch = n } }

// TestBatchLast: a whole step gives what it gave, with masks as they were and
// turned, and a second run changes nothing.
func TestBatchLast(t *testing.T) {
	for _, c := range []struct {
		name string
		gan  arch.GAN
		real int
	}{
		{"alternating", dcgan(), 4},
		{"simultaneous", dcgan(simultaneous), 4},
		{"joined batch", dcgan(joinedBatch), 4},
		{"last batch of an epoch", dcgan(joinedBatch), 3},
		{"odd batch", dcgan(batchOf(5)), 5},
		{"conditional", dcgan(conditional, batchOf(5)), 5},
		{"conditional, joined batch", dcgan(conditional, joinedBatch), 3},
		{"batch of one", dcgan(batchOf(1)), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, in := step(t, c.gan, c.real)
			want := run(t, before, in)

			plain := clone(before)
			if rows := pass.BatchLast(plain); len(rows) > 0 {
				t.Errorf("rows of %v, which nobody wants turned", slices.Sorted(maps.Keys(rows)))
			}
			if left := convolutions(plain); left > 0 {
				t.Errorf("%d convolutions are left", left)
			}
			agree(t, run(t, plain, in), want)

			after := clone(before)
			rows := pass.BatchLast(after, masks(before)...)
			if len(rows) != len(masks(before)) {
				t.Errorf("%d of %d masks are turned", len(rows), len(masks(before)))
			}
			agree(t, run(t, after, turned(in, rows)), want)

			once := marshal(t, after)
			if again := pass.BatchLast(after, masks(before)...); again != nil || string(marshal(t, after)) != string(once) {
				t.Error("a second run changes what the first made")
			}
		})
	}
}

// TestBatchLastKeepsSlowConvolutions between fast ones.
func TestBatchLastKeepsSlowConvolutions(t *testing.T) {
	odd := func(g *arch.GAN) { // a stride that doesn't divide 7 pixels
		l := g.Discriminator.Layers
		g.Discriminator.Layers = slices.Concat(l[:7], arch.Layers{arch.Conv2D{Filters: 8, Kernel: 4, Stride: 3, Init: arch.Glorot}}, l[7:])
	}
	before, in := step(t, dcgan(odd), 4)
	after := clone(before)
	pass.BatchLast(after)
	if all, left := convolutions(before), convolutions(after); left == 0 || left == all {
		t.Errorf("%d of %d convolutions are left: this tests nothing", left, all)
	}
	agree(t, run(t, after, in), run(t, before, in))
}

// TestBatchLastOfConditional: every convolution of the published conditional GAN
// is fast, and a label is followed.
func TestBatchLastOfConditional(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: large networks")
	}
	before, in := step(t, published(t, "michelucci-cgan"), 4)
	after := clone(before)
	pass.BatchLast(after)
	if left := convolutions(after); left > 0 {
		t.Errorf("%d convolutions are left", left)
	}
	agree(t, run(t, after, in), run(t, before, in))
}

// TestBatchLastBuiltTwice: the same step gives the same bytes.
func TestBatchLastBuiltTwice(t *testing.T) {
	var models [2]*onnxpb.ModelProto
	var rows [2]map[string][]int
	for i := range models {
		models[i], _ = step(t, dcgan(), 4)
		rows[i] = pass.BatchLast(models[i], masks(models[i])...)
	}
	if string(marshal(t, models[0])) != string(marshal(t, models[1])) || fmt.Sprint(rows[0]) != fmt.Sprint(rows[1]) {
		t.Error("built twice, the step has other bytes")
	}
}

// TestBatchLastOfGenerator: with a batch that has no size, one model runs at all.
func TestBatchLastOfGenerator(t *testing.T) {
	batchLastOfGenerator(t, dcgan())
	batchLastOfGenerator(t, dcgan(conditional))
}

func batchLastOfGenerator(t *testing.T, gan arch.GAN) {
	t.Helper()
	state, err := train.NewState(gan, 1)
	if err != nil {
		t.Fatal(err)
	}
	model := &train.Model{GAN: gan, State: state, Seed: 1, Dataset: "noise"}
	data, err := model.ONNX(arch.Generator)
	if err != nil {
		t.Fatal(err)
	}
	before := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(data, before); err != nil {
		t.Fatal(err)
	}
	after := clone(before)
	pass.BatchLast(after)
	if left := convolutions(after); left > 0 {
		t.Errorf("%d convolutions are left", left)
	}
	for _, batch := range []int{1, 5, 64} {
		equal(t, before, after, batch)
	}
}

// TestBatchLastAround: operators that the pass doesn't know, or only in other
// forms, get what they got.
func TestBatchLastAround(t *testing.T) {
	same := export.Ints("pads", 1, 1, 1, 1)
	swap := export.Ints("perm", 0, 2, 3, 1)
	conv := with("h = Conv(x, w)", same)
	const in, lists = "x[N,3,4,4] w[4,3,3,3]", "axes=1 half=0.5 all=0,-1 halves=0,2,-1 batch=0 from=1 to=3 two=1,2 ones=1,1 threes=3,3"
	for _, c := range []struct {
		name, in string
		nodes    []*onnxpb.NodeProto
	}{
		{"output", in, []*onnxpb.NodeProto{with("y = Conv(x, w)", same)}},
		{"two convolutions", in + " v[3,4,3,3]", []*onnxpb.NodeProto{conv, with("y = Conv(h, v)", same)}},
		{"value used both ways", in + " v[3,4,3,3]", []*onnxpb.NodeProto{conv, node("s = Softmax(h)"), with("k = Conv(h, v)", same), node("y = Concat(s, k)")}},
		{"transposed", in, []*onnxpb.NodeProto{conv, with("p = Transpose(h)", swap), node("y = Relu(p)")}},
		{"sum over channels", in, []*onnxpb.NodeProto{conv, node("y = ReduceSum(h, axes)")}},
		{"sum over all", in, []*onnxpb.NodeProto{conv, node("y = ReduceSum(h)")}},
		{"mean of pictures", in, []*onnxpb.NodeProto{conv, with("y = ReduceMean(h)", export.Ints("axes", 2, 3))}},
		{"mean of channels", in, []*onnxpb.NodeProto{conv, with("y = ReduceMean(h)", export.Ints("axes", 0, 2, 3))}},
		{"mean of channels, flat", in, []*onnxpb.NodeProto{conv, with("y = ReduceMean(h)", export.Ints("axes", 0, 2, 3), export.Int("keepdims", 0))}},
		{"sum over batch", in, []*onnxpb.NodeProto{conv, node("f = Flatten(h)"), node("y = ReduceSum(f, batch)")}},
		{"sum over batch of pictures", in, []*onnxpb.NodeProto{conv, node("y = ReduceSum(h, batch)")}},
		{"sum over features", in, []*onnxpb.NodeProto{conv, node("f = Flatten(h)"), node("y = ReduceSum(f, axes)")}},
		{"times a channel's number", in + " b[4,1,1]", []*onnxpb.NodeProto{conv, node("y = Mul(h, b)")}},
		{"plus columns", in + " b[4]", []*onnxpb.NodeProto{conv, node("y = Add(h, b)")}},
		{"plus columns of one picture", in + " b[1,1,1,4]", []*onnxpb.NodeProto{conv, node("y = Add(h, b)")}},
		{"plus rows", in + " b[1,4,1]", []*onnxpb.NodeProto{conv, node("y = Add(h, b)")}},
		{"plus a picture", in + " b[1,4,4,4]", []*onnxpb.NodeProto{conv, node("y = Add(h, b)")}},
		{"plus an example's number", in + " b[N,1,1,1]", []*onnxpb.NodeProto{conv, node("y = Add(h, b)")}},
		{"plus an example's channels", in + " b[N,4,1,1]", []*onnxpb.NodeProto{conv, node("y = Add(h, b)")}},
		{"plus an example's picture", in + " b[N,1,4,4]", []*onnxpb.NodeProto{conv, node("y = Add(h, b)")}},
		{"plus an example's constants", in + " b[5,4,4,4] z[N,64]", []*onnxpb.NodeProto{
			conv, node("n = Neg(b)"), node("g = Flatten(n)"), node("s = Add(z, g)"),
			node("k = Add(h, n)"), node("f = Flatten(k)"), with("y = Concat(s, f)", export.Int("axis", 1)),
		}},
		{"plus a feature's number", in + " b[64]", []*onnxpb.NodeProto{conv, node("f = Flatten(h)"), node("y = Add(f, b)")}},
		{"less its mean", in, []*onnxpb.NodeProto{conv, with("m = ReduceMean(h)", export.Int("keepdims", 0)), node("y = Sub(h, m)")}},
		{"times a scalar", in, []*onnxpb.NodeProto{conv, node("y = Mul(half, h)")}},
		{"three axes", in + " b[2,1]", []*onnxpb.NodeProto{conv, node("r = Reshape(h, halves)"), node("y = Add(r, b)")}},
		{"input of three axes", in + " b[N,4,16]", []*onnxpb.NodeProto{conv, node("r = Reshape(b, all)"), node("f = Flatten(h)"), node("y = Add(f, r)")}},
		{"three axes, added", in + " b[N,4,16] c[4,1]", []*onnxpb.NodeProto{conv, node("r = Add(b, c)"), node("s = Reshape(r, all)"), node("f = Flatten(h)"), node("y = Add(f, s)")}},
		{"normalised", in + " g[4] b[4] m[4]", []*onnxpb.NodeProto{conv, node("v = Exp(g)"), node("y = BatchNormalization(h, g, b, m, v)")}},
		{"normalised features", in + " g[64] b[64] m[64]", []*onnxpb.NodeProto{conv, node("v = Exp(g)"), node("f = Flatten(h)"), node("y = BatchNormalization(f, g, b, m, v)")}},
		{"dense", in + " u[64,5] b[5]", []*onnxpb.NodeProto{conv, node("f = Flatten(h)"), node("y = Gemm(f, u, b)")}},
		{"dense, other way", in + " u[5,64] b[5]", []*onnxpb.NodeProto{conv, node("f = Flatten(h)"), with("y = Gemm(f, u, b)", export.Int("transB", 1))}},
		{"dense, doubled", in + " u[64,5]", []*onnxpb.NodeProto{conv, node("f = Flatten(h)"), with("y = Gemm(f, u)", export.Float("alpha", 2))}},
		{"dense, a row", in + " u[64,5] b[1,5]", []*onnxpb.NodeProto{conv, node("f = Flatten(h)"), node("y = Gemm(f, u, b)")}},
		{"dense to pictures", in + " z[N,6] u[6,64] b[64]", []*onnxpb.NodeProto{conv, node("d = Gemm(z, u, b)"), node("f = Flatten(h)"), node("y = Mul(f, d)")}},
		{"of two batches", in, []*onnxpb.NodeProto{conv, node("f = Flatten(h)"), with("y = Gemm(f, f)", export.Int("transB", 1))}},
		{"gradient of dense", in + " d[N,5]", []*onnxpb.NodeProto{conv, node("f = Flatten(h)"), with("y = Gemm(f, d)", export.Int("transA", 1))}},
		{"gradient of dense, other way", in + " d[N,5]", []*onnxpb.NodeProto{conv, node("f = Flatten(h)"), with("y = Gemm(d, f)", export.Int("transA", 1))}},
		{"channels joined", in, []*onnxpb.NodeProto{conv, with("y = Concat(x, h)", export.Int("axis", 1))}},
		{"features joined", in + " b[N,5]", []*onnxpb.NodeProto{conv, node("f = Flatten(h)"), with("y = Concat(f, b)", export.Int("axis", 1))}},
		{"channels cut", in, []*onnxpb.NodeProto{conv, node("y = Slice(h, from, to, axes)")}},
		{"rows and columns cut", in, []*onnxpb.NodeProto{conv, node("y = Slice(h, ones, threes, two)")}},
		{"cut without axes", in, []*onnxpb.NodeProto{conv, node("y = Slice(h, ones, threes)")}},
		{"two outputs", in, []*onnxpb.NodeProto{conv, with("y, z = Split(h)", export.Int("axis", 1))}},
		{"grouped beside it", in + " u[4,1,3,3]", []*onnxpb.NodeProto{conv, with("y = Conv(h, u)", same, export.Int("group", 4))}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, symbolic := range []bool{true, false} {
				m := shaped(c.in, "y", lists, c.nodes...)
				if c.name == "value used both ways" {
					m.Graph.Node[3].Attribute = []*onnxpb.AttributeProto{export.Int("axis", 1)}
				}
				if !symbolic {
					m = sized(m, 5)
				}
				m.Graph.Initializer = slices.DeleteFunc(m.Graph.Initializer, func(c *onnxpb.TensorProto) bool {
					return !slices.ContainsFunc(m.Graph.Node, func(n *onnxpb.NodeProto) bool { return slices.Contains(n.Input, c.Name) })
				})
				after := clone(m)
				pass.BatchLast(after)
				if count(after, "Conv") == count(m, "Conv") {
					t.Error("not rewritten")
				}
				equal(t, m, after, 5)
			}
		})
	}
}

// sized gives the batch a size and says which axis it is.
func sized(m *onnxpb.ModelProto, batch int) *onnxpb.ModelProto {
	m = proto.Clone(m).(*onnxpb.ModelProto)
	for _, v := range m.Graph.Input {
		for i, d := range v.Type.GetTensorType().Shape.Dim {
			if d.GetDimParam() != "" {
				v.Type.GetTensorType().Shape.Dim[i] = vector("", int64(batch)).Type.GetTensorType().Shape.Dim[0]
				denoted(m, v.Name)
			}
		}
	}
	return m
}

// TestBatchLastKeepsOutputs in between: here what a Slice cuts off a transposed
// convolution.
func TestBatchLastKeepsOutputs(t *testing.T) {
	before := shaped("x[N,4,4,4] w[4,3,5,5]", "y t", "from=1,1 to=7,7 axes=2,3",
		with("t = ConvTranspose(x, w)", export.Ints("strides", 2, 2), export.Ints("pads", 1, 1, 1, 1)),
		node("y = Slice(t, from, to, axes)"))
	after := clone(before)
	pass.BatchLast(after)
	if left := convolutions(after); left > 0 {
		t.Errorf("%d convolutions are left", left)
	}
	equal(t, before, after, 3)
}

// TestBatchLastBlocks: of two convolutions that want the positions of one picture
// in blocks of different sizes, the second stays.
func TestBatchLastBlocks(t *testing.T) {
	before := shaped("x[N,128,12,12] w[128,128,5,5] v[128,128,6,6]", "y z", "",
		with("y = Conv(x, w)", export.Ints("strides", 2, 2), export.Ints("pads", 1, 1, 2, 2)),
		with("z = Conv(x, v)", export.Ints("strides", 3, 3), export.Ints("pads", 1, 1, 2, 2)))
	after := clone(before)
	pass.BatchLast(after)
	if left := convolutions(after); left != 1 {
		t.Errorf("%d convolutions are left, want 1", left)
	}
	equal(t, before, after, 3)
}

// TestBatchLastInBlocks: a convolution with stride 1 writes and reads a picture
// whose positions lie as one with stride 2 wants them.
func TestBatchLastInBlocks(t *testing.T) {
	pads := export.Ints("pads", 2, 2, 2, 2)
	before := shaped("x[N,64,14,14] u[64,64,5,5] v[64,64,5,5] w[64,64,5,5]", "y z", "",
		with("h = Conv(x, u)", pads),
		with("y = Conv(h, v)", export.Ints("strides", 2, 2), export.Ints("pads", 1, 1, 2, 2)),
		with("z = Conv(h, w)", pads))
	after := clone(before)
	pass.BatchLast(after)
	if left := convolutions(after); left > 0 {
		t.Errorf("%d convolutions are left", left)
	}
	equal(t, before, after, 3)
}

// TestPassesTogether: what the engine makes of a step, all passes and BatchLast
// behind them, and the same without any one of them.
func TestPassesTogether(t *testing.T) {
	before, in := step(t, dcgan(), 4)
	want := run(t, before, in)
	for i := range len(pass.All) + 1 {
		passes, name := slices.Clone(pass.All), "all"
		if i < len(passes) {
			name = "without " + passes[i].Name
			passes = slices.Delete(passes, i, i+1)
		}
		t.Run(name, func(t *testing.T) {
			after := clone(before)
			if err := pass.Fast(after, passes...); err != nil {
				t.Fatal(err)
			}
			rows := pass.BatchLast(after, masks(after)...)
			if left := convolutions(after); left > 0 {
				t.Errorf("%d convolutions are left", left)
			}
			agree(t, run(t, after, turned(in, rows)), want)
		})
	}
}

// TestBatchLastLeaves alone what isn't its business.
func TestBatchLastLeaves(t *testing.T) {
	same := export.Ints("pads", 1, 1, 1, 1)
	conv := with("y = Conv(x, w)", same)
	for _, c := range []struct {
		name, in string
		node     *onnxpb.NodeProto
	}{
		{"no batch", "x[5,3,4,4] w[4,3,3,3]", conv},
		{"unknown height", "x[N,3,H,4] w[4,3,3,3]", conv},
		{"unknown channels", "x[N,C,4,4] w[4,3,3,3]", conv},
		{"kernel of the batch", "x[N,3,4,4] w[N,3,3,3]", conv},
		{"groups", "x[N,4,4,4] w[4,1,3,3]", with("y = Conv(x, w)", same, export.Int("group", 4))},
		{"dilation", "x[N,3,6,6] w[4,3,3,3]", with("y = Conv(x, w)", export.Ints("dilations", 2, 2))},
		{"one row", "x[N,3,6] w[4,3,3]", node("y = Conv(x, w)")},
		{"no convolution", "x[N,3,6] w[4,3,6]", node("y = Relu(x)")},
		{"another domain", "x[N,3,4,4] w[4,3,3,3]", &onnxpb.NodeProto{OpType: "Conv", Domain: "elsewhere", Input: []string{"x", "w"}, Output: []string{"y"}}},
	} {
		m := shaped(c.in, "y", "", c.node)
		before := marshal(t, m)
		if rows := pass.BatchLast(m, "x"); rows != nil || string(marshal(t, m)) != string(before) {
			t.Errorf("%s: rewritten", c.name)
		}
	}
	double := shaped("x[N,3,4,4] w[4,3,3,3]", "y", "", conv)
	for _, v := range slices.Concat(double.Graph.Input, double.Graph.Output) {
		v.Type.GetTensorType().ElemType = int32(onnxpb.TensorProto_DOUBLE)
	}
	newer := shaped("x[N,3,4,4] w[4,3,3,3]", "y", "", conv)
	newer.OpsetImport[0].Version = 18
	for name, m := range map[string]*onnxpb.ModelProto{"float64": double, "opset 18": newer} {
		before := marshal(t, m)
		if rows := pass.BatchLast(m); rows != nil || string(marshal(t, m)) != string(before) {
			t.Errorf("%s: rewritten", name)
		}
	}
}
