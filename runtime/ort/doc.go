// Package ort runs ONNX models on ONNX Runtime, a C++ library that is loaded
// into the process when the first session is made.
//
// It is the only package that knows the binding, github.com/yalue/onnxruntime_go.
// Callers want package runtime, which checks what goes in and names what is
// wrong; here, tensors are passed by position and trusted to fit.
package ort
