package export_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/train/op"
)

// officialTest is one of ONNX's own tests of an operator.
type officialTest struct {
	Name, Operator string
	Attributes     map[string]any
	Inputs         []*officialArray
	Outputs        []*officialArray
}

type officialArray struct {
	Type  string
	Shape []int
	Data  []byte
}

func (a *officialArray) ints() []int {
	out := make([]int, len(a.Data)/8)
	for i := range out {
		out[i] = int(int64(binary.LittleEndian.Uint64(a.Data[8*i:])))
	}
	return out
}

func (a *officialArray) dense() (*tensor.Dense, error) {
	if a.Type != "float32" {
		return nil, fmt.Errorf("numbers of type %s", a.Type)
	}
	if slices.Contains(a.Shape, 0) {
		return nil, errors.New("an empty array")
	}
	data := make([]float32, len(a.Data)/4)
	if _, err := binary.Decode(a.Data, binary.LittleEndian, data); err != nil {
		return nil, err
	}
	if len(a.Shape) == 0 {
		return tensor.New(tensor.FromScalar(data[0])), nil
	}
	return tensor.New(tensor.WithShape(a.Shape...), tensor.WithBacking(data)), nil
}

// built is a test as a graph of our operators and Gorgonia's.
type built struct {
	*graph
	test   officialTest
	arrays map[string]*tensor.Dense
	err    error
}

// in is input i of the test as one of the graph.
func (b *built) in(i int) *gorgonia.Node {
	v, err := b.test.Inputs[i].dense()
	if err != nil {
		b.err = errors.Join(b.err, err)
		return gorgonia.NewScalar(b.builder.graph, tensor.Float32)
	}
	name := fmt.Sprintf("x%d", i)
	if len(b.test.Inputs[i].Shape) == 0 {
		n := gorgonia.NewScalar(b.builder.graph, tensor.Float32, gorgonia.WithName(name))
		b.inputs = append(b.inputs, export.Port{Name: name, Node: n})
		b.arrays[name] = v
		return n
	}
	b.arrays[name] = v
	return b.graph.in(name, v.Shape()...)
}

func (b *built) int(name string, otherwise int) int {
	if v, ok := b.test.Attributes[name].(float64); ok {
		return int(v)
	}
	return otherwise
}

func (b *built) float(name string, otherwise float64) float64 {
	if v, ok := b.test.Attributes[name].(float64); ok {
		return v
	}
	return otherwise
}

func (b *built) ints(name string, otherwise ...int) []int {
	v, ok := b.test.Attributes[name].([]any)
	if !ok {
		return otherwise
	}
	var out []int
	for _, x := range v {
		out = append(out, int(x.(float64)))
	}
	return out
}

func (b *built) has(names ...string) error {
	for _, name := range names {
		if _, ok := b.test.Attributes[name]; ok {
			return fmt.Errorf("attribute %s", name)
		}
	}
	return nil
}

var errBroadcast = errors.New("operands of several shapes")

func (b *built) pair(f func(x, y *gorgonia.Node) (*gorgonia.Node, error)) (*gorgonia.Node, error) {
	if len(b.test.Inputs) != 2 {
		return nil, fmt.Errorf("%d operands", len(b.test.Inputs))
	}
	x, y := b.in(0), b.in(1)
	if b.err == nil && y.Dims() > 0 && !slices.Equal(x.Shape(), y.Shape()) {
		return nil, errBroadcast
	}
	if b.err != nil {
		return nil, b.err
	}
	return f(x, y)
}

func pairOf(f func(x, y *gorgonia.Node) (*gorgonia.Node, error)) func(b *built) (*gorgonia.Node, error) {
	return func(b *built) (*gorgonia.Node, error) { return b.pair(f) }
}

func comparison(f func(x, y *gorgonia.Node, retSame bool) (*gorgonia.Node, error)) func(b *built) (*gorgonia.Node, error) {
	return pairOf(func(x, y *gorgonia.Node) (*gorgonia.Node, error) { return f(x, y, false) })
}

func single(f func(x *gorgonia.Node) (*gorgonia.Node, error)) func(b *built) (*gorgonia.Node, error) {
	return func(b *built) (*gorgonia.Node, error) {
		x := b.in(0)
		if b.err != nil {
			return nil, b.err
		}
		return f(x)
	}
}

