package gorgonia_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/runtime/gorgonia"
)

// Each attribute that can't be honoured is named, with its node, all at once.
func TestRefusedAttributes(t *testing.T) {
	two := []string{"x", "w"}
	for _, c := range []struct {
		node *onnxpb.NodeProto
		want string
	}{
		{node("Conv", two, "y", stringAttr("auto_pad", "SAME_UPPER")), `attribute auto_pad is "SAME_UPPER", want NOTSET`},
		{node("Conv", two, "y", intsAttr("dilations", 2, 1)), "attribute dilations is [2 1], want [1 1]"},
		{node("Conv", two, "y", intAttr("group", 2)), "attribute group is 2, want 1"},
		{node("Conv", two, "y", intsAttr("strides", 0, 1)), "attribute strides is [0 1], want 1 at least"},
		{node("Conv", two, "y", intsAttr("strides", 1)), "attribute strides is [1], want 2 numbers"},
		{node("Conv", two, "y", intsAttr("pads", 0, 0, -1, 0)), "attribute pads is [0 0 -1 0], want 0 at least"},
		{node("Conv", two, "y", intsAttr("pads", 0, 0, 1<<40, 0)), "attribute pads is 1099511627776"},
		{node("Conv", two, "y", floatAttr("group", 1)), "attribute group is of type float32, want int64"},
		{node("ConvTranspose", two, "y", intsAttr("output_shape", 4, 4)), "attribute output_shape is not supported"},
		{node("ConvTranspose", two, "y", intsAttr("output_padding", -1, 0)), "attribute output_padding is [-1 0], want 0 at least"},
		{node("Gemm", two, "y", floatAttr("alpha", 2)), "attribute alpha is 2, want 1"},
		{node("Gemm", two, "y", floatAttr("beta", 0.5)), "attribute beta is 0.5, want 1"},
		{node("BatchNormalization", []string{"x", "w", "w", "w", "w"}, "y", intAttr("training_mode", 1)), "attribute training_mode is 1, want 0"},
		{node("BatchNormalization", []string{"x", "w", "w", "w", "w"}, "y", floatAttr("epsilon", 0)), "attribute epsilon is 0, want more than 0"},
		{node("Reshape", two, "y", intAttr("allowzero", 2)), "attribute allowzero is 2, want 0 or 1"},
		{node("Cast", []string{"x"}, "y", intAttr("to", 8)), "attribute to is STRING, want float32"},
		{node("Concat", two, "y"), "attribute axis is missing"},
		{node("Relu", []string{"x"}, "y", intAttr("novel", 1)), "attribute novel is not supported"},
		{node("Relu", []string{"x"}, "y", intAttr("a", 1), intAttr("a", 1)), `attribute "a" is there twice`},
		{node("Relu", two, "y"), "2 inputs, want 1 to 1"},
		{node("Add", []string{"x", ""}, "y"), "input 1 is left out"},
	} {
		model := serialise(t, small([]*onnxpb.TensorProto{floats("w", []int64{1}, 1)}, c.node))
		_, err := gorgonia.Load(t.Context(), model, "")
		if want := `gorgonia: model: node "n" (` + c.node.OpType + `): ` + c.want; err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	a, b := node("Softmax", []string{"x"}, "z"), node("Relu", []string{"z"}, "y", intAttr("novel", 1))
	_, err := gorgonia.Load(t.Context(), serialise(t, small(nil, a, b)), "")
	if want := `gorgonia: model: node "n" (Softmax): operator Softmax is not supported; node "n" (Relu): attribute novel is not supported`; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// adder gives h = x + 1 and y = h + h.
func adder(t *testing.T) *gorgonia.Session {
	t.Helper()
	s, err := gorgonia.Load(t.Context(), serialise(t, small([]*onnxpb.TensorProto{floats("w", []int64{1}, 1)},
		node("Add", []string{"x", "w"}, "h"), node("Add", []string{"h", "h"}, "y"))), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func batchOf(n int, v float32) map[string]*tensor.Dense {
	x := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(n, 4))
	for i := range x.Float32s() {
		x.Float32s()[i] = v
	}
	return map[string]*tensor.Dense{"x": x}
}

// Several goroutines run batches of more sizes than graphs are kept of.
func TestRunsSideBySide(t *testing.T) {
	s := adder(t)
	var all errgroup.Group
	for i := range 40 {
		all.Go(func() error {
			out, err := s.Run(context.Background(), batchOf(1+i%5, float32(i)))
			if err != nil {
				return err
			}
			for _, v := range out["y"].Float32s() {
				if v != float32(2*i+2) {
					t.Errorf("x = %d gives %v", i, v)
				}
			}
			if n := out["y"].Shape()[0]; n != 1+i%5 {
				t.Errorf("a batch of %d gives %d", 1+i%5, n)
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
}

// Values gives inputs, weights and what lies between, and copies of them.
func TestValues(t *testing.T) {
	s, in := adder(t), batchOf(2, 3)
	out, err := s.Values(t.Context(), in, []string{"x", "w", "h", "y"})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float32{"x": 3, "w": 1, "h": 4, "y": 8} {
		if got := out[name].Float32s()[0]; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
		out[name].Float32s()[0] = 100
	}
	if again, err := s.Run(t.Context(), in); err != nil || again["y"].Float32s()[0] != 8 {
		t.Errorf("after writing to what came out: %v, %v", again["y"], err)
	}
	if _, err := s.Values(t.Context(), in, []string{"q"}); err == nil || err.Error() != `gorgonia: model: the model has no value "q"` {
		t.Errorf("got %v", err)
	}
}

// An input that is a view is read as what it shows.
func TestRunOfATranspose(t *testing.T) {
	x := tensor.New(tensor.WithShape(4, 2), tensor.WithBacking([]float32{0, 1, 2, 3, 4, 5, 6, 7}))
	if err := x.T(); err != nil {
		t.Fatal(err)
	}
	out, err := adder(t).Run(t.Context(), map[string]*tensor.Dense{"x": x})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float32{2, 6, 10, 14, 4, 8, 12, 16} {
		if got := out["y"].Float32s()[i]; got != want {
			t.Errorf("y[%d] is %v, want %v", i, got, want)
		}
	}
}

func TestRunRefusals(t *testing.T) {
	s := adder(t)
	for want, in := range map[string]map[string]*tensor.Dense{
		`input "x" is missing: expected x float32 [batch, 4]`:         {},
		`input "x" has shape [2 3]: expected x float32 [batch, 4]`:    {"x": tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(2, 3))},
		`input "x" is of type float64: expected x float32 [batch, 4]`: {"x": tensor.New(tensor.Of(tensor.Float64), tensor.WithShape(2, 4))},
		`no input is called "z": expected "x"`:                        {"x": batchOf(1, 0)["x"], "z": batchOf(1, 0)["x"]},
	} {
		if _, err := s.Run(t.Context(), in); err == nil || err.Error() != "gorgonia: model: "+want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Run(ctx, batchOf(1, 0)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Run(t.Context(), batchOf(1, 0)); err == nil || err.Error() != "gorgonia: model: the session is closed" {
		t.Errorf("got %v", err)
	}
}
