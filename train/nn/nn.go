// Package nn turns the layers of an architecture into Gorgonia nodes.
//
// A network's weights and statistics are inputs of the graph, under names like
// generator/deconv1/weight. Nothing random and no state lives here: dropout
// masks are inputs as well, and new running statistics are outputs.
package nn

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/op"
)

// Net is a network placed in a graph. It can be applied several times.
type Net struct {
	role   arch.Role
	rows   []arch.Row
	params map[string]*gorgonia.Node
	layers []Param // what each layer puts out in the last application
}

// Output is what a network computes.
type Output struct {
	// Node is the last layer's output.
	Node *gorgonia.Node
	// Logit is the input of the sigmoid that ends the network, or Node where
	// none does.
	Logit *gorgonia.Node
}

// ParamName is the name under which a parameter is an input of the graph, part
// of the state, and an initializer of an exported model.
func ParamName(role arch.Role, layer, param string) string {
	return fmt.Sprintf("%s/%s/%s", role, layer, param)
}

// LayerName is the name of a layer's node, and of its value in an exported model.
func LayerName(role arch.Role, layer string) string { return fmt.Sprintf("%s/%s", role, layer) }

// New places a network in a graph: it adds its parameters as inputs without
// values.
func New(g *gorgonia.ExprGraph, role arch.Role, net arch.Network, dt tensor.Dtype) (*Net, error) {
	rows, err := net.Rows()
	if err != nil {
		return nil, fmt.Errorf("nn: %s: %w", role, err)
	}
	n := &Net{role: role, rows: rows, params: map[string]*gorgonia.Node{}}
	for _, r := range rows {
		for _, p := range r.Params {
			name := ParamName(role, r.Name, p.Name)
			n.params[name] = Input(g, name, dt, p.Shape...)
		}
	}
	return n, nil
}

// Input adds an input to a graph. Gorgonia merges inputs of one name, type and
// shape.
func Input(g *gorgonia.ExprGraph, name string, dt tensor.Dtype, shape ...int) *gorgonia.Node {
	return gorgonia.NewTensor(g, dt, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name))
}

// Param is a parameter's node; for statistics, the node of their newest value.
type Param struct {
	Name string
	Node *gorgonia.Node
}

// Weights lists what is trained, in the order of the layers.
func (n *Net) Weights() []Param { return n.list(false) }

// Statistics lists the running statistics, as the last application in training
// left them.
func (n *Net) Statistics() []Param { return n.list(true) }

func (n *Net) list(statistics bool) []Param {
	var out []Param
	for _, r := range n.rows {
		for _, p := range r.Params {
			if p.Statistics == statistics {
				name := ParamName(n.role, r.Name, p.Name)
				out = append(out, Param{Name: name, Node: n.params[name]})
			}
		}
	}
	return out
}

// Infer applies the network as it is used once trained: no dropout, running
// statistics. A conditional network takes the labels [N, 1] of the examples,
// of int64, in one array or in several whose rows together are those of x.
func (n *Net) Infer(x *gorgonia.Node, labels ...*gorgonia.Node) (Output, error) {
	return n.apply(x, labels, nil)
}

// Train applies the network as it is trained: dropout by the masks that mask
// returns, statistics of the batch, and new running statistics, each a step
// further than after the application before.
func (n *Net) Train(x *gorgonia.Node, mask Masker, labels ...*gorgonia.Node) (Output, error) {
	return n.apply(x, labels, mask)
}

// A Masker returns the mask, of type uint8, of a dropout layer that drops a
// share rate of the values of the given shape.
type Masker func(layer string, rate float64, shape tensor.Shape) *gorgonia.Node

// apply applies the network; no masker means inference.
func (n *Net) apply(x *gorgonia.Node, labels []*gorgonia.Node, mask Masker) (Output, error) {
	out := Output{Node: x, Logit: x}
	n.layers = nil
	for i, r := range n.rows {
		y, err := n.named(r, out.Node, labels, mask)
		if err != nil {
			return Output{}, fmt.Errorf("nn: %w", err)
		}
		if _, last := r.Layer.(arch.Sigmoid); !last || i < len(n.rows)-1 {
			out.Logit = y
		}
		out.Node = y
	}
	return out, nil
}

// named applies a layer and calls what it computes by its name.
func (n *Net) named(r arch.Row, x *gorgonia.Node, labels []*gorgonia.Node, mask Masker) (*gorgonia.Node, error) {
	name := LayerName(n.role, r.Name)
	y, err := n.layer(r, x, labels, mask)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if y != x {
		gorgonia.WithName(name)(y)
		n.layers = append(n.layers, Param{name, y})
	}
	return y, nil
}

func (n *Net) layer(r arch.Row, x *gorgonia.Node, labels []*gorgonia.Node, mask Masker) (*gorgonia.Node, error) {
	param := func(name string) *gorgonia.Node { return n.params[ParamName(n.role, r.Name, name)] }
	switch l := r.Layer.(type) {
	case arch.Dense:
		return op.Dense(x, param("weight"), param("bias"))
	case arch.Conv2D:
		return op.Conv2D(x, param("weight"), param("bias"), same(r.Input, l.Kernel, l.Stride))
	case arch.ConvTranspose2D:
		// The geometry of the convolution that would lead back.
		return op.ConvTranspose2D(x, param("weight"), param("bias"),
			same(r.Output, l.Kernel, l.Stride), r.Output[1], r.Output[2])
	case arch.BatchNorm:
		return n.batchNorm(r.Name, l, x, mask != nil)
	case arch.LeakyReLU:
		return op.LeakyReLU(x, l.Slope)
	case arch.ReLU:
		return op.ReLU(x)
	case arch.Tanh:
		return op.Tanh(x)
	case arch.Sigmoid:
		return op.Sigmoid(x)
	case arch.Dropout:
		if mask == nil || l.Rate == 0 {
			return x, nil
		}
		return op.Dropout(x, mask(r.Name, l.Rate, x.Shape()), l.Rate)
	case arch.Reshape:
		return op.Reshape(x, l.Shape...)
	case arch.Flatten:
		return op.Flatten(x)
	case arch.Embedding:
		return embedding(param("weight"), labels)
	case arch.Condition:
		return n.condition(r, x, labels, mask)
	}
	return nil, fmt.Errorf("layer type %T can't be built", r.Layer)
}

func same(picture arch.Shape, kernel, stride int) op.Geometry {
	return op.Same(picture[1], picture[2], [2]int{kernel, kernel}, [2]int{stride, stride})
}

func (n *Net) batchNorm(layer string, l arch.BatchNorm, x *gorgonia.Node, training bool) (*gorgonia.Node, error) {
	name := func(param string) string { return ParamName(n.role, layer, param) }
	mean, variance := n.params[name("mean")], n.params[name("variance")]
	if training {
		runningMean, runningVariance := mean, variance
		var err error
		if mean, variance, err = op.Statistics(x); err != nil {
			return nil, err
		}
		if n.params[name("mean")], err = op.MovingAverage(runningMean, mean, l.Momentum); err != nil {
			return nil, err
		}
		if n.params[name("variance")], err = op.MovingAverage(runningVariance, variance, l.Momentum); err != nil {
			return nil, err
		}
	}
	return op.BatchNorm(x, n.params[name("gamma")], n.params[name("beta")], mean, variance, l.Epsilon, training)
}
