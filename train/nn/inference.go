package nn

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/train/arch"
)

// Inference is a trained network as a graph of its own, with the names that an
// exported model has.
type Inference struct {
	Graph   *gorgonia.ExprGraph
	Inputs  []export.Port // z for a generator, image for a discriminator; label where it takes one
	Outputs []export.Port // image; logit or probability
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
	in, out := "z", "image"
	if role == arch.Discriminator {
		in, out = "image", "logit"
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
	if y.Logit != y.Node {
		out = "probability"
	}
	return &Inference{
		Graph:   g,
		Inputs:  inputs,
		Outputs: []export.Port{{Name: out, Node: y.Node}},
	}, nil
}

// Run evaluates the graph on Gorgonia's tape machine, with a value for each of
// its inputs. It is the reference that an exported model is held against.
func (i *Inference) Run(in ...*tensor.Dense) (*tensor.Dense, error) {
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
	y, ok := i.Outputs[0].Node.Value().(*tensor.Dense)
	if !ok {
		return nil, fmt.Errorf("nn: %s is no array", i.Outputs[0].Name)
	}
	return y.Clone().(*tensor.Dense), nil
}
