package keras

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/nn"
)

// way is how a network is evaluated.
type way int

const (
	kerasORT way = iota
	oursORT
	oursGorgonia
	kerasGorgonia
	ways
)

var wayNames = [ways]string{
	kerasORT:      "Keras' file on ONNX Runtime",
	oursORT:       "our export on ONNX Runtime",
	oursGorgonia:  "our graph on Gorgonia",
	kerasGorgonia: "Keras' file on Gorgonia",
}

func (w way) String() string { return wayNames[w] }

// probe is a value that both networks have: what a layer puts out, or an output.
type probe struct {
	ours   string // the layer or the output
	layer  string // Keras' name of it; empty where Keras' network needs none
	keras  stored // empty where Keras' graph has no such value
	shape  arch.Shape
	from   []int // for each of our values of an example, where Keras has it; nil: at the same place
	output bool
}

// probes lists the layers of a match, and then the outputs.
func (m match) probes(n *network) ([]probe, error) {
	rows, err := m.net.Rows()
	if err != nil {
		return nil, err
	}
	flat := map[string]arch.Shape{} // what the flat values of a layer are a picture of
	for i, r := range rows {
		flat[r.Name] = pictures(rows)[i]
		for k, inner := range r.Rows {
			flat[inner.Name] = pictures(r.Rows)[k]
		}
	}
	var out []probe
	var last stored
	for i, p := range m.pairs {
		q := probe{ours: nn.LayerName(m.role, p.row.Name), shape: p.row.Output}
		switch {
		case p.layer != nil && i+1 < len(m.pairs) && m.pairs[i+1].merged:
			q.layer = p.layer.name
			last = p.layer.value
		case p.layer != nil:
			q.layer, q.keras = p.layer.name, p.layer.value
			last = q.keras
		default:
			q.keras = last
		}
		q.from = places(q.keras, p.row.Output, flat[p.row.Name])
		out = append(out, q)
	}
	names := m.outputs()
	final := m.pairs[len(m.pairs)-1].row
	for _, o := range n.outputs {
		q := probe{ours: names[len(names)-1], layer: "output " + brief(o.name), keras: o.stored, shape: final.Output, output: true}
		if o.layer != n.layers[len(n.layers)-1] {
			q.ours = names[0]
		}
		q.from = places(o.stored, final.Output, nil)
		out = append(out, q)
	}
	return out, nil
}

// outputs are the names of our outputs, in order.
func (m match) outputs() []string {
	rows, _ := m.net.Rows() // it has been matched
	last := rows[len(rows)-1]
	_, sigmoid := last.Layer.(arch.Sigmoid)
	switch {
	case m.role == arch.Generator && last.Output.Picture():
		return []string{"image"}
	case m.role == arch.Generator:
		return []string{"points"}
	case !sigmoid:
		return []string{"logit"}
	case m.net.Logit:
		return []string{"logit", "probability"}
	}
	return []string{"probability"}
}

// places finds our values of an example among Keras': a picture's, or those of
// features that are one.
func places(s stored, ours, picture arch.Shape) []int {
	switch {
	case ours.Picture() && len(s.axes) == 3:
		var perm []int
		for _, axis := range "CHW" {
			perm = append(perm, strings.IndexRune(s.axes, axis))
		}
		return permuted(s.dims, perm)
	case !ours.Picture() && picture != nil:
		l := features(picture.Size(), picture)
		return permuted(l.axes, l.order)
	}
	return nil
}

// evaluation has the values of the probes, [batch, ...] in our layout, nil where
// there is none.
type evaluation [][]float32

// subject is what is evaluated.
type subject struct {
	graph  *onnxpb.ModelProto // Keras'
	net    *network
	match  match
	model  *train.Model // ours, with the weights
	probes []probe
	batch  int
	inputs []*tensor.Dense // ours
	note   string          // on the execution provider
}

// maxValues bounds what the layers put out together, in each of the ways: a
// gibibyte.
const maxValues = 1 << 28

