// Package export writes a Gorgonia graph as an ONNX model.
//
// An operator takes part by implementing [Operator]. A graph that holds one
// which does not, or a shape that its ONNX form can't express, is refused with
// every offending node named: there is never a silently wrong file.
package export

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"

	"github.com/gantrain/gantrain/export/onnxpb"
)

const (
	opset     = 15 // every current runtime loads it
	irVersion = 8  // the one that came with opset 15
)

// Port is a value that enters or leaves a model under a name of its own.
type Port struct {
	Name string
	Node *gorgonia.Node
}

// Model says what to export and under which names.
type Model struct {
	Name    string // of the graph: "generator"
	Inputs  []Port // nodes without an operator; every other such node becomes an initializer
	Outputs []Port

	// BatchAxis, when not empty, names the first axis of the inputs: the model
	// then runs at any batch size, not just the one the graph was built with.
	BatchAxis string

	Producer, ProducerVersion string
	Metadata                  map[string]string // stored sorted by key
}

// Graph walks the graph from the model's outputs to its inputs and returns the
// ONNX model: opset 15, IR version 8, kernels and constants as initializers,
// the names of nodes as set with gorgonia.WithName. The same graph with the
// same values gives the same model, which shares the memory of the weights: write
// it, or marshal it, before they change. The error names every node that can't be
// exported, on one line.
func Graph(m Model) (*onnxpb.ModelProto, error) {
	if err := checkPorts(m); err != nil {
		return nil, err
	}
	w := newWriter(m)
	for _, p := range m.Outputs {
		w.rename(p.Node, p.Name)
	}
	for _, p := range m.Inputs {
		if err := w.input(p); err != nil {
			return nil, err
		}
	}
	var refused refusals
	for _, p := range m.Outputs {
		order, err := topological(p.Node, w.seen)
		if err != nil {
			return nil, err
		}
		for _, n := range order {
			if err := w.node(n); err != nil {
				refused = append(refused, err)
			}
		}
	}
	if len(refused) > 0 {
		return nil, refused
	}
	for _, p := range m.Outputs {
		w.graph.Output = append(w.graph.Output, w.valueInfo(p.Node, p.Name))
	}
	model := &onnxpb.ModelProto{
		IrVersion:       irVersion,
		OpsetImport:     []*onnxpb.OperatorSetIdProto{{Version: opset}},
		ProducerName:    m.Producer,
		ProducerVersion: m.ProducerVersion,
		Graph:           w.graph,
	}
	for _, key := range slices.Sorted(maps.Keys(m.Metadata)) {
		model.MetadataProps = append(model.MetadataProps, &onnxpb.StringStringEntryProto{Key: key, Value: m.Metadata[key]})
	}
	return model, nil
}

// refusals says what can't be exported, on one line.
type refusals []error

func (r refusals) Error() string {
	lines := make([]string, len(r))
	for i, err := range r {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "; ")
}

func (r refusals) Unwrap() []error { return r }

// checkPorts checks that each port has a name and a node of its own, inputs
// without an operator, outputs with one.
func checkPorts(m Model) error {
	if len(m.Outputs) == 0 {
		return fmt.Errorf("export: model %q has no outputs", m.Name)
	}
	names, nodes := map[string]bool{}, map[*gorgonia.Node]bool{}
	for i, p := range slices.Concat(m.Inputs, m.Outputs) {
		isInput := i < len(m.Inputs)
		switch {
		case p.Name == "":
			return fmt.Errorf("export: an input or output of model %q has no name", m.Name)
		case names[p.Name]:
			return fmt.Errorf("export: two inputs or outputs are called %q", p.Name)
		case isInput && (p.Node == nil || p.Node.Op() != nil):
			return fmt.Errorf("export: input %q is not an input of the graph", p.Name)
		case !isInput && (p.Node == nil || p.Node.Op() == nil):
			return fmt.Errorf("export: output %q is not computed by the graph", p.Name)
		case nodes[p.Node]:
			return fmt.Errorf("export: %q is a second name for one node, %s", p.Name, describe(p.Node))
		}
		names[p.Name], nodes[p.Node] = true, true
	}
	return nil
}

// topological returns the nodes that root needs and that are not in seen, each
// after those it depends on, and adds them to seen.
func topological(root *gorgonia.Node, seen map[*gorgonia.Node]bool) (gorgonia.Nodes, error) {
	var order gorgonia.Nodes
	open := map[*gorgonia.Node]bool{}
	stack := gorgonia.Nodes{root}
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		if seen[n] {
			stack = stack[:len(stack)-1]
			continue
		}
		if open[n] { // its children are done
			seen[n] = true
			order = append(order, n)
			stack = stack[:len(stack)-1]
			continue
		}
		open[n] = true
		for _, c := range slices.Backward(needs(n)) {
			if open[c] && !seen[c] {
				return nil, fmt.Errorf("export: node %s depends on itself", describe(c))
			}
			if !seen[c] {
				stack = append(stack, c)
			}
		}
	}
	return order, nil
}

// needs returns the nodes that a node is written from, or its children if it
// can't be written.
func needs(n *gorgonia.Node) gorgonia.Nodes {
	if n.Op() == nil {
		return nil
	}
	if f, err := formOf(n); err == nil {
		return f.in
	}
	return children(n)
}

// children returns the inputs of a node in their order, repeats included.
func children(n *gorgonia.Node) gorgonia.Nodes {
	it := n.Graph().From(n.ID())
	var out gorgonia.Nodes
	for it.Next() {
		out = append(out, it.Node().(*gorgonia.Node))
	}
	return out
}

// describe names a node in an error.
func describe(n *gorgonia.Node) string {
	name, ok := named(n)
	switch {
	case n.Op() == nil && ok:
		return fmt.Sprintf("%q", name)
	case n.Op() == nil:
		return fmt.Sprintf("an input of shape %v without a name", n.Shape())
	case ok:
		return fmt.Sprintf("%q (%v)", name, n.Op())
	}
	return fmt.Sprintf("%v of shape %v", n.Op(), n.Shape())
}
