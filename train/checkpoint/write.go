package checkpoint

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"unicode/utf8"

	"github.com/nlpodyssey/safetensors"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/internal/safefile"
)

// Write puts c into a file, whole or not at all: a failure leaves what was
// there before. The same content gives the same bytes, whatever the order in
// which it was put together. One tensor at a time is copied.
func Write(path string, c Checkpoint) error {
	err := safefile.Write(path, func(w io.Writer) error { return encode(w, c) })
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

// encode passes over the tensors twice: the checksum precedes the data that it
// is taken of.
func encode(w io.Writer, c Checkpoint) error {
	views := make(map[string]view, len(c.Tensors))
	for name, t := range c.Tensors {
		v, err := viewOf(name, t)
		if err != nil {
			return err
		}
		views[name] = v
	}
	metadata := maps.Clone(c.Metadata)
	if metadata == nil {
		metadata = map[string]string{}
	}
	for key, value := range metadata {
		if key == sumKey {
			return fmt.Errorf("metadata %q is taken by the checksum", key)
		}
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return fmt.Errorf("metadata %q: %q is not UTF-8", key, value)
		}
	}

	sum := sha256.New()
	metadata[sumKey] = blankSum
	if err := safetensors.SerializeToWriter(views, metadata, sum); err != nil {
		return err
	}
	metadata[sumKey] = hex.EncodeToString(sum.Sum(nil))
	return safetensors.SerializeToWriter(views, metadata, w)
}

// view shows a tensor to the safetensors library.
type view struct {
	dtype safetensors.DType
	shape []uint64
	data  any // []float32 or []float64
}

func viewOf(name string, t *tensor.Dense) (view, error) {
	switch {
	case name == metadataKey || !utf8.ValidString(name):
		return view{}, fmt.Errorf("tensor %q: the name is taken by the format or not UTF-8", name)
	case t == nil:
		return view{}, fmt.Errorf("tensor %q is nil", name)
	case t.RequiresIterator() || t.DataOrder().IsColMajor():
		return view{}, fmt.Errorf("tensor %q is a view, masked or column-major: write a row-major copy", name)
	}
	v := view{shape: make([]uint64, 0, t.Dims())}
	for _, d := range t.Shape() {
		v.shape = append(v.shape, uint64(d))
	}
	switch t.Dtype() {
	case tensor.Float32:
		v.dtype, v.data = safetensors.F32, t.Float32s()
	case tensor.Float64:
		v.dtype, v.data = safetensors.F64, t.Float64s()
	default:
		return view{}, fmt.Errorf("tensor %q is %v: only float32 and float64 are written", name, t.Dtype())
	}
	return v, nil
}

func (v view) DType() safetensors.DType { return v.dtype }
func (v view) Shape() []uint64          { return v.shape }
func (v view) DataLen() uint64          { return uint64(binary.Size(v.data)) }

// Data can't fail: both slice types have a fixed size.
func (v view) Data() []byte {
	b, _ := binary.Append(make([]byte, 0, v.DataLen()), binary.LittleEndian, v.data)
	return b
}
