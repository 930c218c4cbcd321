package gorgonia

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/runtime"
)

// Opsets whose operators this package has. Before 13 axes were attributes.
const (
	minOpset = 13
	maxOpset = 23
)

// maxStructure bounds the bytes of a model that are not elements of its weights.
const maxStructure = 8 << 20

// model is a decoded file whose operators and attributes are all known.
type model struct {
	inputs, outputs []runtime.Port
	metadata        map[string]string
	weights         map[string]array
	nodes           []node // each after those that it reads from
	elements        int    // of all weights
}

// node is an operator with the names of what it reads and writes; "" for an
// input that is left out.
type node struct {
	label   string // for errors
	inputs  []string
	outputs []string
	build   builder
}

// read decodes a serialised model.
func read(data []byte, folder string) (*model, error) {
	if n := onnxpb.Beside(data); n > maxStructure {
		return nil, fmt.Errorf("%d bytes beside the weights: want at most %d", n, maxStructure)
	}
	m := &model{weights: map[string]array{}}
	var err error
	if m.inputs, m.outputs, m.metadata, err = runtime.Describe(data); err != nil {
		return nil, err
	}
	file := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(data, file); err != nil || file.Graph == nil {
		return nil, errors.New("an ONNX model that is damaged or cut short")
	}
	opset, err := opsetOf(file)
	if err != nil {
		return nil, err
	}
	if err := m.readWeights(file.Graph, folder); err != nil {
		return nil, err
	}
	if err := m.checkNames(file.Graph); err != nil {
		return nil, err
	}
	operations, err := decode(file)
	if err != nil {
		return nil, err
	}
	return m, m.build(file.Graph, operations, opset)
}

func opsetOf(file *onnxpb.ModelProto) (int64, error) {
	i := slices.IndexFunc(file.OpsetImport, func(o *onnxpb.OperatorSetIdProto) bool { return standard(o.Domain) })
	if i < 0 {
		return 0, errors.New("the model names no version of the standard operators")
	}
	v := file.OpsetImport[i].Version
	if v < minOpset || v > maxOpset {
		return 0, fmt.Errorf("opset %d: want %d to %d", v, minOpset, maxOpset)
	}
	return v, nil
}

func standard(domain string) bool { return domain == "" || domain == "ai.onnx" }

func (m *model) readWeights(g *onnxpb.GraphProto, folder string) error {
	w := &weights{onnxpb.Files{Folder: folder}}
	defer w.Close()
	for _, t := range g.Initializer {
		if t.Name == "" {
			return errors.New("a weight has no name")
		}
		if _, ok := m.weights[t.Name]; ok {
			return fmt.Errorf("weight %s is there twice", quoted(t.Name))
		}
		a, err := w.read(t)
		if err != nil {
			return fmt.Errorf("weight %s: %w", quoted(t.Name), err)
		}
		m.weights[t.Name] = a
		m.elements += a.size()
	}
	return nil
}

// checkNames makes sure that every value has one source, which comes before all
// that read it: so there is no cycle either.
func (m *model) checkNames(g *onnxpb.GraphProto) error {
	known := map[string]bool{}
	define := func(name, what string) error {
		if name == "" {
			return fmt.Errorf("%s has no name", what)
		}
		if known[name] {
			return fmt.Errorf("value %s is there twice, the second time as %s", quoted(name), what)
		}
		known[name] = true
		return nil
	}
	for _, p := range m.inputs {
		if err := define(p.Name, "an input"); err != nil {
			return err
		}
	}
	for name := range m.weights {
		known[name] = true
	}
	later := map[string]bool{}
	for _, n := range g.Node {
		for _, out := range n.Output {
			later[out] = true
		}
	}
	for i, n := range g.Node {
		label := labelOf(i, n)
		if len(n.Input) == 0 || len(n.Output) == 0 {
			return fmt.Errorf("%s has %d inputs and %d outputs: want one of each at least", label, len(n.Input), len(n.Output))
		}
		for _, in := range n.Input {
			switch {
			case in == "" || known[in]:
			case later[in]:
				return fmt.Errorf("%s reads %s, which is computed by itself or later", label, quoted(in))
			default:
				return fmt.Errorf("%s reads %s, which is neither an input nor a weight nor computed", label, quoted(in))
			}
		}
		for _, out := range n.Output {
			if err := define(out, "an output of "+label); err != nil {
				return err
			}
		}
	}
	seen := map[string]bool{}
	for _, p := range m.outputs {
		if !known[p.Name] {
			return fmt.Errorf("output %s is not computed", quoted(p.Name))
		}
		if seen[p.Name] {
			return fmt.Errorf("output %s is there twice", quoted(p.Name))
		}
		seen[p.Name] = true
	}
	return nil
}

// build finds the operator of each node. What it can't honour, it tells of all
// nodes at once.
func (m *model) build(g *onnxpb.GraphProto, operations []operation, opset int64) error {
	var problems []string
	for i, o := range operations {
		n := node{label: labelOf(i, g.Node[i]), inputs: o.inputs, outputs: g.Node[i].Output}
		var err error
		if n.build, err = builderOf(g.Node[i].Domain, o, len(n.outputs), opset); err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", n.label, err))
		}
		m.nodes = append(m.nodes, n)
	}
	return joined(problems)
}

// maxProblems is how many problems an error names.
const maxProblems = 8

func joined(problems []string) error {
	if len(problems) == 0 {
		return nil
	}
	text := ""
	for i, p := range problems {
		switch {
		case i == maxProblems:
			return fmt.Errorf("%s; and %d more", text, len(problems)-i)
		case i > 0:
			text += "; "
		}
		text += p
	}
	return errors.New(text)
}

// labelOf names a node in an error: by its name, else by its first output.
func labelOf(i int, n *onnxpb.NodeProto) string {
	name := n.Name
	if name == "" && len(n.Output) > 0 {
		name = n.Output[0]
	}
	if name == "" {
		return fmt.Sprintf("node %d (%s)", i, short(n.OpType))
	}
	return fmt.Sprintf("node %s (%s)", quoted(name), short(n.OpType))
}

// quoted and short keep what a file says on a line and below a length.
func quoted(name string) string { return fmt.Sprintf("%q", clip(name)) }

func short(s string) string {
	q := quoted(s)
	return q[1 : len(q)-1]
}

func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "..."
	}
	return s
}