func (b *built) geometry() (op.Geometry, error) {
	kernel := b.ints("kernel_shape", b.test.Inputs[1].Shape[2:]...)
	if err := b.has("auto_pad", "dilations", "group", "output_shape"); err != nil {
		return op.Geometry{}, err
	}
	if len(kernel) != 2 {
		return op.Geometry{}, fmt.Errorf("pictures of %d dimensions", len(kernel))
	}
	stride, pads := b.ints("strides", 1, 1), b.ints("pads", 0, 0, 0, 0)
	return op.Geometry{
		Kernel: [2]int(kernel), Stride: [2]int(stride), Top: pads[0], Left: pads[1], Bottom: pads[2], Right: pads[3],
	}, nil
}

func axisOf(axis, dims int) int { return (axis + dims) % dims }

// builders make a graph of a test, or say why there is none.
var builders = map[string]func(b *built) (*gorgonia.Node, error){
	"Abs": single(gorgonia.Abs), "Ceil": single(gorgonia.Ceil), "Cos": single(gorgonia.Cos), "Exp": single(gorgonia.Exp),
	"Floor": single(gorgonia.Floor), "Log": single(gorgonia.Log), "Neg": single(gorgonia.Neg), "Reciprocal": single(gorgonia.Inverse),
	"Sin": single(gorgonia.Sin), "Softplus": single(gorgonia.Softplus), "Sqrt": single(gorgonia.Sqrt),
	"Relu": single(op.ReLU), "Sigmoid": single(op.Sigmoid), "Tanh": single(op.Tanh), "GlobalAveragePool": single(gorgonia.GlobalAveragePool2D),
	"Add": pairOf(gorgonia.Add), "Sub": pairOf(gorgonia.Sub), "Mul": pairOf(gorgonia.HadamardProd), "Div": pairOf(gorgonia.HadamardDiv),
	"Pow": pairOf(gorgonia.Pow), "Min": pairOf(gorgonia.MinBetween), "Max": pairOf(gorgonia.MaxBetween),
	"Less": comparison(gorgonia.Lt), "Greater": comparison(gorgonia.Gt), "LessOrEqual": comparison(gorgonia.Lte),
	"GreaterOrEqual": comparison(gorgonia.Gte), "Equal": comparison(gorgonia.Eq),
	"LeakyRelu": func(b *built) (*gorgonia.Node, error) {
		return single(func(x *gorgonia.Node) (*gorgonia.Node, error) { return op.LeakyReLU(x, b.float("alpha", 0.01)) })(b)
	},
	"BatchNormalization": func(b *built) (*gorgonia.Node, error) {
		if err := b.has("training_mode"); err != nil {
			return nil, err
		}
		return op.BatchNorm(b.in(0), b.in(1), b.in(2), b.in(3), b.in(4), b.float("epsilon", 1e-5), false)
	},
	"Conv": func(b *built) (*gorgonia.Node, error) {
		g, err := b.geometry()
		if err != nil {
			return nil, err
		}
		return op.Conv2D(b.in(0), b.in(1), nil, g)
	},
	"ConvTranspose": func(b *built) (*gorgonia.Node, error) {
		g, err := b.geometry()
		if err != nil {
			return nil, err
		}
		out := b.test.Outputs[0].Shape
		if extra := b.ints("output_padding", 0, 0); extra[0] > 0 || extra[1] > 0 {
			// Rows beyond the last that a kernel reaches: a negative pad of ours.
			return nil, errors.New("output_padding beyond the kernel's reach")
		}
		return op.ConvTranspose2D(b.in(0), b.in(1), nil, g, out[2], out[3])
	},
	"MatMul": func(b *built) (*gorgonia.Node, error) {
		x, y := b.in(0), b.in(1)
		switch {
		case b.err != nil:
			return nil, b.err
		case x.Dims() == 2 && y.Dims() == 2:
			return op.MatMul(x, y, false, false)
		case x.Dims() == y.Dims() && x.Dims() > 2 && slices.Equal(x.Shape()[:x.Dims()-2], y.Shape()[:y.Dims()-2]):
			return gorgonia.BatchedMatMul(x, y)
		case x.Dims() == 1 && y.Dims() == 1:
			return gorgonia.Mul(x, y)
		}
		return nil, errBroadcast
	},
	"Gemm": func(b *built) (*gorgonia.Node, error) {
		if err := b.has("alpha", "beta"); err != nil {
			return nil, err
		}
		x, y := b.in(0), b.in(1)
		transA, transB := b.int("transA", 0) == 1, b.int("transB", 0) == 1
		if len(b.test.Inputs) == 2 {
			return op.MatMul(x, y, transA, transB)
		}
		product, err := op.MatMul(x, y, transA, transB)
		if err != nil {
			return nil, err
		}
		bias := b.test.Inputs[2].Shape
		switch {
		case len(bias) == 0:
			return gorgonia.Add(product, b.in(2))
		case slices.Equal(bias, product.Shape()):
			return gorgonia.Add(product, b.in(2))
		case len(bias) == 2 && bias[0] == 1:
			return gorgonia.BroadcastAdd(product, b.in(2), nil, []byte{0})
		}
		return nil, errBroadcast
	},
	"Concat": func(b *built) (*gorgonia.Node, error) {
		x, y := b.in(0), b.in(1)
		axis := axisOf(b.int("axis", 0), x.Dims())
		if x.Dims() == 1 {
			return gorgonia.Concat(axis, x, y)
		}
		return op.Concat(axis, x, y)
	},
	"Flatten": func(b *built) (*gorgonia.Node, error) {
		x := b.in(0)
		axis := axisOf(b.int("axis", 1), x.Dims())
		if axis == 1 && b.int("axis", 1) != 0 {
			return op.Flatten(x)
		}
		return gorgonia.Reshape(x, b.test.Outputs[0].Shape)
	},
	"Reshape": func(b *built) (*gorgonia.Node, error) {
		x, to := b.in(0), b.test.Outputs[0].Shape
		switch {
		case b.err != nil:
			return nil, b.err
		case to[0] == x.Shape()[0] && len(to) > 1:
			return op.Reshape(x, to[1:]...)
		}
		return gorgonia.Reshape(x, slices.Clone(to))
	},
	"Transpose": func(b *built) (*gorgonia.Node, error) {
		perm := b.ints("perm", 2, 1, 0)
		if slices.IsSorted(perm) {
			return nil, errors.New("no axis moves, for which Gorgonia makes no operator")
		}
		return gorgonia.Transpose(b.in(0), perm...)
	},
	"Slice": func(b *built) (*gorgonia.Node, error) {
		x, starts, ends := b.in(0), b.test.Inputs[1].ints(), b.test.Inputs[2].ints()
		y := x
		for i, start := range starts {
			axis, step := i, 1
			if len(b.test.Inputs) > 3 {
				axis = axisOf(b.test.Inputs[3].ints()[i], x.Dims())
			}
			if len(b.test.Inputs) > 4 {
				step = b.test.Inputs[4].ints()[i]
			}
			size := x.Shape()[axis]
			from := func(p int) int {
				if p < 0 {
					p += size
				}
				return min(max(p, 0), size)
			}
			if step != 1 || from(start) >= from(ends[i]) {
				return nil, errors.New("a step back, or no places left")
			}
			if from(start) == 0 && from(ends[i]) == size {
				continue
			}
			var err error
			if y, err = op.Slice(y, axis, from(start), from(ends[i])); err != nil {
				return nil, err
			}
		}
		return y, nil
	},
	"Gather": func(b *built) (*gorgonia.Node, error) {
		indices := b.test.Inputs[1].ints()
		if len(b.test.Inputs[1].Shape) != 1 || slices.Min(indices) < 0 {
			return nil, errors.New("indices below 0, or not in a row")
		}
		v := tensor.New(tensor.WithBacking(indices))
		n := gorgonia.NewVector(b.builder.graph, tensor.Int, gorgonia.WithShape(len(indices)), gorgonia.WithName("indices"), gorgonia.WithValue(v))
		return gorgonia.ByIndices(b.in(0), n, b.int("axis", 0))
	},
	"Softmax": func(b *built) (*gorgonia.Node, error) {
		x := b.in(0)
		return gorgonia.SoftMax(x, axisOf(b.int("axis", -1), x.Dims()))
	},
	"LogSoftmax": func(b *built) (*gorgonia.Node, error) {
		x := b.in(0)
		return gorgonia.LogSoftMax(x, axisOf(b.int("axis", -1), x.Dims()))
	},
	"ReduceSum": gathered(gorgonia.Sum), "ReduceMean": gathered(gorgonia.Mean), "ReduceMax": gathered(gorgonia.Max),
	"MaxPool": func(b *built) (*gorgonia.Node, error) {
		kernel := b.ints("kernel_shape")
		if err := b.has("auto_pad", "dilations", "ceil_mode", "storage_order"); err != nil {
			return nil, err
		}
		if len(kernel) != 2 {
			return nil, fmt.Errorf("pictures of %d dimensions", len(kernel))
		}
		if len(b.test.Outputs) > 1 {
			return nil, errors.New("a second output")
		}
		x, pads := b.in(0), b.ints("pads", 0, 0, 0, 0)
		if b.err != nil {
			return nil, b.err
		}
		return gorgonia.MaxPool2D(x, kernel, []int{pads[0], pads[1]}, b.ints("strides", 1, 1))
	},
	"Resize": func(b *built) (*gorgonia.Node, error) {
		if b.test.Name != "resize_upsample_scales_nearest" {
			return nil, errors.New("another way to resize than Upsample2D")
		}
		return nil, errors.New("half a pixel off, and 2 by 3 where Upsample2D has one factor")
	},
}

