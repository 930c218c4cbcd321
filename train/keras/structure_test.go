package keras

import (
	"slices"
	"strings"
	"testing"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// nth finds the n-th node of an operator, counted from 0.
func nth(t *testing.T, m *onnxpb.ModelProto, operator string, n int) *onnxpb.NodeProto {
	t.Helper()
	for _, node := range m.Graph.Node {
		if node.OpType != operator {
			continue
		}
		if n == 0 {
			return node
		}
		n--
	}
	t.Fatalf("the graph has no such %s", operator)
	return nil
}

// ints changes an attribute.
func ints(t *testing.T, n *onnxpb.NodeProto, name string, values ...int64) {
	t.Helper()
	a := attribute(n, name)
	if a == nil {
		t.Fatalf("%s has no %s", n.Name, name)
	}
	if slices.Equal(a.Ints, values) {
		t.Fatalf("%s of %s is %v already", name, n.Name, values)
	}
	a.Ints = values
}

// drop takes nodes out of a graph: what reads their output reads their input.
func drop(m *onnxpb.ModelProto, nodes ...*onnxpb.NodeProto) {
	for _, gone := range nodes {
		for _, n := range m.Graph.Node {
			for i, name := range n.Input {
				if name == gone.Output[0] {
					n.Input[i] = gone.Input[0]
				}
			}
		}
		m.Graph.Node = slices.DeleteFunc(m.Graph.Node, func(n *onnxpb.NodeProto) bool { return n == gone })
	}
}

// without drops the nodes of a layer, by its name in the TensorFlow route.
func without(t *testing.T, m *onnxpb.ModelProto, layer string) {
	t.Helper()
	var gone []*onnxpb.NodeProto
	for _, n := range m.Graph.Node {
		if strings.Contains(n.Name, "/"+layer+"/") {
			gone = append(gone, n)
		}
	}
	if len(gone) == 0 {
		t.Fatalf("no layer %s", layer)
	}
	drop(m, gone...)
}

// A graph with another structure than ours is none of ours, and the layer that
// differs is named as we and as the file call it.
func TestStructureThatDiffers(t *testing.T) {
	const generator, discriminator = "tf/models/michelucci-dcgan/G.onnx", "tf/models/michelucci-dcgan/D.onnx"
	const jaxGenerator, jaxDiscriminator = "jax/models/michelucci-dcgan/G.onnx", "jax/models/michelucci-dcgan/D.onnx"
	tests := []struct {
		name, file, ours, keras, reason string
		change                          func(t *testing.T, m *onnxpb.ModelProto)
	}{
		{
			"a pad moved from end to beginning", generator, "generator/deconv2", "conv2d_transpose_1_2", "pads [2 1 1 2], want [1 1 2 2]",
			func(t *testing.T, m *onnxpb.ModelProto) { ints(t, nth(t, m, "ConvTranspose", 1), "pads", 2, 1, 1, 2) },
		},
		{
			"pads moved in a convolution", discriminator, "discriminator/conv1", "conv2d_1", "pads [2 2 1 1], want [1 1 2 2]",
			func(t *testing.T, m *onnxpb.ModelProto) { ints(t, nth(t, m, "Conv", 0), "pads", 2, 2, 1, 1) },
		},
		{
			"pads moved by JAX", jaxDiscriminator, "discriminator/conv2", "node_Conv_9", "pads [2 1 1 2], want [1 1 2 2]",
			func(t *testing.T, m *onnxpb.ModelProto) { ints(t, nth(t, m, "Conv", 1), "pads", 2, 1, 1, 2) },
		},
		{
			"LeakyReLU 0.3 changed to 0.2", generator, "generator/leakyrelu2", "leaky_re_lu_1_2", "slope 0.2, want 0.3",
			func(t *testing.T, m *onnxpb.ModelProto) { *attribute(nth(t, m, "LeakyRelu", 1), "alpha").F = 0.2 },
		},
		{
			"LeakyReLU 0.3 changed to 0.2 in JAX", jaxGenerator, "generator/leakyrelu3", "node_LeakyRelu_86", "slope 0.2, want 0.3",
			func(t *testing.T, m *onnxpb.ModelProto) { *attribute(nth(t, m, "LeakyRelu", 2), "alpha").F = 0.2 },
		},
		{
			"a stride changed", discriminator, "discriminator/conv1", "conv2d_1", "stride 1, want 2",
			func(t *testing.T, m *onnxpb.ModelProto) { ints(t, nth(t, m, "Conv", 0), "strides", 1, 1) },
		},
		{
			"one of two strides changed", generator, "generator/deconv3", "conv2d_transpose_2_1", "strides [2 1], want equal ones",
			func(t *testing.T, m *onnxpb.ModelProto) { ints(t, nth(t, m, "ConvTranspose", 2), "strides", 2, 1) },
		},
		{
			"an activation missing", discriminator, "discriminator/leakyrelu2", "flatten_1", "is flatten, want leakyrelu",
			func(t *testing.T, m *onnxpb.ModelProto) { drop(m, nth(t, m, "LeakyRelu", 1)) },
		},
		{
			"an activation missing in JAX", jaxDiscriminator, "discriminator/leakyrelu1", "node_Conv_9", "is conv of 8 filters 5x5, stride 2, want leakyrelu",
			func(t *testing.T, m *onnxpb.ModelProto) { drop(m, nth(t, m, "LeakyRelu", 0)) },
		},
		{
			"another activation", "tf/models/silva-dcgan/G.onnx", "generator/tanh1", "activation_1", "is sigmoid, want tanh",
			func(t *testing.T, m *onnxpb.ModelProto) { nth(t, m, "Tanh", 0).OpType = "Sigmoid" },
		},
		{
			"height and width swapped before the flatten", discriminator, "discriminator/flatten1", "flatten_1", "flattens in the order W, H, C",
			func(t *testing.T, m *onnxpb.ModelProto) { ints(t, nth(t, m, "Transpose", 0), "perm", 0, 3, 2, 1) },
		},
		{
			"height and width swapped behind a convolution of JAX'", jaxDiscriminator, "discriminator/flatten1", "node_Reshape_18", "flattens in the order W, H, C",
			func(t *testing.T, m *onnxpb.ModelProto) {
				var last *onnxpb.NodeProto
				for _, n := range m.Graph.Node {
					if n.OpType == "Transpose" {
						last = n
					}
				}
				ints(t, last, "perm", 0, 3, 2, 1)
			},
		},
		{
			"flatten order changed", discriminator, "discriminator/flatten1", "flatten_1", "flattens in the order C, H, W",
			func(t *testing.T, m *onnxpb.ModelProto) { drop(m, nth(t, m, "Transpose", 0)) },
		},
		{
			"height and width swapped at the end", "tf/models/silva-dcgan/G.onnx", "the output", "Identity:0", "laid out as W, H, C",
			func(t *testing.T, m *onnxpb.ModelProto) { ints(t, nth(t, m, "Transpose", 1), "perm", 0, 3, 2, 1) },
		},
		{
			"height and width swapped at the beginning", "tf/models/silva-dcgan/D.onnx", "discriminator/conv1", "conv2d_1", "laid out as C, W, H",
			func(t *testing.T, m *onnxpb.ModelProto) { ints(t, nth(t, m, "Transpose", 0), "perm", 0, 3, 2, 1) },
		},
		{
			"one BatchNorm left out", generator, "generator/batchnorm2", "leaky_re_lu_1_2", "is leakyrelu of slope 0.3, want batchnorm",
			func(t *testing.T, m *onnxpb.ModelProto) { without(t, m, "batch_normalization_1_2") },
		},
		{
			"one BatchNorm left out behind a convolution", "tf/models/silva-dcgan/D.onnx", "discriminator/batchnorm1", "leaky_re_lu_1_2", "is leakyrelu of slope 0.2, want batchnorm",
			func(t *testing.T, m *onnxpb.ModelProto) { without(t, m, "batch_normalization_1") },
		},
		{
			"the epsilon of a BatchNorm of JAX'", jaxGenerator, "generator/batchnorm1", "node_Mul_12", "epsilon 1e-05, want 0.001",
			func(t *testing.T, m *onnxpb.ModelProto) {
				for _, i := range m.Graph.Initializer {
					if len(i.Dims) == 0 && i.DataType == int32(onnxpb.TensorProto_FLOAT) {
						if c, err := tensorConstant(i); err == nil && c.floats[0] == 0.001 {
							set(t, i, 0, 1e-5)
						}
					}
				}
			},
		},
		{
			"a layer more", "tf/models/fredriksson-2d/D.onnx", "the end", "", "goes on with tanh",
			func(_ *testing.T, m *onnxpb.ModelProto) {
				m.Graph.Node = append(m.Graph.Node, &onnxpb.NodeProto{Name: "more", OpType: "Tanh", Input: []string{m.Graph.Output[0].Name}, Output: []string{"more"}})
				m.Graph.Output[0].Name = "more"
			},
		},
		{
			"labels joined to the wrong axis", "tf/models/michelucci-cgan/D.onnx", "discriminator/condition1", "", "joins along H, want the channels",
			func(t *testing.T, m *onnxpb.ModelProto) {
				for _, n := range m.Graph.Node {
					if strings.HasPrefix(n.Name, "functional_1/concatenate") {
						one := int64(1)
						attribute(n, "axis").I = &one
					}
				}
			},
		},
		{
			"a label that is looked up wrongly", "tf/models/michelucci-cgan/D.onnx", "discriminator/condition1", "", "looks up row",
			func(t *testing.T, m *onnxpb.ModelProto) { nth(t, m, "Less", 0).OpType = "Add" },
		},
		{
			"an operator that no layer becomes", generator, "generator/leakyrelu1", "", "is no operator that Keras' exports have",
			func(t *testing.T, m *onnxpb.ModelProto) { nth(t, m, "LeakyRelu", 0).OpType = "Elu" },
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := load(t, test.file)
			test.change(t, m)
			r := checkModel(t, m, test.file, usual)
			if r.Holds || r.Unknown == nil {
				t.Fatalf("%s: %s", r.Name(), r.Verdict())
			}
			u := r.Unknown
			if u.Ours != test.ours || test.keras != "" && u.Keras != test.keras || !strings.Contains(u.Reason, test.reason) {
				t.Errorf("%v\nwant %s (in the file %s): %s", u, test.ours, test.keras, test.reason)
			}
			gan := strings.Split(test.file, "/")[2]
			if !strings.HasPrefix(u.Nearest, gan) {
				t.Errorf("the nearest network is %s, want %s", u.Nearest, gan)
			}
		})
	}
}
