package pass

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// Part is a model that is to become a part of a larger one.
type Part struct {
	Model *onnxpb.ModelProto
	// Writes maps an output of the model to the input, of this part or another,
	// whose value it replaces when all is done: a piece of state.
	Writes map[string]string
}

// Join makes one model of several. Inputs of one name become one input. With
// alternating, a part reads what the newest of the parts before it wrote;
// otherwise all read the inputs.
//
// The value written to input w becomes output "w.new": with alternating the
// last one, otherwise the first, as parts that write the same are then taken to
// compute the same. The other outputs keep their names. Inside, names that an
// earlier part has are put under "update2/" and so on. The graph's name, the
// producer and the metadata are those of the first part.
//
// It is an error if inputs of one name differ in type or shape, if a value does
// not fit the input that it replaces, if two outputs share a name, or if a part
// can't be rewritten: it has functions, graphs inside of nodes, or inputs with
// a default.
func Join(parts []Part, alternating bool) (*onnxpb.ModelProto, error) {
	if len(parts) == 0 {
		return nil, fmt.Errorf("pass: no models to join")
	}
	j := newJoiner(parts, alternating)
	for _, step := range []func(part int) error{j.check, j.inputs, j.outputs, j.body} {
		for i := range parts {
			if err := step(i); err != nil {
				return nil, fmt.Errorf("pass: part %d: %w", i+1, err)
			}
		}
	}
	return j.model, nil
}

type joiner struct {
	parts       []Part
	alternating bool
	model       *onnxpb.ModelProto
	types       map[string]*onnxpb.TypeProto // of the joined inputs
	writer      map[string]int               // the part whose value of a state is the newest
	current     map[string]string            // the value of a state that the next part reads
	values      names
	nodes       names
	final       []map[string]string // for each part, from its outputs to those of the whole
}

func newJoiner(parts []Part, alternating bool) *joiner {
	first := parts[0].Model
	j := &joiner{
		parts: parts, alternating: alternating,
		model: &onnxpb.ModelProto{
			IrVersion:       first.GetIrVersion(),
			OpsetImport:     first.GetOpsetImport(),
			ProducerName:    first.GetProducerName(),
			ProducerVersion: first.GetProducerVersion(),
			Graph:           &onnxpb.GraphProto{Name: first.GetGraph().GetName()},
			MetadataProps:   first.GetMetadataProps(),
		},
		types: map[string]*onnxpb.TypeProto{}, writer: map[string]int{}, current: map[string]string{},
		values: names{}, nodes: names{}, final: make([]map[string]string, len(parts)),
	}
	j.model = proto.Clone(j.model).(*onnxpb.ModelProto)
	return j
}

// check looks at what a part is and at what it writes.
func (j *joiner) check(part int) error {
	m := j.parts[part].Model
	if err := plain(m); err != nil {
		return err
	}
	if !slices.EqualFunc(m.OpsetImport, j.model.OpsetImport, func(a, b *onnxpb.OperatorSetIdProto) bool { return proto.Equal(a, b) }) {
		return fmt.Errorf("uses operator sets %s, the first part %s", opsets(m), opsets(j.model))
	}
	j.model.IrVersion = max(j.model.IrVersion, m.IrVersion)
	given := inputs(m.Graph)
	for _, t := range m.Graph.Initializer {
		if given[t.Name] {
			return fmt.Errorf("input %q has a default", t.Name)
		}
	}
	written := map[string]string{}
	for _, output := range slices.Sorted(maps.Keys(j.parts[part].Writes)) {
		state := j.parts[part].Writes[output]
		if !slices.ContainsFunc(m.Graph.Output, func(v *onnxpb.ValueInfoProto) bool { return v.Name == output }) {
			return fmt.Errorf("%q, which replaces %q, is not one of its outputs", output, state)
		}
		if other, ok := written[state]; ok {
			return fmt.Errorf("outputs %q and %q both replace %q", other, output, state)
		}
		written[state] = output
		if _, ok := j.writer[state]; !ok || j.alternating {
			j.writer[state] = part
		}
	}
	return nil
}

// opsets prints the operator sets of a model for an error: "15, ai.onnx.ml 2".
func opsets(m *onnxpb.ModelProto) string {
	var sets []string
	for _, o := range m.OpsetImport {
		sets = append(sets, strings.TrimSpace(fmt.Sprint(o.Domain, " ", o.Version)))
	}
	return strings.Join(sets, ", ")
}

// inputs merges the inputs of a part with those before. All parts are looked at
// alike, so that a state read only after it was written is an input as well.
func (j *joiner) inputs(part int) error {
	for _, v := range j.parts[part].Model.Graph.Input {
		known, ok := j.types[v.Name]
		switch {
		case !ok:
			j.types[v.Name] = v.Type
			j.values[v.Name] = true
			j.model.Graph.Input = append(j.model.Graph.Input, proto.Clone(v).(*onnxpb.ValueInfoProto))
		case !proto.Equal(known, v.Type):
			return fmt.Errorf("input %q is %s, in an earlier part %s", v.Name, typeText(v.Type), typeText(known))
		}
	}
	return nil
}

// outputs names what leaves the whole.
func (j *joiner) outputs(part int) error {
	p := j.parts[part]
	given := inputs(p.Model.Graph)
	j.final[part] = map[string]string{}
	for _, v := range p.Model.Graph.Output {
		if given[v.Name] {
			return fmt.Errorf("output %q is an input", v.Name)
		}
		name := v.Name
		if state, ok := p.Writes[v.Name]; ok {
			if known, ok := j.types[state]; !ok {
				return fmt.Errorf("output %q replaces %q, which is no input", v.Name, state)
			} else if !proto.Equal(known, v.Type) {
				return fmt.Errorf("output %q is %s, the input %q that it replaces %s", v.Name, typeText(v.Type), state, typeText(known))
			}
			if j.writer[state] != part {
				continue
			}
			name = state + ".new"
		}
		if j.values[name] {
			return fmt.Errorf("output %q has the name of another output or of an input", name)
		}
		j.values[name] = true
		j.final[part][v.Name] = name
		joined := proto.Clone(v).(*onnxpb.ValueInfoProto)
		joined.Name = name
		j.model.Graph.Output = append(j.model.Graph.Output, joined)
	}
	return nil
}
