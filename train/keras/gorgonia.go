package keras

import (
	"context"
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/op"
)

// kerasGorgonia evaluates the file's own nodes, one after the other, with
// Gorgonia's operators: nothing of what they were recognised as plays a part in
// it, but for constants and shapes, which have been computed.
func (s *subject) kerasGorgonia(ctx context.Context, _ runtime.Options) (evaluation, error) {
	values := map[string]*tensor.Dense{}
	in := s.kerasInputs()
	for _, port := range s.net.inputs {
		if !port.label {
			values[port.name] = in[port.name]
		}
	}
	for _, n := range s.graph.Graph.Node {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		to := s.net.values[n.Output[0]].act
		if to == nil { // a constant, or arithmetic on labels
			continue
		}
		y, err := s.run(n, values, append([]int{s.batch}, to.dims...))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", describeNode(n), err)
		}
		values[n.Output[0]] = y
	}
	return s.kerasValues(values)
}

// run evaluates a node that makes a value of the given shape.
func (s *subject) run(n *onnxpb.NodeProto, values map[string]*tensor.Dense, shape []int) (*tensor.Dense, error) {
	g := gorgonia.NewGraph()
	node := func(v *tensor.Dense) *gorgonia.Node {
		return gorgonia.NewTensor(g, v.Dtype(), v.Dims(), gorgonia.WithShape(v.Shape()...),
			gorgonia.WithName(fmt.Sprint("input", len(g.AllNodes()))), gorgonia.WithValue(v))
	}
	var acts []*tensor.Dense
	var constants []*constant
	for _, name := range n.Input {
		if v := values[name]; v != nil {
			acts = append(acts, v)
		} else if c := s.net.values[name].constant; c != nil {
			constants = append(constants, c)
		}
	}
	weight := func(i int, dims ...int) *gorgonia.Node {
		if i >= len(constants) {
			return nil
		}
		return node(tensor.New(tensor.WithShape(dims...), tensor.WithBacking(constants[i].floats)))
	}
	if n.OpType == "Gather" {
		rows, err := op.Embedding(weight(0, constants[0].dims...), node(s.inputs[len(s.inputs)-1]))
		return evaluated(g, rows, err, shape)
	}
	x := acts[0]
	var y *gorgonia.Node
	var err error
	switch n.OpType {
	case "Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze":
		return reshaped(x, shape), nil
	case "Transpose":
		perm, _ := permutation(n, x.Dims()) // it has been read
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(rearranged(x.Float32s(), permuted(x.Shape(), perm)))), nil
	case "LeakyRelu":
		y, err = op.LeakyReLU(node(x), s.net.values[n.Output[0]].act.layer.Layer.(arch.LeakyReLU).Slope)
	case "Relu":
		y, err = op.ReLU(node(x))
	case "Tanh":
		y, err = op.Tanh(node(x))
	case "Sigmoid":
		y, err = op.Sigmoid(node(x))
	case "MatMul":
		rows := reshaped(x, []int{x.Size() / constants[0].dims[0], constants[0].dims[0]})
		y, err = op.Dense(node(rows), weight(0, constants[0].dims...), nil)
	case "Conv", "ConvTranspose":
		var geometry geometry
		if geometry, err = readGeometry(n, constants[0]); err != nil {
			return nil, err
		}
		w, bias := weight(0, constants[0].dims...), (*gorgonia.Node)(nil)
		if len(constants) > 1 {
			bias = weight(1, constants[1].size())
		}
		if n.OpType == "Conv" {
			y, err = op.Conv2D(node(x), w, bias, geometry.Geometry)
		} else {
			y, err = op.ConvTranspose2D(node(x), w, bias, geometry.Geometry, shape[2], shape[3])
		}
	case "Concat":
		var axis int
		if axis, err = axisOf(intAttribute(n, "axis", 0), len(shape)); err != nil {
			return nil, err
		}
		y, err = op.Concat(axis, node(acts[0]), node(acts[1]))
	case "Add", "Mul":
		dims := slices.Concat(slices.Repeat([]int{1}, len(shape)-len(constants[0].dims)), constants[0].dims)
		var along []byte // axes of size 1, which are broadcast
		for i, d := range dims {
			if d != shape[i] {
				along = append(along, byte(i))
			}
		}
		if n.OpType == "Add" {
			y, err = gorgonia.BroadcastAdd(node(x), weight(0, dims...), nil, along)
		} else {
			y, err = gorgonia.BroadcastHadamardProd(node(x), weight(0, dims...), nil, along)
		}
	default:
		return nil, fmt.Errorf("has no form on Gorgonia")
	}
	return evaluated(g, y, err, shape)
}

// evaluated runs a graph and returns a node's value in a shape.
func evaluated(g *gorgonia.ExprGraph, y *gorgonia.Node, err error, shape []int) (*tensor.Dense, error) {
	if err != nil {
		return nil, err
	}
	var v gorgonia.Value
	gorgonia.Read(y, &v)
	vm := gorgonia.NewTapeMachine(g)
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		return nil, err
	}
	d, ok := v.(*tensor.Dense)
	if !ok || d.Size() != tensor.Shape(shape).TotalSize() {
		return nil, fmt.Errorf("makes no array of %v", shape)
	}
	return reshaped(d, shape), nil
}

// reshaped is a copy of an array in another shape.
func reshaped(v *tensor.Dense, shape []int) *tensor.Dense {
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(slices.Clone(v.Float32s())))
}
