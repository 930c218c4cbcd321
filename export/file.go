package export

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

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
func WriteFile(path string, model []byte) error { return replace(path, model, "") }

// replace is WriteFile for a model that needs the file keep.
func replace(path string, model []byte, keep string) error {
	old := dataFiles(path)
	err := safefile.Write(path, func(w io.Writer) error {
		_, err := w.Write(model)
		return err
	})
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	for _, name := range old {
		file := filepath.Join(filepath.Dir(path), name)
		if info, err := os.Lstat(file); name == keep || err != nil || !info.Mode().IsRegular() {
			continue
		}
		if err := os.Remove(file); err != nil {
			return fmt.Errorf("export: %s is written, but its old weights %s can't be removed: %w", path, file, safefile.Reason(err))
		}
	}
	return nil
}