func gathered(f func(x *gorgonia.Node, axes ...int) (*gorgonia.Node, error)) func(b *built) (*gorgonia.Node, error) {
	return func(b *built) (*gorgonia.Node, error) {
		x := b.in(0)
		if b.err != nil {
			return nil, b.err
		}
		var axes []int
		if len(b.test.Inputs) > 1 && b.test.Inputs[1] != nil {
			for _, a := range b.test.Inputs[1].ints() {
				axes = append(axes, axisOf(a, x.Dims()))
			}
		}
		if len(axes) == 0 && b.int("noop_with_empty_axes", 0) == 1 {
			return nil, errors.New("no axes for no sum")
		}
		y, err := f(x, axes...)
		if err != nil || b.int("keepdims", 1) == 0 || y.Dims() == 0 {
			return y, err
		}
		return gorgonia.Reshape(y, b.test.Outputs[0].Shape)
	}
}

// TestOfficialNodes holds our operators, exported, against what ONNX's own tests
// expect of theirs. testdata/node_tests.txt says of each test that it is met, or
// why our operators can't say it; -update writes it.
func TestOfficialNodes(t *testing.T) {
	if exec.Command("python3", "-c", "import onnx").Run() != nil {
		t.Skip("skipped: no python3 with onnx")
	}
	operators := []string{filepath.Join("testdata", "node_tests.py")}
	for name := range builders {
		operators = append(operators, name)
	}
	out, err := exec.Command("python3", operators...).Output()
	if err != nil {
		t.Fatal(err)
	}
	var tests []officialTest
	if err := json.Unmarshal(out, &tests); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(tests, func(a, b officialTest) int {
		return strings.Compare(a.Operator+" "+a.Name, b.Operator+" "+b.Name)
	})
	var list bytes.Buffer
	met := 0
	for _, test := range tests {
		result := "equal"
		if err := official(t, test); err != nil {
			result = "not said: " + err.Error()
		} else {
			met++
		}
		fmt.Fprintf(&list, "%s: %s: %s\n", test.Operator, test.Name, result)
	}
	t.Logf("%d of %d tests are met", met, len(tests))
	path := filepath.Join("testdata", "node_tests.txt")
	if *update {
		if err := os.WriteFile(path, list.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), list.String()); d != "" {
		t.Errorf("-%s +now\n%s", path, d)
	}
}

