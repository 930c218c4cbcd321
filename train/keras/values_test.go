package keras

import (
	"encoding/binary"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/train"
)

// set changes a number of a float32 tensor.
func set(t *testing.T, p *onnxpb.TensorProto, at int, v float32) {
	t.Helper()
	if p.RawData == nil {
		t.Fatalf("%s has no raw data", p.Name)
	}
	binary.LittleEndian.PutUint32(p.RawData[4*at:], math.Float32bits(v))
}

// put replaces a float32 tensor.
func put(t *testing.T, p *onnxpb.TensorProto, c *constant) {
	t.Helper()
	p.Dims, p.RawData = nil, make([]byte, 4*c.size())
	for _, d := range c.dims {
		p.Dims = append(p.Dims, int64(d))
	}
	for i, v := range c.floats {
		set(t, p, i, v)
	}
}

// change replaces the numbers of the tensor whose name has a part.
func change(t *testing.T, m *onnxpb.ModelProto, part string, by func(c *constant) *constant) {
	t.Helper()
	for _, p := range m.Graph.Initializer {
		if !strings.Contains(p.Name, part) {
			continue
		}
		c, err := tensorConstant(p)
		if err != nil {
			t.Fatal(err)
		}
		changed := by(c)
		if !slices.Equal(changed.dims, c.dims) || differ(changed.floats, c.floats).Absolute == 0 {
			t.Fatalf("%s is not changed", p.Name)
		}
		put(t, p, changed)
		return
	}
	t.Fatalf("no tensor %s", part)
}

// nudged is an array with one number moved by 1e-3.
func (c *constant) nudged(at int) *constant {
	return c.mapped(func(i int) float32 {
		if i == at {
			return c.floats[i] + 1e-3
		}
		return c.floats[i]
	})
}

// mapped is an array of the same shape with other numbers.
func (c *constant) mapped(at func(i int) float32) *constant {
	out := c.with(c.dims)
	for i := range out.floats {
		out.floats[i] = at(i)
	}
	return out
}

