package export

import (
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/internal/safefile"
)

// Marshal serialises a model. The same model gives the same bytes.
func Marshal(model *onnxpb.ModelProto) ([]byte, error) {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(model)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	return data, nil
}

// WriteFile stores a serialised model whole or not at all. The weights that the
// model before it had in a file of their own are removed.
func WriteFile(path string, model []byte) error {
	old := dataFiles(path)
	if err := store(path, model); err != nil {
		return err
	}
	return removeData(path, old, "")
}

func store(path string, model []byte) error {
	err := safefile.Write(path, func(w io.Writer) error {
		_, err := w.Write(model)
		return err
	})
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}
