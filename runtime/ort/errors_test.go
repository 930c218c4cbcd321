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
		"CUDA failure 719: unspecified launch failure ; GPU=0 ; hostname=box ; file=/x/gpu_data_transfer.cc ; line=73 ; expr=cudaMemcpyAsync(a, b); ": "CUDA failure 719: " +
			"unspecified launch failure on GPU 0",
		"Error running network: Non-zero status code returned while running Conv node. Name:'c' Status Message: Failed to initialize CUDNN Frontend" +
			"/onnxruntime_src/onnxruntime/core/providers/cuda/cudnn_fe_call.cc:99 std::conditional_t<THRW, void, onnxruntime::common::Status> " +
			"onnxruntime::CudaCall(ERRTYPE, const char*, int) [with ERRTYPE = cudnn_frontend::error_object; bool THRW = true] " +
			"/onnxruntime_src/onnxruntime/core/providers/cuda/cudnn_fe_call.cc:91 std::conditional_t<THRW, void, onnxruntime::common::Status> " +
			"onnxruntime::CudaCall(ERRTYPE, const char*, int) [with ERRTYPE = cudnn_frontend::error_object; bool THRW = true] " +
			"CUDNN_FE failure 8: HEURISTIC_QUERY_FAILED ; GPU=0 ; hostname=box ; file=/onnxruntime_src/conv.cc ; line=238 ; " +
			"expr=s_.cudnn_fe_graph->create_execution_plans({heur_mode}); \n\nwith the cudnn frontend json:\n{}": "Error running network: Non-zero status code " +
			"returned while running Conv node. Name:'c' Status Message: Failed to initialize CUDNN Frontend: CUDNN_FE failure 8: HEURISTIC_QUERY_FAILED on GPU 0",
		"Error running network: Non-zero status code returned\n  while running Gather node.\n\n": "Error running network: Non-zero status code returned while running Gather node",
	} {
		if got := oneLine(errors.New(text)); got.Error() != want || errors.Is(got, ErrOutOfMemory) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// The first two are ONNX Runtime 1.24.4's, the others put together from the
// source of its CUDA provider.
func TestOutOfMemory(t *testing.T) {
	for text, want := range map[string]string{
		"Error running network: Non-zero status code returned while running Conv node. Name:'discriminator/conv1_2' Status Message: " +
			"/shared/onnxruntime/core/framework/bfc_arena.cc:358 void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool, onnxruntime::Stream*) " +
			"Failed to allocate memory for requested buffer of size 1003520000\n": `out of memory: 957 MiB for node "discriminator/conv1_2" (Conv) could not be allocated`,
		"Error running network: Exception during initialization: std::bad_alloc": "out of memory: Error running network: Exception during initialization: std::bad_alloc",
		"Error running network: Non-zero status code returned while running Conv node. Name:'c' Status Message: CUDA failure 2: out of memory ; " +
			"GPU=0 ; hostname=box ; file=/x/cuda_allocator.cc ; line=74 ; expr=cudaMalloc((void**)&p, size); ": "out of memory: Error running network: " +
			"Non-zero status code returned while running Conv node. Name:'c' Status Message: CUDA failure 2: out of memory on GPU 0",
		"Available memory of 1024 is smaller than requested bytes of 1048576": "out of memory: Available memory of 1024 is smaller than requested bytes of 1048576",
	} {
		if got := oneLine(errors.New(text)); got.Error() != want || !errors.Is(got, ErrOutOfMemory) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
