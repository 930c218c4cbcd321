package runtime

import "google.golang.org/protobuf/encoding/protowire"

// Field numbers of onnx.proto, by message.
const (
	modelIRVersion protowire.Number = 1 // ModelProto
	modelGraph     protowire.Number = 7
	modelMetadata  protowire.Number = 14

	entryKey   protowire.Number = 1 // StringStringEntryProto
	entryValue protowire.Number = 2

	graphNode        protowire.Number = 1 // GraphProto
	graphInitializer protowire.Number = 5
	graphInput       protowire.Number = 11
	graphOutput      protowire.Number = 12

	nodeAttribute   protowire.Number = 5 // NodeProto
	attributeGraph  protowire.Number = 6 // AttributeProto
	attributeGraphs protowire.Number = 11

	tensorName     protowire.Number = 8 // TensorProto
	tensorLocation protowire.Number = 14

	valueName protowire.Number = 1 // ValueInfoProto
	valueType protowire.Number = 2

	typeTensor    protowire.Number = 1 // TypeProto
	tensorElement protowire.Number = 1 // TypeProto.Tensor
	tensorShape   protowire.Number = 2
	shapeDim      protowire.Number = 1 // TensorShapeProto
	dimValue      protowire.Number = 1 // TensorShapeProto.Dimension
	dimParameter  protowire.Number = 2
)

// locationExternal is TensorProto.DataLocation's EXTERNAL.
const locationExternal = 1

// field is one field of a protobuf message.
type field struct {
	number protowire.Number
	varint uint64 // of a number
	bytes  []byte // of a string or message; part of the message it stands in
}

// fields calls visit for every field of a message in turn.
func fields(message []byte, visit func(field) error) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		f := field{number: number}
		switch kind {
		case protowire.VarintType:
			f.varint, n = protowire.ConsumeVarint(message)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(message)
		default:
			n = protowire.ConsumeFieldValue(number, kind, message)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		if err := visit(f); err != nil {
			return err
		}
		message = message[n:]
	}
	return nil
}

// child returns the last field of that number, which is the one that counts.
func child(message []byte, number protowire.Number) (last field, err error) {
	err = fields(message, func(f field) error {
		if f.number == number {
			last = f
		}
		return nil
	})
	return last, err
}
