package pass

import (
	"crypto/sha256"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// random are the standard operators that don't give the same for the same
// inputs.
var random = []string{
	"Bernoulli", "Dropout", "Multinomial",
	"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike",
}

// Dedupe lets equal computations stand once: nodes of one operator, with equal
// attributes and the same inputs, and equal initializers. An Identity counts as
// its input. What nothing needs is then removed, as by [Prune]. An output
// keeps its name; where two come to hold the same value, an Identity at the end
// makes the second. A model with functions, or with graphs inside of nodes, is
// left as it is.
func Dedupe(m *onnxpb.ModelProto) {
	if plain(m) != nil {
		return
	}
	Prune(m) // so that nothing kept below is dead
	d := deduper{graph: m.Graph, first: map[string]string{}}
	d.initializers()
	d.nodes()
	d.outputs()
	Prune(m)
}

type deduper struct {
	graph *onnxpb.GraphProto
	first map[string]string // from a value that stands no more to the equal one that does
}

func (d *deduper) initializers() {
	given := inputs(d.graph)
	seen := map[[sha256.Size]byte]string{}
	d.graph.Initializer = slices.DeleteFunc(d.graph.Initializer, func(t *onnxpb.TensorProto) bool {
		if given[t.Name] {
			return false
		}
		name := t.Name
		t.Name = ""
		key := digest(t)
		t.Name = name
		first, ok := seen[key]
		if ok {
			d.first[name] = first
		} else {
			seen[key] = name
		}
		return ok
	})
}

func (d *deduper) nodes() {
	seen := map[[sha256.Size]byte]*onnxpb.NodeProto{}
	d.graph.Node = slices.DeleteFunc(d.graph.Node, func(n *onnxpb.NodeProto) bool {
		for i, name := range n.Input {
			if first, ok := d.first[name]; ok {
				n.Input[i] = first
			}
		}
		if n.OpType == "Identity" && n.Domain == "" && len(n.Input) == 1 && len(n.Output) == 1 {
			d.first[n.Output[0]] = n.Input[0]
			return true
		}
		if slices.Contains(random, n.OpType) {
			return false
		}
		key := digest(anonymous(n))
		first, ok := seen[key]
		if !ok {
			seen[key] = n
			return false
		}
		for i, name := range n.Output {
			if name != "" {
				d.first[name] = first.Output[i]
			}
		}
		return true
	})
}

// anonymous is a node without its names and with its attributes in order. Of
// its outputs only remains which are wanted.
func anonymous(n *onnxpb.NodeProto) *onnxpb.NodeProto {
	c := proto.Clone(n).(*onnxpb.NodeProto)
	c.Name, c.DocString = "", ""
	for i, name := range c.Output {
		if name != "" {
			c.Output[i] = "wanted"
		}
	}
	slices.SortFunc(c.Attribute, func(a, b *onnxpb.AttributeProto) int { return strings.Compare(a.Name, b.Name) })
	return c
}

// digest stands for a message: serialised, since an initializer can be large.
func digest(m proto.Message) [sha256.Size]byte {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil { // a string that isn't UTF-8, which no reader lets in
		panic(err)
	}
	return sha256.Sum256(data)
}

// outputs gives the outputs of the graph their names back.
func (d *deduper) outputs() {
	g := d.graph
	fixed, nodeNames := inputs(g), names{}
	for _, v := range g.Output {
		fixed[v.Name] = true
	}
	for _, n := range g.Node {
		nodeNames[n.Name] = true
	}
	renamed := map[string]string{}
	for _, v := range g.Output {
		first, ok := d.first[v.Name]
		switch {
		case !ok:
		case !fixed[first]:
			fixed[first] = true
			renamed[first] = v.Name
		default:
			g.Node = append(g.Node, &onnxpb.NodeProto{
				Name: nodeNames.claim(v.Name), OpType: "Identity", Input: []string{first}, Output: []string{v.Name},
			})
		}
	}
	rename(g, renamed)
}
