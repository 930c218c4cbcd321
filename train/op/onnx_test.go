package op_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/runtime"
)

// checkONNX runs the forward and the backward pass in float32 on the tape
// machine, then each of their operators by itself on ONNX Runtime, on what it
// was given there. worst collects the largest difference of each operator.
func checkONNX(t *testing.T, r row, values []array, worst map[string]float64) float64 {
	t.Helper()
	weight := outputWeight(newMachine(t, r, tensor.Float64, values).forward(t).shape)
	d := newGradients(t, r, tensor.Float32, values, weight)
	var nodes []*gorgonia.Node
	for _, n := range d.graph.AllNodes() {
		if ours(n) {
			nodes = append(nodes, n)
		}
	}
	for _, n := range nodes {
		d.keep(n)
		for _, child := range operandsOf(n) {
			d.keep(child)
		}
	}
	d.compile(t)
	d.run(t)
	largest := 0.0
	for _, n := range nodes {
		var operands []*tensor.Dense
		for _, child := range operandsOf(n) {
			operands = append(operands, asDense(*d.read[child]))
		}
		got := runAlone(t, n.Op(), operands)
		diff := difference(got.data, toArray(t, *d.read[n]).data)
		name, _, _ := strings.Cut(n.Op().String(), "{")
		if !(diff <= onnxTolerance) {
			t.Errorf("%v: ONNX Runtime differs from the tape machine by %.2e, want at most %.0e", n.Op(), diff, onnxTolerance)
		}
		worst[name] = math.Max(worst[name], diff)
		largest = math.Max(largest, diff)
	}
	return largest
}

// ours reports whether a node is an operator of this package.
func ours(n *gorgonia.Node) bool {
	_, ok := n.Op().(export.Operator)
	return ok
}

// operandsOf lists the operands of a node in their order.
func operandsOf(n *gorgonia.Node) []*gorgonia.Node {
	var out []*gorgonia.Node
	for it := n.Graph().From(n.ID()); it.Next(); {
		out = append(out, it.Node().(*gorgonia.Node))
	}
	return out
}

func asDense(v gorgonia.Value) *tensor.Dense {
	if d, ok := v.(*tensor.Dense); ok {
		return d
	}
	return tensor.New(tensor.FromScalar(v.Data()))
}

// runAlone exports a model that holds one operator and runs it on ONNX
// Runtime.
func runAlone(t *testing.T, o gorgonia.Op, operands []*tensor.Dense) array {
	t.Helper()
	g := gorgonia.NewGraph()
	model := export.Model{Name: "operator"}
	fed := map[string]*tensor.Dense{}
	var nodes []*gorgonia.Node
	for i, v := range operands {
		name := fmt.Sprintf("x%d", i)
		n := input(g, name, v)
		nodes = append(nodes, n)
		model.Inputs = append(model.Inputs, export.Port{Name: name, Node: n})
		fed[name] = v
	}
	out, err := gorgonia.ApplyOp(o, nodes...)
	if err != nil {
		t.Fatal(err)
	}
	model.Outputs = []export.Port{{Name: "y", Node: out}}
	p, err := export.Graph(model)
	if err != nil {
		t.Fatal(err)
	}
	bytes, err := proto.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	session, err := runtime.Load(t.Context(), bytes, runtime.Options{})
	if err != nil {
		t.Fatalf("%v: %v", o, err)
	}
	defer session.Close()
	got, err := session.Run(t.Context(), fed)
	if err != nil {
		t.Fatalf("%v: %v", o, err)
	}
	y := toArray(t, got["y"])
	if want := []int(out.Shape()); fmt.Sprint(y.shape) != fmt.Sprint(want) {
		t.Fatalf("%v: ONNX Runtime gives shape %v, want %v", o, y.shape, want)
	}
	return y
}
