package export

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/internal/safefile"
)

const (
	maxFile   = 2<<30 - 1 // the largest message that protobuf, and so a single file, can be
	alignment = 4096      // of a tensor in a data file, so that a runtime can map it
	external  = 1024      // bytes of a tensor that is worth a place in one
)

// Write stores a model in a file, whole or not at all. Past 2 GB, which a file
// can't hold, the weights go into another beside it, as by [WriteExternal].
func Write(path string, model *onnxpb.ModelProto) error {
	if proto.Size(model) > maxFile {
		return WriteExternal(path, model)
	}
	data, err := Marshal(model)
	if err != nil {
		return err
	}
	return WriteFile(path, data)
}

// WriteExternal stores a model with its weights in a file beside it,
// NAME.SUM.data, both whole or not at all. SUM tells the weights: an older model
// of that name keeps its own until it is replaced, and then they are removed. The
// weights are written from where they lie.
//
// Source: https://onnx.ai/onnx/repo-docs/ExternalData.html
func WriteExternal(path string, model *onnxpb.ModelProto) error {
	sum := sha256.New()
	for _, t := range model.Graph.Initializer {
		if len(t.RawData) >= external {
			sum.Write(t.RawData)
		}
	}
	location := fmt.Sprintf("%s.%s.data", filepath.Base(path), hex.EncodeToString(sum.Sum(nil)[:4]))
	outer, err := moved(model, location)
	if err != nil {
		return err
	}
	weights := filepath.Join(filepath.Dir(path), location)
	err = safefile.Write(weights, func(w io.Writer) error {
		written := 0
		for _, t := range model.Graph.Initializer {
			if len(t.RawData) < external {
				continue
			}
			if _, err := w.Write(make([]byte, padding(written))); err != nil {
				return err
			}
			written += padding(written) + len(t.RawData)
			if _, err := w.Write(t.RawData); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	if err := WriteFile(path, outer); err != nil {
		return err
	}
	stale, err := filepath.Glob(filepath.Join(filepath.Dir(path), escaped(filepath.Base(path))+".[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f].data"))
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	for _, file := range stale {
		if file != weights {
			if err := os.Remove(file); err != nil {
				return fmt.Errorf("export: %s: %w", file, safefile.Reason(err))
			}
		}
	}
	return nil
}

// moved is a model, serialised, whose large tensors are in a file of that name.
func moved(model *onnxpb.ModelProto, location string) ([]byte, error) {
	out := shallow(model)
	out.Graph = shallow(model.Graph)
	out.Graph.Initializer = nil
	offset := 0
	for _, t := range model.Graph.Initializer {
		if len(t.RawData) < external {
			out.Graph.Initializer = append(out.Graph.Initializer, t)
			continue
		}
		offset += padding(offset)
		elsewhere := shallow(t)
		elsewhere.RawData, elsewhere.DataLocation = nil, onnxpb.TensorProto_EXTERNAL
		elsewhere.ExternalData = []*onnxpb.StringStringEntryProto{
			{Key: "location", Value: location},
			{Key: "offset", Value: strconv.Itoa(offset)},
			{Key: "length", Value: strconv.Itoa(len(t.RawData))},
		}
		out.Graph.Initializer = append(out.Graph.Initializer, elsewhere)
		offset += len(t.RawData)
	}
	return Marshal(out)
}

// shallow is a message of its own with the same contents: weights are not copied.
func shallow[M proto.Message](m M) M {
	from := m.ProtoReflect()
	to := from.New()
	from.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		to.Set(field, v)
		return true
	})
	to.SetUnknown(from.GetUnknown())
	return to.Interface().(M)
}

// padding is what brings the next tensor to a multiple of the alignment.
func padding(written int) int { return (alignment - written%alignment) % alignment }

// escaped is a name that filepath.Glob takes literally.
func escaped(name string) string {
	var out []rune
	for _, r := range name {
		switch r {
		case '*', '?', '[', '\\':
			out = append(out, '[', r, ']')
		default:
			out = append(out, r)
		}
	}
	return string(out)
}
