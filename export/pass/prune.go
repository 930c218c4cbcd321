package pass

import (
	"slices"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// Prune removes nodes and initializers that no output needs, and the types of
// values that are gone. Inputs stay, used or not. A model with functions, or
// with graphs inside of nodes, is left as it is.
func Prune(m *onnxpb.ModelProto) {
	if plain(m) != nil {
		return
	}
	g := m.Graph
	needed := map[string]bool{}
	for _, v := range g.Output {
		needed[v.Name] = true
	}
	kept := []*onnxpb.NodeProto{}
	for _, n := range slices.Backward(g.Node) {
		if !slices.ContainsFunc(n.Output, func(name string) bool { return name != "" && needed[name] }) {
			continue
		}
		kept = append(kept, n)
		for _, name := range n.Input {
			needed[name] = true
		}
	}
	slices.Reverse(kept)
	g.Node = kept

	given := inputs(g)
	g.Initializer = slices.DeleteFunc(g.Initializer, func(t *onnxpb.TensorProto) bool {
		return !needed[t.Name] && !given[t.Name]
	})

	there := inputs(g)
	for _, t := range g.Initializer {
		there[t.Name] = true
	}
	for _, n := range g.Node {
		for _, name := range n.Output {
			there[name] = true
		}
	}
	for _, v := range g.Output {
		there[v.Name] = false // its type stands with the output
	}
	g.ValueInfo = slices.DeleteFunc(g.ValueInfo, func(v *onnxpb.ValueInfoProto) bool { return !there[v.Name] })
}
