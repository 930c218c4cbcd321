package onnxpb

import "google.golang.org/protobuf/encoding/protowire"

// Field numbers of onnx.proto on the way to the elements of weights, and those that
// hold elements: float, int32, int64, raw and double data of TensorProto.
const (
	fieldGraph       protowire.Number = 7 // ModelProto
	fieldInitializer protowire.Number = 5 // GraphProto
)

var elementFields = map[protowire.Number]bool{4: true, 5: true, 7: true, 9: true, 10: true}

// Beside counts the bytes of a serialised model that are not elements of its
// weights: once decoded, an empty node takes a hundred times as many as in the file.
// The model need not be sound.
func Beside(model []byte) int { return beside(model, 0) }

// beside knows three levels: model, graph, initializer.
func beside(message []byte, level int) int {
	total := 0
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return total // a decoder stops here too
		}
		size := protowire.ConsumeFieldValue(number, kind, message[n:])
		if size < 0 {
			return total
		}
		value := message[n : n+size]
		message = message[n+size:]
		total += n + size
		if kind != protowire.BytesType {
			continue
		}
		content, _ := protowire.ConsumeBytes(value)
		switch {
		case level == 2 && elementFields[number]:
			total -= len(content)
		case level == 0 && number == fieldGraph, level == 1 && number == fieldInitializer:
			total += beside(content, level+1) - len(content)
		}
	}
	return total
}
