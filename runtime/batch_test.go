package runtime_test

import (
	"context"
	"slices"
	"testing"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/runtime"
)

// convolution gives y [batch, 3, 4, 4] of x [batch, 2, 4, 4].
func convolution(t testing.TB) []byte {
	conv := node("Conv", []string{"x", "w", "b"}, "y")
	conv.Attribute = []*onnxpb.AttributeProto{{Name: "pads", Type: onnxpb.AttributeProto_INTS, Ints: []int64{1, 1, 1, 1}}}
	return serialise(t, &onnxpb.GraphProto{
		Input:  []*onnxpb.ValueInfoProto{array("x", onnxpb.TensorProto_FLOAT, "batch", 2, 4, 4)},
		Output: []*onnxpb.ValueInfoProto{array("y", onnxpb.TensorProto_FLOAT, "batch", 3, 4, 4)},
		Initializer: []*onnxpb.TensorProto{
			floats("w", []int64{3, 2, 3, 3}, ramp(54)...), floats("b", []int64{3}, -3, 0, 5),
		},
		Node: []*onnxpb.NodeProto{conv},
	})
}

// From so many examples on the convolution is gone, and nothing else changes.
func TestBatch(t *testing.T) {
	model := convolution(t)
	plain := load(t, model, runtime.Options{})
	for _, c := range []struct {
		options runtime.Options
		conv    bool
	}{
		{runtime.Options{Batch: 15}, true},
		{runtime.Options{Batch: 16}, false},
		{runtime.Options{Batch: 1 << 20, Provider: runtime.CPU}, false},
		{runtime.Options{Batch: 16, Provider: runtime.Auto}, false},
	} {
		c.options.Profile = t.TempDir()
		s, err := runtime.Load(context.Background(), model, c.options)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{1, 5, 16} {
			in := map[string]*tensor.Dense{"x": dense([]int{n, 2, 4, 4}, ramp(n*2*4*4)...)}
			want, err := plain.Run(context.Background(), in)
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.Run(context.Background(), in)
			if err != nil {
				t.Fatal(err)
			}
			agree(t, got["y"].Data().([]float32), want["y"].Data().([]float32))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		p, err := runtime.ReadProfile(c.options.Profile)
		if err != nil {
			t.Fatal(err)
		}
		conv := slices.ContainsFunc(p, func(n runtime.NodeProfile) bool { return n.Op == "Conv" || n.Op == "FusedConv" })
		if conv != c.conv && s.Provider() == runtime.CPU {
			t.Errorf("%+v: a convolution ran: %v, want %v", c.options, conv, c.conv)
		}
	}
}

// A damaged model, which the rewriting meets before ONNX Runtime does, is
// opened or refused by the same words as without a batch.
func TestBatchOfADamagedModel(t *testing.T) {
	good := convolution(t)
	for i := range good {
		bad := flipped(good, i)
		text := func(batch int) string {
			s, err := runtime.Load(context.Background(), bad, runtime.Options{Threads: 1, Batch: batch})
			if err != nil {
				return err.Error()
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			return ""
		}
		if got := text(64); got != "" && got != text(0) {
			t.Errorf("byte %d: %s", i, got)
		}
	}
}

// A picture too large for any machine is declared by a model of a few bytes: to
// open it is cheap all the same.
func TestBatchOfADeclaredSize(t *testing.T) {
	const side = 1 << 20
	load(t, serialise(t, &onnxpb.GraphProto{
		Input:       []*onnxpb.ValueInfoProto{array("x", onnxpb.TensorProto_FLOAT, "batch", 1, side, side)},
		Output:      []*onnxpb.ValueInfoProto{array("y", onnxpb.TensorProto_FLOAT, "batch", 1, side, side)},
		Initializer: []*onnxpb.TensorProto{floats("w", []int64{1, 1, 1, 1}, 2)},
		Node:        []*onnxpb.NodeProto{node("Conv", []string{"x", "w"}, "y")},
	}), runtime.Options{Batch: 16})
}
