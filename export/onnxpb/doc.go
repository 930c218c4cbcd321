// Package onnxpb holds the messages of an ONNX file, generated from onnx.proto,
// and reads what their tensors keep in other files.
package onnxpb

//go:generate sh -c "cd ../../scripts/tools && go run ./pbgen ../../export/onnxpb/onnx.proto"
