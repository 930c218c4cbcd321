package gorgonia

import (
	"errors"
	"fmt"
	"slices"

	"github.com/owulveryck/onnx-go"
	"gonum.org/v1/gonum/graph"
	"gonum.org/v1/gonum/graph/simple"
	"google.golang.org/protobuf/proto"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// operation is what onnx-go tells of a node.
type operation struct {
	onnx.Operation
	inputs []string
}

// recorder is the backend that onnx-go decodes a graph into: it keeps the
// operators in order, each with its operands. Its nodes carry names and no
// tensors, which onnx-go would allocate as large as a file says.
type recorder struct {
	*simple.WeightedDirectedGraph
	operands   []graph.WeightedEdge // of the node at work
	operations []operation
}

// named is a node of onnx-go's graph.
type named struct {
	graph.Node
	name string
}

func (v *named) SetName(name string) { v.name = name }
func (v *named) GetName() string     { return v.name }

var (
	_ onnx.Backend = (*recorder)(nil)
	_ onnx.Namer   = (*named)(nil)
)

// NewNode implements onnx.Backend, as do the other methods.
func (r *recorder) NewNode() graph.Node { return &named{Node: r.WeightedDirectedGraph.NewNode()} }

// SetWeightedEdge keeps every edge: a graph would keep one of the two that an
// operator has to an operand that it uses twice.
func (r *recorder) SetWeightedEdge(e graph.WeightedEdge) { r.operands = append(r.operands, e) }

// NewWeightedEdge goes from an output of a node to an operand; the weight is the
// operand's position.
func (r *recorder) NewWeightedEdge(from, to graph.Node, weight float64) graph.WeightedEdge {
	return simple.WeightedEdge{F: from, T: to, W: weight}
}

// ApplyOperation comes after the edges of a node, once for each.
func (r *recorder) ApplyOperation(o onnx.Operation, outputs ...graph.Node) error {
	done := operation{Operation: o}
	for _, e := range r.operands {
		if e.From().ID() == outputs[0].ID() {
			if int(e.Weight()) != len(done.inputs) {
				return fmt.Errorf("%s: operands out of order", short(o.Name))
			}
			done.inputs = append(done.inputs, e.To().(*named).name)
		}
	}
	r.operands = r.operands[:0]
	r.operations = append(r.operations, done)
	return nil
}

// decode has onnx-go read the nodes of a checked model. It is given nothing but
// names and simple attributes: not the types, of which it loses the symbolic
// axes, nor any tensor.
func decode(file *onnxpb.ModelProto) (operations []operation, err error) {
	bare := &onnxpb.GraphProto{}
	for i, n := range file.Graph.Node {
		for k, a := range n.Attribute {
			if !plain[a.Type] {
				return nil, fmt.Errorf("%s: attribute %s is of type %v, which is not supported", labelOf(i, n), quoted(a.Name), a.Type)
			}
			if slices.ContainsFunc(n.Attribute[:k], func(b *onnxpb.AttributeProto) bool { return a.Name == b.Name }) {
				return nil, fmt.Errorf("%s: attribute %s is there twice", labelOf(i, n), quoted(a.Name))
			}
			if a.RefAttrName != "" {
				return nil, fmt.Errorf("%s: attribute %s refers to another, outside of a function", labelOf(i, n), quoted(a.Name))
			}
		}
		bare.Node = append(bare.Node, &onnxpb.NodeProto{Name: n.Name, OpType: n.OpType, Input: n.Input, Output: n.Output, Attribute: n.Attribute})
	}
	if len(bare.Node) == 0 {
		return nil, errors.New("the model has no nodes")
	}
	for _, o := range file.Graph.Output {
		bare.Output = append(bare.Output, &onnxpb.ValueInfoProto{Name: o.Name})
	}
	data, err := proto.Marshal(&onnxpb.ModelProto{IrVersion: file.IrVersion, OpsetImport: file.OpsetImport, Graph: bare})
	if err != nil {
		return nil, err
	}
	defer func() {
		if p := recover(); p != nil {
			operations, err = nil, fmt.Errorf("onnx-go: %v", p)
		}
	}()
	r := &recorder{WeightedDirectedGraph: simple.NewWeightedDirectedGraph(0, 0)}
	if err := onnx.NewModel(r).UnmarshalBinary(data); err != nil {
		return nil, err
	}
	if len(r.operations) != len(file.Graph.Node) {
		return nil, fmt.Errorf("onnx-go gave %d operators of %d", len(r.operations), len(file.Graph.Node))
	}
	return r.operations, nil
}

// plain are the types of attributes that the known operators have.
var plain = map[onnxpb.AttributeProto_AttributeType]bool{
	onnxpb.AttributeProto_FLOAT: true, onnxpb.AttributeProto_INT: true, onnxpb.AttributeProto_STRING: true,
	onnxpb.AttributeProto_FLOATS: true, onnxpb.AttributeProto_INTS: true, onnxpb.AttributeProto_STRINGS: true,
}
