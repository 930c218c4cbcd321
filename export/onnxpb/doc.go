// Package onnxpb holds the messages of an ONNX file, generated from onnx.proto.
package onnxpb

//go:generate sh -c "cd ../../scripts/tools && go run ./pbgen ../../export/onnxpb/onnx.proto"
