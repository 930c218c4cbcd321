package op_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// machine is the graph of one row, ready to run.
type machine struct {
	graph *gorgonia.ExprGraph
	in    []*gorgonia.Node
	out   *gorgonia.Node
	vm    gorgonia.VM
}

// inputs adds nodes that hold the values of a row's operands.
func inputs(g *gorgonia.ExprGraph, r row, dt tensor.Dtype, values []array) []*gorgonia.Node {
	nodes := make([]*gorgonia.Node, len(values))
	for i, v := range values {
		of := dt
		if whole := r.operands[i].of; whole.Type != nil {
			of = whole
		}
		nodes[i] = input(g, fmt.Sprintf("x%d", i), v.dense(of))
	}
	return nodes
}

// input adds a node that holds v.
func input(g *gorgonia.ExprGraph, name string, v *tensor.Dense) *gorgonia.Node {
	if v.IsScalar() {
		return gorgonia.NewScalar(g, v.Dtype(), gorgonia.WithName(name), gorgonia.WithValue(v.ScalarValue()))
	}
	return gorgonia.NewTensor(g, v.Dtype(), v.Dims(), gorgonia.WithShape(v.Shape()...), gorgonia.WithName(name), gorgonia.WithValue(v))
}

func newMachine(t testing.TB, r row, dt tensor.Dtype, values []array) *machine {
	t.Helper()
	m := newGraph(t, r, dt, values)
	m.compile(t)
	return m
}

func newGraph(t testing.TB, r row, dt tensor.Dtype, values []array) *machine {
	t.Helper()
	m := &machine{graph: gorgonia.NewGraph()}
	m.in = inputs(m.graph, r, dt, values)
	out, err := r.build(m.in)
	if err != nil {
		t.Fatal(err)
	}
	m.out = out
	return m
}

func (m *machine) compile(t testing.TB) {
	m.vm = gorgonia.NewTapeMachine(m.graph)
	t.Cleanup(func() { m.vm.Close() })
}

func (m *machine) run(t testing.TB) {
	t.Helper()
	m.vm.Reset()
	if err := m.vm.RunAll(); err != nil {
		t.Fatal(err)
	}
}

// last is the value of the output in the latest run of a graph in which
// nothing consumes it.
func (m *machine) last() gorgonia.Value {
	return m.out.Op().(interface{ Last() gorgonia.Value }).Last()
}

func (m *machine) forward(t testing.TB) array {
	t.Helper()
	m.run(t)
	return toArray(t, m.last())
}

// gradients is the backward pass of Σ output·weight through a row.
type gradients struct {
	*machine
	read map[*gorgonia.Node]*gorgonia.Value // copies of the nodes' values
	of   []*gorgonia.Node                   // for each operand; nil where it has none
}

// newGradients differentiates by every operand that isn't fixed; nil where all
// of them are.
func newGradients(t testing.TB, r row, dt tensor.Dtype, values []array, weight array) *gradients {
	t.Helper()
	m := newGraph(t, r, dt, values)
	d := &gradients{machine: m, read: map[*gorgonia.Node]*gorgonia.Value{}, of: make([]*gorgonia.Node, len(values))}
	var by gorgonia.Nodes
	var places []int
	for i, o := range r.operands {
		if !o.fixed {
			by, places = append(by, m.in[i]), append(places, i)
		}
	}
	if len(by) > 0 {
		cost := gorgonia.Must(gorgonia.HadamardProd(m.out, input(m.graph, "weight", weight.dense(dt))))
		if len(weight.shape) > 0 {
			cost = gorgonia.Must(gorgonia.Sum(cost))
		}
		grads, err := gorgonia.Grad(cost, by...)
		if err != nil {
			t.Fatal(err)
		}
		for i, g := range grads {
			d.of[places[i]] = g
		}
	}
	return d
}

// keep makes the machine copy the value of a node when it has it. Call it
// before the machine is compiled.
func (d *gradients) keep(n *gorgonia.Node) {
	if d.read[n] == nil {
		d.read[n] = new(gorgonia.Value)
		gorgonia.Read(n, d.read[n])
	}
}

// outputWeight is drawn once for a shape.
func outputWeight(shape []int) array {
	random := rand.New(rand.NewPCG(3, 4))
	return newArray(shape...).mapped(func(int) float64 { return float64(float32(random.NormFloat64())) })
}
