package gorgonia

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// dtypes are the element types of weights.
var dtypes = map[onnxpb.TensorProto_DataType]tensor.Dtype{
	onnxpb.TensorProto_FLOAT:  tensor.Float32,
	onnxpb.TensorProto_DOUBLE: tensor.Float64,
	onnxpb.TensorProto_INT32:  tensor.Int32,
	onnxpb.TensorProto_INT64:  tensor.Int64,
	onnxpb.TensorProto_UINT8:  tensor.Uint8,
	onnxpb.TensorProto_BOOL:   tensor.Bool,
}

// elementSize is the size in bytes of an element in raw data.
func elementSize(dtype tensor.Dtype) int { return int(dtype.Size()) }

// weights reads a model's initialisers.
type weights struct {
	folder string // where other files may lie; "" for none
	root   *os.Root
	files  map[string]*dataFile
}

// dataFile is a file that holds weights. Its bytes may be read once only, so
// that a small model can't ask for a large file again and again.
type dataFile struct {
	*os.File
	size, left int64
}

func (w *weights) close() {
	for _, f := range w.files {
		f.Close()
	}
	if w.root != nil {
		w.root.Close()
	}
}

// read checks that all the elements are there before it makes room for them.
func (w *weights) read(t *onnxpb.TensorProto) (array, error) {
	dtype, ok := dtypes[onnxpb.TensorProto_DataType(t.DataType)]
	if !ok {
		return array{}, fmt.Errorf("elements of type %v: want float32, float64, int32, int64, uint8 or bool", onnxpb.TensorProto_DataType(t.DataType))
	}
	a := array{dtype: dtype, shape: make([]int, len(t.Dims))}
	for i, d := range t.Dims {
		if d < 0 || d > math.MaxInt32 {
			return a, fmt.Errorf("an axis of %d", d)
		}
		a.shape[i] = int(d)
	}
	n, err := sizeOf(a.shape)
	if err != nil {
		return a, err
	}
	raw := t.RawData
	if t.DataLocation == onnxpb.TensorProto_EXTERNAL {
		if raw, err = w.external(t, int64(n)*int64(elementSize(dtype))); err != nil {
			return a, err
		}
	} else if len(raw) == 0 && n > 0 {
		return a, a.fromFields(t, n)
	}
	if len(raw) != n*elementSize(dtype) {
		return a, fmt.Errorf("%d bytes of data, want %d for %v", len(raw), n*elementSize(dtype), a)
	}
	return a, a.fromBytes(raw, n)
}

// fromFields reads data that is stored element by element.
func (a *array) fromFields(t *onnxpb.TensorProto, n int) error {
	have := 0
	switch a.dtype {
	case tensor.Float32:
		have, a.data = len(t.FloatData), t.FloatData
	case tensor.Float64:
		have, a.data = len(t.DoubleData), t.DoubleData
	case tensor.Int64:
		have, a.data = len(t.Int64Data), t.Int64Data
	case tensor.Int32:
		have, a.data = len(t.Int32Data), t.Int32Data
	case tensor.Uint8:
		d := make([]uint8, len(t.Int32Data))
		convertEachByte(d, t.Int32Data)
		have, a.data = len(d), d
	case tensor.Bool:
		d := make([]bool, len(t.Int32Data))
		notZero(d, t.Int32Data)
		have, a.data = len(d), d
	}
	if have != n {
		return fmt.Errorf("%d elements of data, want %d for %v", have, n, *a)
	}
	return nil
}

func convertEachByte(y []uint8, x []int32) {
	for i, v := range x {
		y[i] = uint8(v)
	}
}

// fromBytes reads little-endian data of the right size.
func (a *array) fromBytes(raw []byte, n int) (err error) {
	if a.data, err = zeros(a.dtype, n); err != nil {
		return err
	}
	if d, ok := a.data.([]bool); ok {
		notZero(d, raw)
		return nil
	}
	_, err = binary.Decode(raw, binary.LittleEndian, a.data)
	return err
}

// external reads the bytes of a tensor from a file in the model's folder, which
// neither its name nor a link may leave.
func (w *weights) external(t *onnxpb.TensorProto, size int64) ([]byte, error) {
	location, offset, length := "", int64(0), size
	for _, e := range t.ExternalData {
		var err error
		switch e.Key {
		case "location":
			location = e.Value
		case "offset":
			offset, err = strconv.ParseInt(e.Value, 10, 64)
		case "length":
			length, err = strconv.ParseInt(e.Value, 10, 64)
		}
		if err != nil {
			return nil, fmt.Errorf("external data with %s %.40q, want a number", e.Key, e.Value)
		}
	}
	if length != size {
		return nil, fmt.Errorf("external data of %d bytes, want %d", length, size)
	}
	f, err := w.file(location)
	if err != nil {
		return nil, err
	}
	if offset < 0 || offset > f.size || size > f.size-offset {
		return nil, fmt.Errorf("external data %.100q has %d bytes, want %d from %d on", location, f.size, size, offset)
	}
	if size > f.left {
		return nil, fmt.Errorf("external data %.100q is used twice", location)
	}
	f.left -= size
	raw := make([]byte, size)
	if _, err := f.ReadAt(raw, offset); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("external data %.100q: %w", location, reason(err))
	}
	return raw, nil
}

// file opens a file of the model's folder, once.
func (w *weights) file(location string) (*dataFile, error) {
	if f, ok := w.files[location]; ok {
		return f, nil
	}
	if w.folder == "" {
		return nil, fmt.Errorf("external data %.100q, but the model came without a folder", location)
	}
	if !filepath.IsLocal(location) {
		return nil, fmt.Errorf("external data %.100q is not in the model's folder", location)
	}
	if w.root == nil {
		root, err := os.OpenRoot(w.folder)
		if err != nil {
			return nil, fmt.Errorf("the model's folder: %w", reason(err))
		}
		w.root = root
	}
	// Looked at before it is opened, since opening a pipe waits for its writer.
	info, err := w.root.Stat(location)
	if err != nil {
		return nil, fmt.Errorf("external data %.100q: %w", location, reason(err))
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("external data %.100q is not a regular file", location)
	}
	f, err := w.root.Open(location)
	if err != nil {
		return nil, fmt.Errorf("external data %.100q: %w", location, reason(err))
	}
	if w.files == nil {
		w.files = map[string]*dataFile{}
	}
	w.files[location] = &dataFile{File: f, size: info.Size(), left: info.Size()}
	return w.files[location], nil
}

// reason drops the path from an error that names the file anyway.
func reason(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
