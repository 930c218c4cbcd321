package runtime_test

import (
	"context"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/runtime"
)

// Either CUDA works and computes the same, or the reason is told and Auto takes
// the CPU: with the bundled library it is always the second.
func TestCUDA(t *testing.T) {
	ctx := context.Background()
	cuda, err := runtime.Load(ctx, generator(t), runtime.Options{Provider: runtime.CUDA})
	auto := load(t, generator(t), runtime.Options{Provider: runtime.Auto})
	if err == nil {
		defer cuda.Close()
		if cuda.Provider() != runtime.CUDA || auto.Provider() != runtime.CUDA || auto.Note() != "" {
			t.Errorf("cuda is %s; auto is %s, note %q", cuda.Provider(), auto.Provider(), auto.Note())
		}
		z := ramp(40)
		out, err := cuda.Run(ctx, map[string]*tensor.Dense{"z": dense([]int{10, 4}, z...)})
		if err != nil {
			t.Fatal(err)
		}
		agree(t, out["image"].Data().([]float32), naiveGenerator(z))
		return
	}
	reason := strings.TrimPrefix(err.Error(), "runtime: model: ")
	for _, part := range []string{"provider cuda: ", "ONNXRUNTIME_LIB", "NVIDIA driver"} {
		if !strings.Contains(reason, part) {
			t.Errorf("%q is missing in: %s", part, reason)
		}
	}
	if strings.Contains(reason, "\n") {
		t.Errorf("more than one line: %q", reason)
	}
	if auto.Provider() != runtime.CPU || auto.Note() != reason {
		t.Errorf("auto is %s, note %q; want the CPU because %s", auto.Provider(), auto.Note(), reason)
	}
}
