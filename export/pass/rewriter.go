package pass

import (
	"encoding/binary"
	"math"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// rewriter replaces nodes of a graph, one by one, by others that compute the
// same.
type rewriter struct {
	*builder  // holds the nodes added
	source    *onnxpb.GraphProto
	producers map[string]*onnxpb.NodeProto
	readers   map[string][]*onnxpb.NodeProto // a node once for each time that it reads
	users     map[string]int                 // how often a value is read, as an output too
	scalars   map[string]float64
}

func newRewriter(g *onnxpb.GraphProto) *rewriter {
	r := &rewriter{
		builder: newBuilder(g), source: g,
		producers: map[string]*onnxpb.NodeProto{}, readers: map[string][]*onnxpb.NodeProto{}, users: users(g), scalars: map[string]float64{},
	}
	for _, n := range g.Node {
		for _, name := range n.Output {
			r.producers[name] = n
		}
		for _, name := range n.Input {
			r.readers[name] = append(r.readers[name], n)
		}
	}
	given := inputs(g)
	for _, t := range g.Initializer {
		if !given[t.Name] && onnxpb.TensorProto_DataType(t.DataType) == onnxpb.TensorProto_FLOAT && len(t.Dims) == 0 && len(t.RawData) == 4 {
			r.scalars[t.Name] = float64(math.Float32frombits(binary.LittleEndian.Uint32(t.RawData)))
		}
	}
	return r
}

// users counts how often each value of a graph is read, by nodes and as an
// output.
func users(g *onnxpb.GraphProto) map[string]int {
	count := map[string]int{}
	for _, n := range g.Node {
		for _, name := range n.Input {
			count[name]++
		}
	}
	for _, v := range g.Output {
		count[v.Name]++
	}
	return count
}

// producer returns the node that computes a value if it is of a type.
func (r *rewriter) producer(value, opType string) *onnxpb.NodeProto {
	if n := r.producers[value]; n.GetOpType() == opType && n.GetDomain() == "" {
		return n
	}
	return nil
}

// scalar returns the number that a constant float32 of shape () holds.
func (r *rewriter) scalar(value string) (float64, bool) {
	v, ok := r.scalars[value]
	return v, ok
}

// product makes a node the product of two values.
func (r *rewriter) product(n *onnxpb.NodeProto, a, b string) {
	n.OpType, n.Input, n.Attribute = "Mul", []string{a, b}, nil
}

// finish gives the graph the nodes added, each before its first reader, and
// removes what stands twice or what nothing needs any more.
func (r *rewriter) finish(m *onnxpb.ModelProto) {
	added := map[string]*onnxpb.NodeProto{}
	for _, n := range r.graph.Node {
		added[n.Output[0]] = n
	}
	var nodes []*onnxpb.NodeProto
	var place func(n *onnxpb.NodeProto)
	place = func(n *onnxpb.NodeProto) {
		for _, in := range n.Input {
			if before, ok := added[in]; ok {
				delete(added, in)
				place(before)
			}
		}
		nodes = append(nodes, n)
	}
	for _, n := range r.source.Node {
		place(n)
	}
	m.Graph.Node, m.Graph.Initializer = nodes, r.graph.Initializer
	Dedupe(m)
}
