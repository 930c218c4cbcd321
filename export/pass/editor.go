package pass

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// editor changes single nodes and weights of a graph where they stand.
type editor struct {
	graph     *onnxpb.GraphProto
	values    names
	nodes     names
	producers map[string]*onnxpb.NodeProto
	users     map[string]int // how often a value is read, as an output too
	weights   map[string]*onnxpb.TensorProto
}

func newEditor(g *onnxpb.GraphProto) *editor {
	b := newBuilder(g)
	e := &editor{
		graph: g, values: b.values, nodes: b.nodes,
		producers: map[string]*onnxpb.NodeProto{}, users: users(g), weights: map[string]*onnxpb.TensorProto{},
	}
	for _, n := range g.Node {
		for _, name := range n.Output {
			e.producers[name] = n
		}
	}
	given := inputs(g)
	for _, t := range g.Initializer {
		if !given[t.Name] { // a caller may replace it
			e.weights[t.Name] = t
		}
	}
	return e
}

// floats are the numbers of a weight, or nil if it is none in float32.
func (e *editor) floats(name string) []float64 {
	t := e.weights[name]
	if onnxpb.TensorProto_DataType(t.GetDataType()) != onnxpb.TensorProto_FLOAT || t.DataLocation != onnxpb.TensorProto_DEFAULT {
		return nil
	}
	v := make([]float64, len(t.RawData)/4)
	for i := range v {
		v[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(t.RawData[4*i:])))
	}
	size := 1
	for _, d := range t.Dims {
		size *= int(d)
	}
	if size != len(v) {
		return nil
	}
	return v
}

func (e *editor) ints(name string) ([]int, bool) {
	if t := e.weights[name]; t != nil {
		return ints(t)
	}
	return nil, false
}

// setFloats gives a weight other numbers. The old ones may be an array's that is
// in use elsewhere.
func (e *editor) setFloats(t *onnxpb.TensorProto, v []float64) {
	t.RawData = make([]byte, 0, 4*len(v))
	for _, x := range v {
		t.RawData = binary.LittleEndian.AppendUint32(t.RawData, math.Float32bits(float32(x)))
	}
}

// addFloats adds a weight and returns its name.
func (e *editor) addFloats(name string, v []float64, shape ...int) string {
	t := &onnxpb.TensorProto{Name: e.values.claim(name), DataType: int32(onnxpb.TensorProto_FLOAT)}
	for _, s := range shape {
		t.Dims = append(t.Dims, int64(s))
	}
	e.setFloats(t, v)
	e.add(t)
	return t.Name
}

// addInts adds a list of whole numbers and returns its name.
func (e *editor) addInts(name string, v ...int) string {
	t := &onnxpb.TensorProto{Name: e.values.claim(name), DataType: int32(onnxpb.TensorProto_INT64), Dims: []int64{int64(len(v))}}
	for _, x := range v {
		t.RawData = binary.LittleEndian.AppendUint64(t.RawData, uint64(x))
	}
	e.add(t)
	return t.Name
}

func (e *editor) add(t *onnxpb.TensorProto) {
	e.graph.Initializer = append(e.graph.Initializer, t)
	e.weights[t.Name] = t
	e.users[t.Name] = 1
}

// skip takes out a node that passes on what it reads: whoever reads it reads
// that instead, and where it is an output, that takes its name.
func (e *editor) skip(n *onnxpb.NodeProto) {
	x, y := n.Input[0], n.Output[0]
	e.remove(n)
	from, to := y, x
	if slices.ContainsFunc(e.graph.Output, func(v *onnxpb.ValueInfoProto) bool { return v.Name == y }) {
		from, to = x, y
	}
	delete(e.users, from)
	e.graph.ValueInfo = slices.DeleteFunc(e.graph.ValueInfo, func(v *onnxpb.ValueInfoProto) bool { return v.Name == from })
	e.producers[to] = e.producers[x]
	for _, other := range e.graph.Node {
		for _, list := range [][]string{other.Input, other.Output} {
			for i := range list {
				if list[i] == from {
					list[i] = to
				}
			}
		}
	}
	e.users[to] = users(e.graph)[to]
}

// shape is what the model declares of a value's, -1 for an axis of any size, or
// nil.
func (e *editor) shape(value string) []int {
	for _, v := range slices.Concat(e.graph.ValueInfo, e.graph.Output, e.graph.Input) {
		if v.Name != value {
			continue
		}
		shape := []int{}
		for _, d := range v.Type.GetTensorType().GetShape().GetDim() {
			if size, ok := d.Value.(*onnxpb.TensorShapeProto_Dimension_DimValue); ok {
				shape = append(shape, int(size.DimValue))
			} else {
				shape = append(shape, -1)
			}
		}
		return shape
	}
	return nil
}

// rank is how many axes a value has, as the model declares it, or 0.
func (e *editor) rank(value string) int { return len(e.shape(value)) }

func (e *editor) remove(n *onnxpb.NodeProto) {
	e.graph.Node = slices.DeleteFunc(e.graph.Node, func(other *onnxpb.NodeProto) bool { return other == n })
}

func floatAttribute(n *onnxpb.NodeProto, name string, otherwise float64) float64 {
	if a := attribute(n, name); a != nil {
		return float64(a.GetF())
	}
	return otherwise
}
