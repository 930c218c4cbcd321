package runtime

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// maxModel is the largest message that protobuf, and so a single-file ONNX
// model, can be.
const maxModel = 2<<30 - 1

// Open opens a model file. What is no ONNX model, or only the beginning of one,
// is an error of one line that names the file.
func Open(ctx context.Context, path string, o Options) (*Session, error) {
	model, err := readModel(path)
	if err != nil {
		return nil, fmt.Errorf("runtime: %s: %w", path, err)
	}
	return load(ctx, path, model, o)
}

func readModel(path string) ([]byte, error) {
	// Looked at before it is opened, since opening a pipe waits for its writer.
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fs.ErrNotExist
	case err != nil:
		return nil, reason(err)
	case info.IsDir():
		return nil, errors.New("a folder; expected an ONNX file")
	case !info.Mode().IsRegular():
		return nil, errors.New("not a regular file; expected an ONNX file")
	case info.Size() > maxModel:
		return nil, fmt.Errorf("%d bytes; an ONNX file has %d at most", info.Size(), maxModel)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, reason(err)
	}
	defer f.Close()
	var b bytes.Buffer
	b.Grow(int(info.Size()) + bytes.MinRead)
	if _, err := b.ReadFrom(io.LimitReader(f, info.Size())); err != nil {
		return nil, reason(err)
	}
	return b.Bytes(), nil
}

// reason drops the path from an error that will be given it anyway.
func reason(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
