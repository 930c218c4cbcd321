package runtime_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/runtime"
)

// cudaProfile is, shortened, what ONNX Runtime writes of two runs on CUDA of a
// convolution and of two nodes, equal but for their index, that stay on the CPU.
const cudaProfile = `[
{"cat" : "Session","pid" :1,"tid" :1,"dur" :2309,"ts" :4,"ph" : "X","name" :"model_loading_array","args" : {}},
{"cat" : "Node","pid" :1,"tid" :1,"dur" :900,"ts" :5,"ph" : "X","name" :"conv_kernel_time","args" : {"node_index" : "3","provider" : "CUDAExecutionProvider","output_type_shape" : [{"float":[1,8,14,14]}],"input_type_shape" : [{"float":[1,3,28,28]},{"float":[8,3,5,5]}],"op_name" : "Conv","thread_scheduling_stats" : {"main_thread": {"core": -1}}}},
{"cat" : "Node","pid" :1,"tid" :1,"dur" :1,"ts" :5,"ph" : "X","name" :"slice_kernel_time","args" : {"node_index" : "4","provider" : "CPUExecutionProvider","op_name" : "Slice"}},
{"cat" : "Node","pid" :1,"tid" :1,"dur" :2,"ts" :5,"ph" : "X","name" :"slice_kernel_time","args" : {"node_index" : "5","provider" : "CPUExecutionProvider","op_name" : "Slice"}},
{"cat" : "Node","pid" :1,"tid" :1,"dur" :7,"ts" :5,"ph" : "X","name" :"slice_fence_before","args" : {"op_name" : "Slice"}},
{"cat" : "Node","pid" :1,"tid" :1,"dur" :30,"ts" :6,"ph" : "X","name" :"conv_kernel_time","args" : {"node_index" : "3","provider" : "CUDAExecutionProvider","output_type_shape" : [{"float":[1,8,14,14]}],"input_type_shape" : [{"float":[1,3,28,28]},{"float":[8,3,5,5]}],"op_name" : "Conv"}},
{"cat" : "Node","pid" :1,"tid" :1,"dur" :40,"ts" :7,"ph" : "X","name" :"conv_kernel_time","args" : {"node_index" : "3","provider" : "CUDAExecutionProvider","output_type_shape" : [{"float":[1,8,14,14]}],"input_type_shape" : [{"float":[1,3,28,28]},{"float":[8,3,5,5]}],"op_name" : "Conv"}}
]`

func writeProfile(t *testing.T, text string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "profile_1.json"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestReadProfile(t *testing.T) {
	p, err := runtime.ReadProfile(writeProfile(t, cudaProfile))
	if err != nil {
		t.Fatal(err)
	}
	want := runtime.Profile{
		{
			Name: "conv", Op: "Conv", Provider: runtime.CUDA, Time: 40 * time.Microsecond, // of 30, 40 and 900
			Inputs: [][]int{{1, 3, 28, 28}, {8, 3, 5, 5}}, Outputs: [][]int{{1, 8, 14, 14}},
		},
		{Name: "slice", Op: "Slice", Provider: runtime.CPU, Time: time.Microsecond},
		{Name: "slice", Op: "Slice", Provider: runtime.CPU, Time: 2 * time.Microsecond},
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("profile: -want +got\n%s", diff)
	}
	operators := []runtime.OperatorProfile{
		{Op: "Conv", Provider: runtime.CUDA, Nodes: 1, Time: 40 * time.Microsecond},
		{Op: "Slice", Provider: runtime.CPU, Nodes: 2, Time: 3 * time.Microsecond},
	}
	if diff := cmp.Diff(operators, p.Operators()); diff != "" {
		t.Errorf("operators: -want +got\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"Slice": 2}, p.Fallback(runtime.CUDA)); diff != "" {
		t.Errorf("fallback: -want +got\n%s", diff)
	}
	if left := p.Fallback(runtime.CPU); len(left) != 0 {
		t.Errorf("the CPU left %v to itself", left)
	}
}

func TestReadProfileThatIsNone(t *testing.T) {
	for name, c := range map[string]struct{ folder, want string }{
		"none":      {t.TempDir(), "holds no profile"},
		"empty":     {writeProfile(t, ""), "not a profile"},
		"other":     {writeProfile(t, `{"cat": "Node"}`), "not a profile"},
		"cut":       {writeProfile(t, cudaProfile[:len(cudaProfile)/2]), "damaged"},
		"no end":    {writeProfile(t, strings.TrimSuffix(cudaProfile, "]")), "cut short"},
		"no number": {writeProfile(t, strings.Replace(cudaProfile, `"dur" :900`, `"dur" :"long"`, 1)), "damaged"},
	} {
		if _, err := runtime.ReadProfile(c.folder); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.folder) {
			t.Errorf("%s: got %v, want %q and the folder's name", name, err, c.want)
		}
	}
}

// What ONNX Runtime writes is what is read.
func TestProfileOfASession(t *testing.T) {
	folder := t.TempDir()
	s, err := runtime.Load(context.Background(), sum(t), runtime.Options{Profile: folder})
	if err != nil {
		t.Fatal(err)
	}
	x := dense([]int{3, 2}, ramp(6)...)
	for range 2 {
		if _, err := s.Run(context.Background(), map[string]*tensor.Dense{"a": x, "b": x}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	p, err := runtime.ReadProfile(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(p) != 1 {
		t.Fatalf("%d nodes, want one: %v", len(p), p)
	}
	p[0].Name, p[0].Time = "", 0
	want := runtime.NodeProfile{Op: "Add", Provider: runtime.CPU, Inputs: [][]int{{3, 2}, {3, 2}}, Outputs: [][]int{{3, 2}}}
	if diff := cmp.Diff(want, p[0]); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
