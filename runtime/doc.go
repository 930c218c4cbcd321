// Package runtime runs ONNX models: open one, give it arrays by name, get
// arrays by name.
//
//	s, err := runtime.Open(ctx, "generator.onnx", runtime.Options{})
//	...
//	defer s.Close()
//	out, err := s.Run(ctx, map[string]*tensor.Dense{"z": z})
//
// The work is done by ONNX Runtime, whose shared library is fetched at first
// use through the go command and kept in the user's cache. Options.Library or
// the environment variable ONNXRUNTIME_LIB name another one, such as a GPU
// build; version 1.24 or newer is needed. Package runtime/gorgonia does without.
package runtime
