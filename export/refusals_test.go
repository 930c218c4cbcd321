package export_test

import (
	"errors"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/train/op"
)

// TestRefusals: all that can't be exported is named, on one line, and no model
// comes back.
func TestRefusals(t *testing.T) {
	x := func(b builder) *gorgonia.Node { return b.input("x", 2, 3) }
	port := func(name string, n *gorgonia.Node) []export.Port { return []export.Port{{Name: name, Node: n}} }
	lowering := func(lower func(l *export.Lowering) error) func(b builder) export.Model {
		return func(b builder) export.Model {
			in := x(b)
			y := b.named("odd")(gorgonia.ApplyOp(newTestOp(tensor.Shape{2, 3}, lower), in))
			return export.Model{Inputs: port("x", in), Outputs: port("y", y)}
		}
	}
	for _, c := range []struct {
		name  string
		build func(b builder) export.Model
		want  []string // joined by semicolons
	}{
		{"stock operators", func(b builder) export.Model {
			in := x(b)
			y := b.named("first")(gorgonia.Sparsemax(in))
			y = b.named("fine")(op.ReLU(y))
			y = b.named("")(gorgonia.Dropout(y, 0.5))
			return export.Model{Inputs: port("x", in), Outputs: port("y", y)}
		}, []string{
			`export: "first" (Sparsemax{}()): operator *gorgonia.sparsemaxOp has no ONNX form`,
			`export: Dropout{training=true}() of shape (2, 3): operator *gorgonia.dropoutOp drops at random: build the graph without it`,
		}},
		{"an input without a value", func(b builder) export.Model {
			in := x(b)
			y := b.named("")(op.Dense(in, b.input("w", 3, 4), b.input("", 4)))
			return export.Model{Inputs: port("x", in), Outputs: port("y", y)}
		}, []string{
			`export: "w" is neither an input of the model nor has it a value`,
			`export: an input of shape (4) without a name is neither an input of the model nor has it a value`,
		}},
		{"an output that is an input", func(b builder) export.Model {
			return export.Model{Inputs: port("x", x(b)), Outputs: port("y", x(b))}
		}, []string{`export: output "y" is not computed by the graph`}},
		{"an output that is missing", func(b builder) export.Model {
			return export.Model{Inputs: port("x", x(b)), Outputs: port("y", nil)}
		}, []string{`export: output "y" is not computed by the graph`}},
		{"an input that is computed", func(b builder) export.Model {
			y := b.named("")(op.ReLU(x(b)))
			return export.Model{Inputs: port("x", y), Outputs: port("y", y)}
		}, []string{`export: input "x" is not an input of the graph`}},
		{"no outputs", func(b builder) export.Model {
			return export.Model{Name: "empty", Inputs: port("x", x(b))}
		}, []string{`export: model "empty" has no outputs`}},
		{"a name used twice", func(b builder) export.Model {
			return export.Model{Inputs: port("x", x(b)), Outputs: port("x", b.named("")(op.ReLU(x(b))))}
		}, []string{`export: two inputs or outputs are called "x"`}},
		{"an empty name", func(b builder) export.Model {
			return export.Model{Name: "m", Inputs: port("x", x(b)), Outputs: port("", b.named("")(op.ReLU(x(b))))}
		}, []string{`export: an input or output of model "m" has no name`}},
		{"a node under two names", func(b builder) export.Model {
			y := b.named("node")(op.ReLU(x(b)))
			return export.Model{Inputs: port("x", x(b)), Outputs: append(port("y", y), port("z", y)...)}
		}, []string{`export: "z" is a second name for one node, "node" (ReLU{})`}},
		{"a batch axis on a scalar", func(b builder) export.Model {
			rate := gorgonia.NewScalar(b.graph, b.dt, gorgonia.WithName("rate"))
			y, _, _, err := op.Adam(x(b), x(b), x(b), x(b), rate, 0.9, 0.999, 1e-7)
			return export.Model{Inputs: port("rate", rate), Outputs: port("y", b.named("")(y, err)), BatchAxis: "batch"}
		}, []string{`export: input "rate" is a scalar: it has no axis to name "batch"`}},
		{"joined batches", func(b builder) export.Model {
			in := x(b)
			y := b.named("both")(op.Concat(0, in, in))
			return export.Model{Inputs: port("x", in), Outputs: port("y", y), BatchAxis: "batch"}
		}, []string{`export: "both" (Concat{Axis:0}): only holds for one batch size: it joins batches`}},
		{"labels for a number of rows", func(b builder) export.Model {
			in := b.input("x", 2, 1)
			y := b.named("loss")(op.SigmoidCrossEntropy(in, op.Target{Rows: 1, Label: 1}, op.Target{Rows: 1}))
			return export.Model{Inputs: port("x", in), Outputs: port("y", y), BatchAxis: "batch"}
		}, []string{`export: "loss" (SigmoidCrossEntropy{Targets:[{Rows:1 Label:1} {Rows:1 Label:0}]}): ` +
			`only holds for one batch size: op: SigmoidCrossEntropy: logits (3, 1), want (2, 1) for the targets`}},
		{"a type without an ONNX form", func(b builder) export.Model {
			in := x(b)
			label := gorgonia.NewMatrix(b.graph, tensor.Int32, gorgonia.WithShape(1, 1), gorgonia.WithName("label"),
				gorgonia.WithValue(tensor.New(tensor.WithShape(1, 1), tensor.WithBacking([]int32{1}))))
			y := b.named("odd")(gorgonia.ApplyOp(newTestOp(tensor.Shape{2, 3}, func(l *export.Lowering) error {
				return l.Output("Gather", []string{l.Input(1), l.Input(0)})
			}, tensor.Int32), label, in))
			return export.Model{Inputs: port("x", in), Outputs: port("y", y)}
		}, []string{`export: "odd" (TestOp): label: element type int32 has no ONNX form here`}},
		{"an input of a type without an ONNX form", func(b builder) export.Model {
			label := gorgonia.NewMatrix(b.graph, tensor.Int32, gorgonia.WithShape(1, 1), gorgonia.WithName("label"))
			return export.Model{Inputs: append(port("x", x(b)), port("label", label)...), Outputs: port("y", b.named("")(op.ReLU(x(b))))}
		}, []string{`export: input "label" has elements of type int32, which have no ONNX form here`}},
		{"a weight that is a transposed view", func(b builder) export.Model {
			in, v := x(b), pattern(tensor.Float32, 0, 4, 3)
			if err := v.T(); err != nil {
				b.t.Fatal(err)
			}
			w := gorgonia.NewMatrix(b.graph, tensor.Float32, gorgonia.WithShape(3, 4), gorgonia.WithName("w"), gorgonia.WithValue(v))
			y := b.named("dense")(op.Dense(in, w, nil))
			return export.Model{Inputs: port("x", in), Outputs: port("y", y)}
		}, []string{`export: "dense" (Dense{}): w: not stored row by row`}},
		{"a lowering without an output", lowering(func(l *export.Lowering) error {
			l.Add("Relu", []string{l.Input(0)})
			return nil
		}), []string{`export: "odd" (TestOp): its lowering wrote no output`}},
		{"a lowering with two outputs", lowering(func(l *export.Lowering) error {
			return errors.Join(l.Output("Relu", []string{l.Input(0)}), l.Output("Relu", []string{l.Input(0)}))
		}), []string{`export: "odd" (TestOp): its lowering wrote two outputs`}},
		{"a lowering that fails", lowering(func(*export.Lowering) error {
			return errors.New("no such form")
		}), []string{`export: "odd" (TestOp): no such form`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := export.Graph(c.build(newBuilder(t, tensor.Float32)))
			if err == nil || p != nil {
				t.Fatalf("model %v, error %v, want an error alone", p, err)
			}
			if want := strings.Join(c.want, "; "); err.Error() != want {
				t.Errorf("error\n%v\nwant\n%s", err, want)
			}
		})
	}
}

// TestRefusalsUnwrap: each of several causes can be asked for.
func TestRefusalsUnwrap(t *testing.T) {
	b := newBuilder(t, tensor.Float32)
	x := b.input("x", 2, 3)
	typed := refusal{"no such type"}
	causes := []error{errors.New("no such form"), typed}
	y := x
	for _, cause := range causes {
		y = b.named("")(gorgonia.ApplyOp(newTestOp(tensor.Shape{2, 3}, func(*export.Lowering) error { return cause }), y))
	}
	_, err := export.Graph(export.Model{
		Inputs:  []export.Port{{Name: "x", Node: x}},
		Outputs: []export.Port{{Name: "y", Node: y}},
	})
	if !errors.Is(err, causes[0]) {
		t.Errorf("error %v is not %v", err, causes[0])
	}
	if r := (refusal{}); !errors.As(err, &r) || r.what != typed.what {
		t.Errorf("error %v holds %v, want %v", err, r, typed)
	}
}

type refusal struct{ what string }

func (r refusal) Error() string { return r.what }
