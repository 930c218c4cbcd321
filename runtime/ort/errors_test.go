package ort

import (
	"errors"
	"testing"
)

// The messages are ONNX Runtime 1.24.4's and 1.31.1's.
func TestOneLine(t *testing.T) {
	for text, want := range map[string]string{
		"CUDA execution provider is not enabled in this build.": "CUDA execution provider is not enabled in this build",
		"/onnxruntime_src/onnxruntime/core/session/provider_bridge_ort.cc:2043 onnxruntime::Provider& onnxruntime::ProviderLibrary::Get() " +
			"[ONNXRuntimeError] : 1 : FAIL : Failed to load library /x/libonnxruntime_providers_cuda.so with error: " +
			"libcublasLt.so.13: cannot open shared object file: No such file or directory\n": "Failed to load library /x/libonnxruntime_providers_cuda.so with error: " +
			"libcublasLt.so.13: cannot open shared object file: No such file or directory",
		"Error running network: Non-zero status code returned\n  while running Gather node.\n\n": "Error running network: Non-zero status code returned while running Gather node",
	} {
		if got := oneLine(errors.New(text)).Error(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
