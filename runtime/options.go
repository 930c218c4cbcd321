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

// Waiting is what a session's threads do while there is no work for them.
type Waiting = ort.Waiting

const (
	// Spin is to look for work without pause, for a while after a run too: the
	// quickest to begin, and the right choice for small models that run without
	// interruption on cores of their own.
	Spin = ort.Spin
	// SpinDuringRun is to spin between the operators of a run and to sleep
	// between runs. It suits a training loop, which makes the next batch
	// meanwhile.
	SpinDuringRun = ort.SpinDuringRun
	// Sleep is never to spin. It suits runs beside other work on the same cores,
	// such as compressing pictures.
	Sleep = ort.Sleep
)

// Options say how to run a model. The zero value is right for a CPU.
type Options struct {
	// Provider computes. "" means CPU.
	Provider Provider
	// Library is the path of ONNX Runtime's shared library. "" means the one
	// that $ONNXRUNTIME_LIB names, else the bundled one. A process uses one
	// library: once it is loaded, "" means that one, and any other is an error.
	Library string
	// Threads is how many threads share the work of one operator. 0 means one
	// for each physical core that the program may use.
	Threads int
	// Waiting is what those threads do while there is no work for them.
	Waiting Waiting
	// Batch is about how many examples a run will have, 0 if that isn't known.
	// With many, a CPU computes convolutions as products of matrices,
	// which is faster; the results differ by float32 rounding, the session takes
	// longer to open, and a run may still have any number of examples.
	Batch int
	// Profile is an existing folder in which Close leaves what every node took,
	// for ReadProfile. It slows a run. "" means none.
	Profile string
}
