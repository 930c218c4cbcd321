package keras

import (
	"errors"
	"fmt"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// maxParts is many times what the largest of the networks has.
const maxParts = 1 << 12

// maxBeside bounds the bytes of a model that are no numbers of its weights.
// Exports of Keras' have some ten thousand.
const maxBeside = 1 << 22

// maxModel is the largest message that protobuf, and so an ONNX file, can be.
const maxModel = 2<<30 - 1

// readModel reads an ONNX file and the tensors that it keeps in other files of
// its folder.
func readModel(path string) (*onnxpb.ModelProto, error) {
	files := &onnxpb.Files{Folder: filepath.Dir(path)}
	defer files.Close()
	b, err := readSome(path, maxModel)
	if err != nil {
		return nil, err
	}
	return parseModel(b, files)
}

// parseModel reads a serialised model, and into it what it keeps in other files.
func parseModel(b []byte, files *onnxpb.Files) (*onnxpb.ModelProto, error) {
	if n := onnxpb.Beside(b); n > maxBeside {
		return nil, fmt.Errorf("%d bytes beside the weights, want at most %d", n, maxBeside)
	}
	m := new(onnxpb.ModelProto)
	// What is not known here is not passed on to a runtime either.
	if (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(b, m) != nil { // its error says no more
		return nil, errors.New("not an ONNX model, or one that is damaged or cut short")
	}
	if m.IrVersion <= 0 || m.Graph == nil {
		return nil, errors.New("not an ONNX model: it has no IR version or no graph")
	}
	if len(m.Functions) > 0 {
		return nil, errors.New("holds functions of its own, which no export of Keras' has")
	}
	if g := m.Graph; max(len(g.Node), len(g.Initializer), len(g.Input), len(g.Output)) > maxParts {
		return nil, fmt.Errorf("holds more than %d nodes or tensors, which no export of Keras' does", maxParts)
	}
	for _, t := range m.Graph.Initializer {
		if t.DataLocation != onnxpb.TensorProto_EXTERNAL {
			continue
		}
		data, err := readExternal(t, files)
		if err != nil {
			return nil, fmt.Errorf("initializer %q: %w", brief(t.Name), err)
		}
		t.RawData, t.DataLocation, t.ExternalData = data, onnxpb.TensorProto_DEFAULT, nil
	}
	return m, nil
}

// readExternal reads the numbers of a tensor from another file.
func readExternal(t *onnxpb.TensorProto, files *onnxpb.Files) ([]byte, error) {
	if len(t.Dims) > maxAxes {
		return nil, fmt.Errorf("has %d axes", len(t.Dims))
	}
	length := int64(4) // of one number
	if t.DataType == int32(onnxpb.TensorProto_INT64) {
		length = 8
	}
	for _, d := range t.Dims {
		if d < 1 || d > maxModel/length {
			return nil, fmt.Errorf("its shape %v is empty or too large", t.Dims)
		}
		length *= d
	}
	return files.Read(t, length)
}
