package gorgonia

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/runtime"
)

// operand is a value of the model: a constant, or a node of the graph.
type operand struct {
	array
	node *gorgonia.Node // nil for a constant
}

func (o operand) constant() bool { return o.node == nil }

// program is a model compiled for inputs of given shapes.
type program struct {
	key     string
	inputs  []*gorgonia.Node // by the model's order
	values  map[string]operand
	machine gorgonia.VM // nil where nothing depends on the inputs
	numbers int         // of all arrays that a run fills
}

// compiler builds a program's graph. Whatever depends on shapes and weights only
// is computed meanwhile.
type compiler struct {
	graph    *gorgonia.ExprGraph
	label    string // of the node at work
	count    int    // makes names and hashes unique
	numbers  int    // of all arrays that a run fills
	folded   int    // of all constants that were computed
	foldable int    // at most
	computed gorgonia.Nodes
}

// compile builds the graph for inputs of these shapes.
func (m *model) compile(key string, shapes []tensor.Shape) (p *program, err error) {
	c := &compiler{graph: gorgonia.NewGraph(), foldable: 16*m.elements + 1<<20}
	defer func() {
		if r := recover(); r != nil {
			p, err = nil, fmt.Errorf("%s: %v", c.label, r)
		}
	}()
	p = &program{key: key, values: map[string]operand{}}
	for name, a := range m.weights {
		p.values[name] = operand{array: a}
	}
	for i, port := range m.inputs {
		if len(shapes[i]) == 0 || shapes[i].TotalSize() == 0 {
			return nil, fmt.Errorf("input %s has shape %v: want at least one axis and one element", quoted(port.Name), []int(shapes[i]))
		}
		c.label = "input " + quoted(port.Name)
		if err := c.spend(shapes[i]); err != nil {
			return nil, err
		}
		// Names of their own: Gorgonia merges inputs of one name.
		n := gorgonia.NewTensor(c.graph, port.Dtype, len(shapes[i]), gorgonia.WithShape(shapes[i]...), gorgonia.WithName(fmt.Sprintf("input %d", i)))
		p.inputs = append(p.inputs, n)
		p.values[port.Name] = operand{array{dtype: port.Dtype, shape: shapes[i].Clone()}, n}
	}
	for _, n := range m.nodes {
		c.label = n.label
		in := make([]operand, len(n.inputs))
		for i, name := range n.inputs {
			in[i] = p.values[name] // zero where the input is left out
		}
		y, err := n.build(c, in)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.label, oneLine(err))
		}
		p.values[n.outputs[0]] = y
	}
	p.numbers = c.numbers
	if len(c.computed) > 0 {
		p.machine = gorgonia.NewTapeMachine(c.graph.SubgraphRoots(c.computed...))
	}
	return p, nil
}

// spend counts the elements of an array that a run fills.
func (c *compiler) spend(shape []int) error {
	n, err := sizeOf(shape)
	if err != nil {
		return err
	}
	if c.numbers += n; c.numbers > maxNumbers {
		return fmt.Errorf("a run would fill more than %d numbers: give the model fewer examples at a time", maxNumbers)
	}
	return nil
}

// emit computes a plan, or adds it to the graph.
func (c *compiler) emit(name string, p plan, in ...operand) (operand, error) {
	n, err := sizeOf(p.shape)
	if err != nil {
		return operand{}, err
	}
	arrays := make([]array, len(in))
	var nodes gorgonia.Nodes
	for i, o := range in {
		arrays[i] = o.array
		if !o.constant() {
			nodes = append(nodes, o.node)
		}
	}
	if len(nodes) == 0 {
		if c.folded += n; c.folded > c.foldable {
			return operand{}, fmt.Errorf("constants of more than %d elements", c.foldable)
		}
		y, err := newArray(p.dtype, p.shape)
		if err != nil {
			return operand{}, err
		}
		return operand{array: y}, p.compute(y, arrays)
	}
	if len(p.shape) == 0 || n == 0 {
		return operand{}, fmt.Errorf("an array of shape %v that depends on the inputs' values: want at least one axis and one element", p.shape)
	}
	c.count++
	h := &host{plan: p, name: name, id: c.count, operands: arrays}
	return c.computes(gorgonia.ApplyOp(h, nodes...))
}

// computes takes a node that an operator has just been made into.
func (c *compiler) computes(n *gorgonia.Node, err error) (operand, error) {
	if err != nil {
		return operand{}, err
	}
	if err := c.spend(n.Shape()); err != nil {
		return operand{}, err
	}
	c.computed = append(c.computed, n)
	return operand{array{dtype: n.Dtype(), shape: n.Shape().Clone()}, n}, nil
}

// node returns an operand's node, made of a constant where need be.
func (c *compiler) node(o operand) (*gorgonia.Node, error) {
	if !o.constant() {
		return o.node, nil
	}
	if o.dtype != tensor.Float32 && o.dtype != tensor.Float64 || len(o.shape) == 0 || o.size() == 0 {
		return nil, fmt.Errorf("a constant %v: want an array of floats", o.array)
	}
	c.count++
	return gorgonia.NewTensor(c.graph, o.dtype, len(o.shape), gorgonia.WithShape(o.shape...),
		gorgonia.WithName(fmt.Sprintf("constant %d", c.count)), gorgonia.WithValue(o.shared())), nil
}

func (c *compiler) nodes(in []operand) (gorgonia.Nodes, error) {
	nodes := make(gorgonia.Nodes, len(in))
	for i, o := range in {
		var err error
		if nodes[i], err = c.node(o); err != nil {
			return nil, err
		}
	}
	return nodes, nil
}

// oneLine is for errors of Gorgonia, which has some of several.
func oneLine(err error) error {
	if text := err.Error(); strings.ContainsAny(text, "\n\r") {
		return errors.New(strings.Join(strings.Fields(text), " "))
	}
	return err
}

// run computes all values of the program.
func (p *program) run(ctx context.Context, ports []runtime.Port, in map[string]*tensor.Dense) error {
	for i, port := range ports {
		if err := gorgonia.Let(p.inputs[i], in[port.Name]); err != nil {
			return fmt.Errorf("input %s: %w", quoted(port.Name), err)
		}
	}
	if p.machine == nil {
		return ctx.Err()
	}
	defer p.machine.Reset()
	if err := p.machine.RunAll(); err != nil {
		return oneLine(err)
	}
	return ctx.Err()
}

// keeper is an operator that keeps what it computed, until its next run.
type keeper interface{ Last() gorgonia.Value }

// value returns a copy of a value of the last run.
func (p *program) value(name string) (*tensor.Dense, error) {
	o, ok := p.values[name]
	if !ok {
		return nil, fmt.Errorf("the model has no value %s", quoted(name))
	}
	if !o.constant() {
		v := o.node.Value()
		if k, ok := o.node.Op().(keeper); ok {
			v = k.Last()
		}
		if v == nil {
			return nil, fmt.Errorf("value %s was not computed", quoted(name))
		}
		o.data = v.Data()
	}
	d, err := o.dense()
	if err != nil {
		return nil, fmt.Errorf("value %s: %w", quoted(name), err)
	}
	return d, nil
}
