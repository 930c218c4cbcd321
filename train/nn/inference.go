package nn

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/op"
)

// Inference is a trained network as a graph of its own, with the names that an
// exported model has.
type Inference struct {
	Graph   *gorgonia.ExprGraph
	Inputs  []export.Port // z for a generator, image or points for a discriminator; label where it takes one
	Outputs []export.Port // image or points; logit or probability, or both, in this order

	// Layers are what each layer puts out, under its name: "generator/dense1". What
	// does nothing in inference has none.
	Layers []export.Port

	values []*gorgonia.Value // of the outputs, then of the layers where they are asked for
}

// NewInference builds the graph of a network at a batch size, with its
// parameters bound to the values of that name, which it shares.
func NewInference(role arch.Role, net arch.Network, values map[string]*tensor.Dense, batch int) (*Inference, error) {
	g := gorgonia.NewGraph()
	var dt tensor.Dtype
	for _, v := range values {
		dt = v.Dtype()
	}
	n, err := New(g, role, net, dt)
	if err != nil {
		return nil, err
	}
	for _, p := range append(n.Weights(), n.Statistics()...) {
		v, ok := values[p.Name]
		if !ok {
			return nil, fmt.Errorf("nn: no value for %s", p.Name)
		}
		if err := gorgonia.Let(p.Node, v); err != nil {
			return nil, fmt.Errorf("nn: %s: %w", p.Name, err)
		}
	}
	in := "z"
	if role == arch.Discriminator {
		in = exampleName(len(net.Input))
	}
	x := Input(g, in, dt, append([]int{batch}, net.Input...)...)
	inputs := []export.Port{{Name: in, Node: x}}
	var labels []*gorgonia.Node
	if net.Conditional() {
		labels = append(labels, Input(g, "label", tensor.Int64, batch, 1))
		inputs = append(inputs, export.Port{Name: "label", Node: labels[0]})
	}
	y, err := n.Infer(x, labels...)
	if err != nil {
		return nil, err
	}
	i := &Inference{Graph: g, Inputs: inputs}
	for _, l := range n.layers {
		i.Layers = append(i.Layers, export.Port(l))
	}
	switch {
	case role == arch.Generator:
		i.Outputs = []export.Port{{Name: exampleName(y.Node.Dims() - 1), Node: y.Node}}
	case y.Logit == y.Node:
		i.Outputs = []export.Port{{Name: "logit", Node: y.Node}}
	case net.Logit:
		// MNN 3.6 gives the probability for an output that a Sigmoid reads, so this is a copy of it.
		logit, err := op.Flatten(y.Logit)
		if err != nil {
			return nil, err
		}
		i.Outputs = []export.Port{{Name: "logit", Node: logit}, {Name: "probability", Node: y.Node}}
	default:
		i.Outputs = []export.Port{{Name: "probability", Node: y.Node}}
	}
	i.read(i.Outputs)
	return i, nil
}

// read has the machines made from now on keep more values.
func (i *Inference) read(ports []export.Port) {
	for _, p := range ports {
		v := new(gorgonia.Value)
		gorgonia.Read(p.Node, v)
		i.values = append(i.values, v)
	}
}

// exampleName is what a model calls a batch of examples that have so many axes.
func exampleName(axes int) string {
	if axes == 1 {
		return "points"
	}
	return "image"
}

// Run evaluates the graph on Gorgonia's tape machine, with a value for each of
// its inputs, and returns the outputs; both in their order. It is the reference
// that an exported model is held against.
func (i *Inference) Run(in ...*tensor.Dense) ([]*tensor.Dense, error) {
	out, err := i.run(in)
	if err != nil {
		return nil, err
	}
	return out[:len(i.Outputs)], nil
}

// RunLayers is Run that returns, in the order of Layers, what each of them puts
// out as well.
func (i *Inference) RunLayers(in ...*tensor.Dense) (outputs, layers []*tensor.Dense, err error) {
	if len(i.values) == len(i.Outputs) {
		i.read(i.Layers)
	}
	out, err := i.run(in)
	if err != nil {
		return nil, nil, err
	}
	return out[:len(i.Outputs)], out[len(i.Outputs):], nil
}

func (i *Inference) run(in []*tensor.Dense) ([]*tensor.Dense, error) {
	if len(in) != len(i.Inputs) {
		return nil, fmt.Errorf("nn: %d inputs are given, want %d", len(in), len(i.Inputs))
	}
	for k, p := range i.Inputs {
		if err := gorgonia.Let(p.Node, in[k]); err != nil {
			return nil, fmt.Errorf("nn: %s: %w", p.Name, err)
		}
	}
	vm := gorgonia.NewTapeMachine(i.Graph)
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		return nil, fmt.Errorf("nn: %w", err)
	}
	out := make([]*tensor.Dense, len(i.values))
	for k, v := range i.values {
		y, ok := (*v).(*tensor.Dense)
		if !ok {
			return nil, fmt.Errorf("nn: %s is no array", slices.Concat(i.Outputs, i.Layers)[k].Name)
		}
		out[k] = y.Clone().(*tensor.Dense)
	}
	return out, nil
}
