package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/internal/safefile"
)

// maxModel is the largest message that protobuf, and so a single-file ONNX
// model, can be.
const maxModel = 2<<30 - 1

// Open opens a model file. Weights in other files are read from its folder and
// nowhere else. What is no ONNX model, or only the beginning of one,
// is an error of one line that names the file.
func Open(ctx context.Context, path string, o Options) (*Session, error) {
	model, err := ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("runtime: %s: %w", path, err)
	}
	return load(ctx, path, filepath.Dir(path), model, o)
}

// checkExternal tells whether the weights that a model keeps in other files are
// there, in its own folder. ONNX Runtime reads them.
func checkExternal(weights [][]byte, folder string) error {
	files := &onnxpb.Files{Folder: folder}
	defer files.Close()
	for _, message := range weights {
		t := new(onnxpb.TensorProto)
		if err := proto.Unmarshal(message, t); err != nil {
			return errDamaged
		}
		if folder == "" {
			return fmt.Errorf("weight %q is kept in another file: open the model by its path", t.Name)
		}
		if err := files.Check(t); err != nil {
			return fmt.Errorf("weight %q: %w", t.Name, err)
		}
	}
	return nil
}

// ReadFile reads a model file whole. Errors do not name it.
func ReadFile(path string) ([]byte, error) {
	// Looked at before it is opened, since opening a pipe waits for its writer.
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fs.ErrNotExist
	case err != nil:
		return nil, safefile.Reason(err)
	case info.IsDir():
		return nil, errors.New("a folder; expected an ONNX file")
	case !info.Mode().IsRegular():
		return nil, errors.New("not a regular file; expected an ONNX file")
	case info.Size() > maxModel:
		return nil, fmt.Errorf("%d bytes; an ONNX file has %d at most", info.Size(), maxModel)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, safefile.Reason(err)
	}
	defer f.Close()
	// A bytes.Buffer clears what it allocates, while the garbage collector that
	// so much memory starts waits for it: 10 ms and more for 9 MB.
	b := make([]byte, info.Size())
	n, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) { // the file was cut since
		return nil, safefile.Reason(err)
	}
	return b[:n], nil
}
