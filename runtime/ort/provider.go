package ort

import (
	"fmt"
	"slices"
	"strings"

	onnx "github.com/yalue/onnxruntime_go"
)

// Auto is the name that stands for the first provider of the table that works.
const Auto = "auto"

// A provider is one way for ONNX Runtime to compute.
type provider struct {
	name   string
	enable func(*onnx.SessionOptions) error
	remedy string // what a machine needs for it
}

// providers stand in the order in which Auto tries them. The last always works.
var providers = []provider{
	{"cuda", enableCUDA, "it needs a GPU build of ONNX Runtime (" + LibraryEnv +
		" names its library), CUDA and cuDNN where the system's loader finds them, and an NVIDIA driver"},
	{"cpu", func(*onnx.SessionOptions) error { return nil }, ""},
}

// Providers lists the names that Options.Provider accepts, the plainest first.
func Providers() []string {
	names := []string{Auto}
	for _, p := range providers {
		names = append(names, p.name)
	}
	slices.Reverse(names)
	return names
}

// candidates returns the providers to try for a name.
func candidates(name string) ([]provider, error) {
	switch i := slices.IndexFunc(providers, func(p provider) bool { return p.name == name }); {
	case i >= 0:
		return providers[i : i+1], nil
	case name == Auto:
		return providers, nil
	case name == "":
		return providers[len(providers)-1:], nil
	}
	return nil, fmt.Errorf("ort: provider %q is not one of %s", name, strings.Join(Providers(), ", "))
}

// cudaOptions keep results reproducible and equal to the CPU's up to rounding.
var cudaOptions = map[string]string{
	"device_id": "0",
	// TF32 keeps 10 bits of the mantissa where float32 has 23.
	"use_tf32": "0",
	// The default times all algorithms at each new shape: slow to start, and
	// the winner, so the rounding, differs from run to run.
	"cudnn_conv_algo_search": "HEURISTIC",
}

func enableCUDA(o *onnx.SessionOptions) error {
	cuda, err := onnx.NewCUDAProviderOptions()
	if err != nil {
		return err
	}
	defer cuda.Destroy()
	// Only this call says which library is missing; the next one just fails.
	if err := cuda.Update(cudaOptions); err != nil {
		return err
	}
	return o.AppendExecutionProviderCUDA(cuda)
}
