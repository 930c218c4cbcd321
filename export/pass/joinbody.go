package pass

import (
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// body adds the nodes and initializers of a part.
func (j *joiner) body(part int) error {
	g := proto.Clone(j.parts[part].Model.Graph).(*onnxpb.GraphProto)
	if err := ordered(g); err != nil {
		return err
	}
	to := j.renaming(part, g)
	for _, v := range g.Output {
		if _, ok := j.final[part][v.Name]; !ok { // a value of a state that is replaced at once
			g.ValueInfo = append(g.ValueInfo, v)
		}
		if state, ok := j.parts[part].Writes[v.Name]; ok {
			j.current[state] = to[v.Name]
		}
	}
	given := inputs(g)
	g.ValueInfo = slices.DeleteFunc(g.ValueInfo, func(v *onnxpb.ValueInfoProto) bool { return to[v.Name] == "" || given[v.Name] })
	rename(g, to)
	for _, n := range g.Node {
		if n.Name != "" {
			n.Name = j.nodes.claim(n.Name, inside(part, n.Name))
		}
	}
	j.model.Graph.Node = append(j.model.Graph.Node, g.Node...)
	j.model.Graph.Initializer = append(j.model.Graph.Initializer, g.Initializer...)
	j.model.Graph.ValueInfo = append(j.model.Graph.ValueInfo, g.ValueInfo...)
	return nil
}

// ordered checks that each value is given once, before it is read. An empty
// name stands for an operand that was left out.
func ordered(g *onnxpb.GraphProto) error {
	known := inputs(g)
	known[""] = true
	give := func(name string) error {
		if name != "" && known[name] {
			return fmt.Errorf("%q stands for two values", name)
		}
		known[name] = true
		return nil
	}
	for _, t := range g.Initializer {
		if err := give(t.Name); err != nil {
			return err
		}
	}
	for _, n := range g.Node {
		for _, name := range n.Input {
			if !known[name] {
				return fmt.Errorf("node %q (%s) reads %q, which nothing before it gives", n.Name, n.OpType, name)
			}
		}
		for _, name := range n.Output {
			if err := give(name); err != nil {
				return err
			}
		}
	}
	for _, v := range g.Output {
		if !known[v.Name] {
			return fmt.Errorf("nothing gives output %q", v.Name)
		}
	}
	return nil
}

// renaming maps each value of a part to its name in the whole: an input to the
// value of the state that the part reads, an output to its final name, any
// other value to a name that is free.
func (j *joiner) renaming(part int, g *onnxpb.GraphProto) map[string]string {
	to := maps.Clone(j.final[part])
	for _, v := range g.Input {
		to[v.Name] = v.Name
		if value, ok := j.current[v.Name]; ok && j.alternating {
			to[v.Name] = value
		}
	}
	claim := func(name string) {
		if _, ok := to[name]; !ok && name != "" {
			to[name] = j.values.claim(name, inside(part, name))
		}
	}
	for _, t := range g.Initializer {
		claim(t.Name)
	}
	for _, n := range g.Node {
		for _, name := range n.Output {
			claim(name)
		}
	}
	return to
}

// inside is the name of a part's value or node where an earlier part has its
// own under that name.
func inside(part int, name string) string { return fmt.Sprintf("update%d/%s", part+1, name) }