// official runs a test, or says why it can't be put into our operators.
func official(t *testing.T, test officialTest) error {
	for _, a := range slices.Concat(test.Inputs[:1], test.Outputs) {
		if a == nil || a.Type != "float32" && a.Type != "bool" {
			return errors.New("numbers of another type than float32")
		}
		if slices.Contains(a.Shape, 0) {
			return errors.New("an empty array")
		}
	}
	b := &built{graph: newGraph(t, tensor.Float32), test: test, arrays: map[string]*tensor.Dense{}}
	y, err := builders[test.Operator](b)
	switch {
	case b.err != nil:
		return errors.New(strings.ReplaceAll(b.err.Error(), "\n", "; "))
	case err != nil:
		return err
	}
	want := &tensor.Dense{}
	if test.Outputs[0].Type == "bool" {
		want = tensor.New(tensor.WithShape(test.Outputs[0].Shape...), tensor.WithBacking(truths(test.Outputs[0].Data)))
	} else if want, err = test.Outputs[0].dense(); err != nil {
		return err
	}
	if strings.HasPrefix(test.Operator, "Reduce") && want.Dims() > 0 && y.Dims() == 0 {
		return errors.New("axes of size 1 are left, where Gorgonia has a number")
	}
	p, err := export.Graph(b.model("", y))
	if err != nil {
		return err
	}
	if err := near(run(t, load(t, p), b.arrays)["y"], want, 1e-6); err != nil {
		t.Errorf("%s: %v", test.Name, err)
	}
	return nil
}

func truths(data []byte) []bool {
	out := make([]bool, len(data))
	for i, b := range data {
		out[i] = b != 0
	}
	return out
}
