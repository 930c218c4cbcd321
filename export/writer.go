package export

import (
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// Operator is a Gorgonia operator that knows its ONNX form.
type Operator interface {
	gorgonia.Op
	// Lower adds the ONNX nodes that compute the operator; the last of them
	// must be added with [Lowering.Output].
	Lower(l *Lowering) error
}

// writer builds the graph of one model.
type writer struct {
	model  Model
	graph  *onnxpb.GraphProto
	seen   map[*gorgonia.Node]bool
	values map[*gorgonia.Node]string // the ONNX name of each node's value
	batch  map[*gorgonia.Node]batch  // of values that have one
	size   int                       // the batch that the graph was built with
	names  names                     // of values
	nodes  names                     // of ONNX nodes
	stored map[*gorgonia.Node]bool   // weights that are initializers by now
}

func newWriter(m Model) *writer {
	return &writer{
		model:  m,
		graph:  &onnxpb.GraphProto{Name: m.Name},
		seen:   map[*gorgonia.Node]bool{},
		values: map[*gorgonia.Node]string{},
		batch:  map[*gorgonia.Node]batch{},
		names:  names{},
		nodes:  names{},
		stored: map[*gorgonia.Node]bool{},
	}
}

// rename fixes the name of a node's value before the walk.
func (w *writer) rename(n *gorgonia.Node, name string) { w.values[n] = w.names.unique(name) }

func (w *writer) input(p Port) error {
	n := p.Node
	if elemType(n.Dtype()) == 0 {
		return fmt.Errorf("export: input %q has elements of type %v, which have no ONNX form here", p.Name, n.Dtype())
	}
	if w.model.BatchAxis != "" {
		if n.Dims() == 0 {
			return fmt.Errorf("export: input %q is a scalar: it has no axis to name %q", p.Name, w.model.BatchAxis)
		}
		if w.size == 0 {
			w.size = n.Shape()[0]
		}
		if n.Shape()[0] != w.size {
			return fmt.Errorf("export: input %q has %d rows where another has %d: they share the axis %q",
				p.Name, n.Shape()[0], w.size, w.model.BatchAxis)
		}
		w.batch[n] = batch{0, 1}
	}
	w.seen[n] = true
	w.rename(n, p.Name)
	w.graph.Input = append(w.graph.Input, w.valueInfo(n, w.values[n]))
	return nil
}

// node writes one node of the graph. The nodes it needs are written already.
func (w *writer) node(n *gorgonia.Node) error {
	if n.Op() == nil {
		if n.Value() == nil {
			return fmt.Errorf("export: %s is neither an input of the model nor has it a value", describe(n))
		}
		name, ok := named(n)
		if !ok {
			name = "weight"
		}
		w.rename(n, name)
		return nil // written when first used, since a lowering may store it in another form
	}
	f, err := formOf(n)
	if err != nil {
		return fmt.Errorf("export: %s: %w", describe(n), err)
	}
	name, ok := named(n)
	if !ok {
		name = f.name
	}
	if _, ok := w.values[n]; !ok {
		w.rename(n, name)
	}
	l := &Lowering{w: w, node: n, in: f.in, scope: name}
	b, err := f.batch(l)
	if err != nil {
		return fmt.Errorf("export: %s: %w", describe(n), err)
	}
	w.setBatch(n, b)
	if err := f.lower(l); err != nil {
		return fmt.Errorf("export: %s: %w", describe(n), err)
	}
	if !l.done {
		return fmt.Errorf("export: %s: its lowering wrote no output", describe(n))
	}
	if _, foreign := n.Op().(Operator); foreign && l.Batched() && b == unbatched && !l.sums {
		return fmt.Errorf("export: %s: only holds for one batch size: its shape %v does not depend on the batch", describe(n), n.Shape())
	}
	return nil
}

// batchOf is where a value has the batch.
func (w *writer) batchOf(n *gorgonia.Node) batch {
	if b, ok := w.batch[n]; ok {
		return b
	}
	return unbatched
}

func (w *writer) setBatch(n *gorgonia.Node, b batch) {
	delete(w.batch, n)
	if b != unbatched {
		w.batch[n] = b
	}
}

func (w *writer) valueInfo(n *gorgonia.Node, name string) *onnxpb.ValueInfoProto {
	t := &onnxpb.TypeProto_Tensor{ElemType: int32(elemType(n.Dtype())), Shape: &onnxpb.TensorShapeProto{}}
	for axis, size := range n.Shape() {
		dim := &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(size)}}
		if b := w.batchOf(n); b.axis == axis {
			name := w.model.BatchAxis
			if b.per > 1 {
				name = fmt.Sprintf("%s*%d", name, b.per)
			}
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: name}
		}
		t.Shape.Dim = append(t.Shape.Dim, dim)
	}
	return &onnxpb.ValueInfoProto{Name: name, Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: t}}}
}

// initializer returns the name of a constant tensor and stores it.
func (w *writer) initializer(name string, v *tensor.Dense) (string, error) {
	t, err := tensorProto(w.names.unique(name), v)
	if err != nil {
		return "", err
	}
	w.graph.Initializer = append(w.graph.Initializer, t)
	return t.Name, nil
}

// named returns the name that a node was given, if it was given one. Gorgonia
// makes up "operator(inputs)" for the others, inputs included, and calls a
// constant by its printed value.
func named(n *gorgonia.Node) (string, bool) {
	name := n.Name()
	if c, ok := n.Op().(interface{ Value() gorgonia.Value }); ok {
		return name, name != fmt.Sprint(c.Value())
	}
	return name, !strings.HasPrefix(name, fmt.Sprintf("%s(", n.Op()))
}

// kind is the operator's name without its attributes.
func kind(n *gorgonia.Node) string {
	s := n.Op().String()
	if i := strings.IndexAny(s, "{("); i > 0 {
		s = s[:i]
	}
	return s
}

// names hands out names, each once.
type names map[string]int

// unique returns the name itself, or the name with the first free number.
func (n names) unique(name string) string {
	n[name]++
	if n[name] == 1 {
		return name
	}
	return n.unique(fmt.Sprintf("%s_%d", name, n[name]))
}

func (w *writer) isInput(n *gorgonia.Node) bool {
	return slices.ContainsFunc(w.model.Inputs, func(p Port) bool { return p.Node == n })
}

func (w *writer) isOutput(n *gorgonia.Node) bool {
	return slices.ContainsFunc(w.model.Outputs, func(p Port) bool { return p.Node == n })
}

// weight stores the value of a node as an initializer under the node's own
// name, once.
func (w *writer) weight(n *gorgonia.Node, v *tensor.Dense) (string, error) {
	name := w.values[n]
	if w.stored[n] {
		return name, nil
	}
	t, err := tensorProto(name, v)
	if err != nil {
		return "", err
	}
	w.stored[n] = true
	w.graph.Initializer = append(w.graph.Initializer, t)
	return name, nil
}
