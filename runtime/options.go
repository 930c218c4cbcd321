package runtime

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gantrain/gantrain/runtime/ort"
)

// Provider is what computes a model's operators.
type Provider string

const (
	CPU  Provider = "cpu"
	CUDA Provider = "cuda"   // the first NVIDIA GPU; float32 stays float32, without TF32
	Auto Provider = ort.Auto // CUDA where it works, else the CPU
)

// ParseProvider turns what a user typed into a Provider.
func ParseProvider(s string) (Provider, error) {
	if known := ort.Providers(); !slices.Contains(known, s) {
		return "", fmt.Errorf("runtime: provider %q is not one of %s", s, strings.Join(known, ", "))
	}
	return Provider(s), nil
}

// Options say how to run a model. The zero value is right for a CPU.
type Options struct {
	// Provider computes. "" means CPU.
	Provider Provider
	// Library is the path of ONNX Runtime's shared library. "" means the one
	// that $ONNXRUNTIME_LIB names, else the bundled one. A process uses one
	// library: once it is loaded, "" means that one, and any other is an error.
	Library string
	// Threads is how many threads share the work of one operator. 0 means one
	// for each physical core.
	Threads int
}