// Values that differ are found by weights of ours and by what Keras itself
// computed, and the tensor is named.
func TestValuesThatDiffer(t *testing.T) {
	const generator, discriminator = "tf/models/michelucci-dcgan/G.onnx", "tf/models/michelucci-cgan/D.onnx"
	tests := []struct {
		name, file string
		tensors    []string
		change     func(t *testing.T, m *onnxpb.ModelProto)
	}{
		{
			"one weight by 1e-3", generator, []string{"generator/deconv2/weight"},
			func(t *testing.T, m *onnxpb.ModelProto) {
				change(t, m, "conv2d_transpose_1_2/conv_transpose", func(c *constant) *constant { return c.nudged(77) })
			},
		},
		{
			"one weight of a Dense by 1e-3", generator, []string{"generator/dense1/weight"},
			func(t *testing.T, m *onnxpb.ModelProto) {
				change(t, m, "dense_1/Cast", func(c *constant) *constant { return c.nudged(500) })
			},
		},
		{
			"a kernel flipped", generator, []string{"generator/deconv1/weight"},
			func(t *testing.T, m *onnxpb.ModelProto) {
				change(t, m, "conv2d_transpose_1/conv_transpose", func(c *constant) *constant { return c.reversed(2).reversed(3) })
			},
		},
		{
			"in and out channels swapped", discriminator, []string{"discriminator/conv2/weight"},
			func(t *testing.T, m *onnxpb.ModelProto) {
				change(t, m, "conv2d_1_2/convolution", func(c *constant) *constant { return c.transposed([]int{1, 0, 2, 3}) })
			},
		},
		{
			"a BatchNorm's epsilon from 1e-3 to 1e-5", generator, []string{"generator/batchnorm2/scale", "generator/batchnorm2/shift"},
			func(t *testing.T, m *onnxpb.ModelProto) {
				weights, err := openArchive("testdata/tf/models/michelucci-dcgan/G.weights.npz")
				if err != nil {
					t.Fatal(err)
				}
				defer weights.Close()
				of := func(name string) []float64 {
					a, err := weights.read("batch_normalization_1." + name)
					if err != nil {
						t.Fatal(err)
					}
					return a.data
				}
				gamma, beta, mean, variance := of("gamma"), of("beta"), of("moving_mean"), of("moving_variance")
				scale := func(i int) float64 { return gamma[i] / math.Sqrt(variance[i]+1e-5) }
				changed := func(at func(i int) float64) func(c *constant) *constant {
					return func(c *constant) *constant { return c.mapped(func(i int) float32 { return float32(at(i)) }) }
				}
				var operators []string
				for _, n := range m.Graph.Node {
					if strings.Contains(n.Name, "batch_normalization_1_2/") {
						by := changed(scale)
						if n.OpType == "Add" {
							by = changed(func(i int) float64 { return beta[i] - mean[i]*scale(i) })
						}
						change(t, m, n.Input[1], by)
						operators = append(operators, n.OpType)
					}
				}
				if !slices.Equal(operators, []string{"Mul", "Add"}) {
					t.Fatalf("the BatchNorm is made of %v", operators)
				}
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := load(t, test.file)
			ours := saved(t, test.file)
			test.change(t, m)
			alone := checkModel(t, m, test.file, usual)
			if !alone.Holds {
				t.Errorf("by itself: %s", alone.Verdict())
			}
			against := usual
			against.Against = ours
			r := checkModel(t, m, test.file, against)
			departing(t, r, test.tensors)
			if layer := strings.Join(strings.Split(test.tensors[0], "/")[:2], "/"); r.Departs != layer {
				t.Errorf("against ours: the first layer that departs is %q, want %s", r.Departs, layer)
			}
			expect := usual
			expect.Expect = filepath.Dir("testdata/" + test.file)
			r = checkModel(t, m, test.file, expect)
			departing(t, r, test.tensors)
			for _, e := range r.Expected {
				if e.Holds {
					t.Errorf("%s of %s holds against what Keras computed", e.Output, r.Ways[e.Way])
				}
			}
		})
	}
}

// saved is a checkpoint with the weights of a file as it is.
func saved(t *testing.T, file string) string {
	t.Helper()
	model, err := Model(1, checkModel(t, load(t, file), file, usual))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ours.safetensors")
	if err := model.Save(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// departing checks which tensors depart: those and no others.
func departing(t *testing.T, r *Report, want []string) {
	t.Helper()
	var got []string
	for _, tensor := range r.Tensors {
		if !tensor.Holds {
			got = append(got, tensor.Name)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the tensors %v depart, want %v", got, want)
	}
	if r.Holds || !strings.Contains(r.Verdict(), want[0]) {
		t.Errorf("the verdict is %q", r.Verdict())
	}
}

func TestAgainstRefuses(t *testing.T) {
	other := saved(t, "tf/models/guo-mlp/G.onnx")
	wide := filepath.Join(t.TempDir(), "wide.safetensors")
	r := checkModel(t, load(t, "tf/models/michelucci-dcgan/D.onnx"), "D.onnx", usual)
	state, err := train.NewState(r.matches[0].gan, 1)
	if err != nil {
		t.Fatal(err)
	}
	full := train.Model{GAN: r.matches[0].gan, State: state}
	if err := full.Save(wide); err != nil {
		t.Fatal(err)
	}
	for against, want := range map[string]string{
		other:                                   "holds no discriminator/conv1",
		wide:                                    "discriminator/conv1/bias is [64], the network in the file has [4]",
		filepath.Join(t.TempDir(), "none.onnx"): "no such file",
		"testdata/tf/models/guo-mlp/G.onnx":     "holds no discriminator/conv1",
		"testdata/tf/models/guo-mlp/G.in.z.npy": "safetensors",
		"testdata/tf/models/michelucci-dcgan":   "no run folder",
	} {
		o := usual
		o.Against = against
		_, err := check(t.Context(), "D.onnx", load(t, "tf/models/michelucci-dcgan/D.onnx"), o)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want %q", against, err, want)
		}
	}
}
