package pass

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// builder adds nodes and constants to a graph under names of their own.
type builder struct {
	graph     *onnxpb.GraphProto
	values    names
	nodes     names
	constants map[string]string // by type, shape and bytes
}

// newBuilder begins a graph that is to have the inputs, outputs and
// initializers of another one; its names are taken.
func newBuilder(g *onnxpb.GraphProto) *builder {
	b := &builder{
		graph:  &onnxpb.GraphProto{Name: g.Name, DocString: g.DocString, Input: slices.Clone(g.Input), Output: g.Output, Initializer: g.Initializer},
		values: names{}, nodes: names{}, constants: map[string]string{},
	}
	for _, v := range append(g.Input[:len(g.Input):len(g.Input)], g.Output...) {
		b.values[v.Name] = true
	}
	for _, t := range g.Initializer {
		b.values[t.Name] = true
	}
	for _, n := range g.Node {
		b.nodes[n.Name] = true
		for _, name := range n.Output {
			b.values[name] = true
		}
	}
	return b
}

// add adds a node and returns the name of its output.
func (b *builder) add(scope, opType string, inputs []string, attributes ...*onnxpb.AttributeProto) string {
	name := b.nodes.claim(scope + "/" + opType)
	out := b.values.claim(name)
	b.graph.Node = append(b.graph.Node, &onnxpb.NodeProto{Name: name, OpType: opType, Input: inputs, Output: []string{out}, Attribute: attributes})
	return out
}

// reshape views a value in another shape; 0 keeps an axis, -1 is the rest.
func (b *builder) reshape(scope, x string, to ...int) string {
	return b.add(scope, "Reshape", []string{x, b.ints(to...)})
}

func (b *builder) transpose(scope, x string, perm ...int) string {
	return b.add(scope, "Transpose", []string{x}, intsOf("perm", perm...))
}

// ints returns a constant int64 vector.
func (b *builder) ints(v ...int) string {
	raw := make([]byte, 0, 8*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(x))
	}
	return b.constant(onnxpb.TensorProto_INT64, raw, len(v))
}

// floats returns a constant float32 array.
func (b *builder) floats(v []float64, shape ...int) string {
	raw := make([]byte, 0, 4*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(x)))
	}
	return b.constant(onnxpb.TensorProto_FLOAT, raw, shape...)
}

func (b *builder) matrix(m matrix) string { return b.floats(m.data, m.rows, m.columns) }

// matrices returns constant matrices of one size as [number, rows, columns].
func (b *builder) matrices(m []matrix) string {
	var data []float64
	for _, one := range m {
		data = append(data, one.data...)
	}
	return b.floats(data, len(m), m[0].rows, m[0].columns)
}

func (b *builder) constant(t onnxpb.TensorProto_DataType, raw []byte, shape ...int) string {
	key := fmt.Sprint(t, shape, string(raw))
	if name, ok := b.constants[key]; ok {
		return name
	}
	name := b.values.claim("constant")
	dims := make([]int64, len(shape))
	for i, d := range shape {
		dims[i] = int64(d)
	}
	b.graph.Initializer = append(b.graph.Initializer, &onnxpb.TensorProto{Name: name, DataType: int32(t), Dims: dims, RawData: raw})
	b.constants[key] = name
	return name
}

func intOf(name string, v int) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_INT, I: new(int64(v))}
}

func intsOf(name string, v ...int) *onnxpb.AttributeProto {
	a := &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_INTS}
	for _, x := range v {
		a.Ints = append(a.Ints, int64(x))
	}
	return a
}
