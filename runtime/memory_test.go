package runtime_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/runtime"
)

// growing adds the mean of n ones to a state, with an array of that size in
// between: n int64 [1], s float32 [2] -> next.
func growing(t testing.TB) []byte {
	ones := node("ConstantOfShape", []string{"n"}, "ones")
	ones.Attribute = []*onnxpb.AttributeProto{{Name: "value", Type: onnxpb.AttributeProto_TENSOR, T: floats("", []int64{1}, 1)}}
	mean := node("ReduceMean", []string{"ones"}, "mean")
	return serialise(t, &onnxpb.GraphProto{
		Input:  []*onnxpb.ValueInfoProto{array("n", onnxpb.TensorProto_INT64, 1), array("s", onnxpb.TensorProto_FLOAT, 2)},
		Output: []*onnxpb.ValueInfoProto{array("next", onnxpb.TensorProto_FLOAT, 2)},
		Node:   []*onnxpb.NodeProto{ones, mean, node("Add", []string{"s", "mean"}, "next")},
	})
}

// 2^46 numbers are more than any machine's address space: ONNX Runtime's own
// allocator fails. The loop's state is as before, and the next run works.
func TestARunOutOfMemory(t *testing.T) {
	s := load(t, growing(t), runtime.Options{})
	l, err := s.NewLoop(map[string]string{"next": "s"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	run := func(n int64) error {
		t.Helper()
		in, err := l.Input("n")
		if err != nil {
			t.Fatal(err)
		}
		in.Set(0, n)
		return l.Run(t.Context())
	}
	for i, n := range []int64{5, 1 << 46, 7} {
		err := run(n)
		if large := n > 7; errors.Is(err, runtime.ErrOutOfMemory) != large || (err != nil) != large {
			t.Fatalf("run %d, n %d: error %v", i, n, err)
		}
		if err != nil && (!strings.HasPrefix(err.Error(), "runtime: model: out of memory: ") || strings.Contains(err.Error(), "\n")) {
			t.Errorf("error %v, want one line", err)
		}
		if err != nil {
			t.Log(err)
		}
	}
	state, err := l.Input("s")
	if err != nil {
		t.Fatal(err)
	}
	if got := state.Float32s(); got[0] != 2 || got[1] != 2 {
		t.Errorf("the state is %v after two runs, want 2", got)
	}
}