// evaluate runs Keras' network and ours.
func (s *subject) evaluate(ctx context.Context, o runtime.Options) ([ways]evaluation, error) {
	var out [ways]evaluation
	each := 0
	for _, p := range s.probes {
		each += p.shape.Size()
	}
	if s.batch > maxValues/each {
		return out, fmt.Errorf("the layers of %d examples put out %d values, want at most %d", s.batch, s.batch*each, maxValues)
	}
	for w, run := range [ways]func(context.Context, runtime.Options) (evaluation, error){
		kerasORT: s.kerasORT, oursORT: s.oursORT, oursGorgonia: s.oursGorgonia, kerasGorgonia: s.kerasGorgonia,
	} {
		var err error
		if out[w], err = run(ctx, o); err != nil {
			return out, fmt.Errorf("%s: %w", way(w), err)
		}
	}
	return out, nil
}

// kerasInputs are our inputs as Keras takes them.
func (s *subject) kerasInputs() map[string]*tensor.Dense {
	out := map[string]*tensor.Dense{}
	for _, in := range s.net.inputs {
		shape := append([]int{s.batch}, in.dims...)
		var data any
		if in.label {
			data = as(in.kind, s.inputs[len(s.inputs)-1].Int64s())
		} else {
			x := s.inputs[0].Float32s()
			if len(in.dims) == 3 { // [H, W, C] of [C, H, W]
				x = rearranged(x, permuted([]int{in.dims[2], in.dims[0], in.dims[1]}, []int{1, 2, 0}))
			}
			data = as(in.kind, x)
		}
		out[in.name] = tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
	}
	return out
}

func as[T int64 | float32](kind onnxpb.TensorProto_DataType, data []T) any {
	switch kind {
	case onnxpb.TensorProto_INT32:
		return converted[int32](data)
	case onnxpb.TensorProto_INT64:
		return converted[int64](data)
	}
	return converted[float32](data)
}

func converted[To, From int32 | int64 | float32](data []From) []To {
	out := make([]To, len(data))
	for i, v := range data {
		out[i] = To(v)
	}
	return out
}

// rearranged puts the values of each example elsewhere.
func rearranged(data []float32, from []int) []float32 {
	if from == nil {
		return data
	}
	out := make([]float32, 0, len(data))
	for example := range slices.Chunk(data, len(from)) {
		for _, i := range from {
			out = append(out, example[i])
		}
	}
	return out
}

// kerasValues arranges what Keras' graph gives.
func (s *subject) kerasValues(values map[string]*tensor.Dense) (evaluation, error) {
	out := make(evaluation, len(s.probes))
	for i, p := range s.probes {
		if p.keras.name == "" {
			continue
		}
		v, err := s.floats(values[p.keras.name], p)
		if err != nil {
			return nil, err
		}
		out[i] = rearranged(v, p.from)
	}
	return out, nil
}

// floats are the values of a probe, as many as its shape has.
func (s *subject) floats(v *tensor.Dense, p probe) ([]float32, error) {
	if v == nil {
		return nil, fmt.Errorf("%s has no value", p.ours)
	}
	data, ok := v.Data().([]float32)
	if !ok || len(data) != s.batch*p.shape.Size() {
		return nil, fmt.Errorf("%s is %v of %v, want %d float32", p.ours, v.Dtype(), v.Shape(), s.batch*p.shape.Size())
	}
	return data, nil
}

func (s *subject) kerasORT(ctx context.Context, o runtime.Options) (evaluation, error) {
	var names []string
	for _, p := range s.probes {
		names = append(names, p.keras.name)
	}
	values, err := s.runWith(ctx, s.graph, names, s.kerasInputs(), o)
	if err != nil {
		return nil, err
	}
	return s.kerasValues(values)
}

// runWith runs a model that gives some of its inner values as well.
func (s *subject) runWith(ctx context.Context, m *onnxpb.ModelProto, names []string, in map[string]*tensor.Dense, o runtime.Options) (map[string]*tensor.Dense, error) {
	g := &onnxpb.GraphProto{
		Name: m.Graph.Name, Node: m.Graph.Node, Initializer: m.Graph.Initializer, Input: m.Graph.Input,
		Output: slices.Clone(m.Graph.Output),
	}
	for _, name := range names {
		known := func(v *onnxpb.ValueInfoProto) bool { return v.Name == name }
		if name == "" || slices.ContainsFunc(g.Output, known) || slices.ContainsFunc(g.Input, known) {
			continue
		}
		array := &onnxpb.TypeProto_Tensor{ElemType: int32(onnxpb.TensorProto_FLOAT)}
		g.Output = append(g.Output, &onnxpb.ValueInfoProto{
			Name: name, Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: array}},
		})
	}
	data, err := export.Marshal(&onnxpb.ModelProto{IrVersion: m.IrVersion, OpsetImport: m.OpsetImport, Graph: g})
	if err != nil {
		return nil, err
	}
	session, err := runtime.Load(ctx, data, o)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	s.note = session.Note()
	return session.Run(ctx, in)
}

func (s *subject) oursORT(ctx context.Context, o runtime.Options) (evaluation, error) {
	data, err := s.model.ONNX(s.match.role)
	if err != nil {
		return nil, err
	}
	m := new(onnxpb.ModelProto)
	if err := proto.Unmarshal(data, m); err != nil {
		return nil, err
	}
	g, err := nn.NewInference(s.match.role, s.match.net, s.model.Weights(s.match.role), s.batch)
	if err != nil {
		return nil, err
	}
	in := map[string]*tensor.Dense{}
	for i, p := range g.Inputs {
		in[p.Name] = s.inputs[i]
	}
	names := valueNames(g)
	var inner []string
	for _, p := range s.probes {
		inner = append(inner, names[p.ours])
	}
	values, err := s.runWith(ctx, m, inner, in, o)
	if err != nil {
		return nil, err
	}
	out := make(evaluation, len(s.probes))
	for i, p := range s.probes {
		if out[i], err = s.floats(values[names[p.ours]], p); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// valueNames are the names of values in our exported model, by those of layers
// and outputs: a layer that is an output has the output's.
func valueNames(g *nn.Inference) map[string]string {
	names := map[string]string{}
	for _, l := range g.Layers {
		names[l.Name] = l.Name
	}
	for _, o := range g.Outputs {
		names[o.Name] = o.Name
		for _, l := range g.Layers {
			if l.Node == o.Node {
				names[l.Name] = o.Name
			}
		}
	}
	return names
}

func (s *subject) oursGorgonia(context.Context, runtime.Options) (evaluation, error) {
	g, err := nn.NewInference(s.match.role, s.match.net, s.model.Weights(s.match.role), s.batch)
	if err != nil {
		return nil, err
	}
	outputs, layers, err := g.RunLayers(s.inputs...)
	if err != nil {
		return nil, err
	}
	values := map[string]*tensor.Dense{}
	for i, p := range g.Layers {
		values[p.Name] = layers[i]
	}
	for i, p := range g.Outputs {
		values[p.Name] = outputs[i]
	}
	out := make(evaluation, len(s.probes))
	for i, p := range s.probes {
		if out[i], err = s.floats(values[p.ours], p); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Difference is how far two arrays are apart.
type Difference struct {
	Absolute float64 `json:"absolute"` // the largest |a-b|
	// Relative is the same, divided by the larger of 1 and the largest |b|: what a
	// tolerance is held against.
	Relative float64 `json:"relative"`
	At       int     `json:"at"` // where it is largest
}

// differ compares two arrays of one length. What is no number differs by the
// largest float: JSON has no infinity.
func differ(a, b []float32) Difference {
	d := Difference{}
	largest := 1.0
	for i := range a {
		x := math.Abs(float64(a[i]) - float64(b[i]))
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return Difference{math.MaxFloat64, math.MaxFloat64, i}
		}
		if x > d.Absolute {
			d.Absolute, d.At = x, i
		}
		largest = math.Max(largest, math.Abs(float64(b[i])))
	}
	d.Relative = d.Absolute / largest
	return d
}
