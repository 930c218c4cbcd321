package export

import (
	"cmp"
	"crypto/sha1" // of which ONNX wants it
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
	maxOuter  = 256 << 20 // what a model without its weights has at most
)

// Write stores a model in a file, whole or not at all. Past 2 GB, which a file
// can't hold, the weights go into another beside it, as by [WriteExternal].
func Write(path string, model *onnxpb.ModelProto) error {
	if proto.Size(model) > maxFile {
		_, err := WriteExternal(path, model)
		return err
	}
	data, err := Marshal(model)
	if err != nil {
		return err
	}
	return WriteFile(path, data)
}

// WriteExternal stores a model with its weights in a file beside it,
// NAME.SUM.data, both whole or not at all, and returns the name of that file. SUM
// tells the weights: an older model of the same name keeps its own until it is
// replaced, and then they are removed. The weights are written from where they
// lie. A model without large ones becomes one file.
//
// Source: https://onnx.ai/onnx/repo-docs/ExternalData.html
func WriteExternal(path string, model *onnxpb.ModelProto) (data string, err error) {
	weights := placed(model)
	if len(weights) == 0 {
		outer, err := Marshal(model)
		if err != nil {
			return "", err
		}
		return "", WriteFile(path, outer)
	}
	sum := sha1.New()
	if err := weights.write(sum); err != nil {
		return "", err
	}
	checksum := hex.EncodeToString(sum.Sum(nil))
	data = fmt.Sprintf("%s.%s.data", filepath.Base(path), checksum[:8])
	outer, err := weights.moved(model, data, checksum)
	if err != nil {
		return "", err
	}
	file := filepath.Join(filepath.Dir(path), data)
	_, err = os.Lstat(file)
	isNew := errors.Is(err, fs.ErrNotExist)
	if err := safefile.Write(file, weights.write); err != nil {
		return "", fmt.Errorf("export: %w", err)
	}
	old := dataFiles(path)
	if err := store(path, outer); err != nil {
		if isNew {
			os.Remove(file)
		}
		return "", err
	}
	return data, removeData(path, old, data)
}

// places are the tensors that go into a data file, one after the other.
type places []place

type place struct {
	tensor *onnxpb.TensorProto
	offset int
}

// placed gives every large tensor of a model a place.
func placed(model *onnxpb.ModelProto) (out places) {
	end := 0
	for _, t := range model.Graph.Initializer {
		if len(t.RawData) < external {
			continue
		}
		offset := (end + alignment - 1) / alignment * alignment
		out = append(out, place{t, offset})
		end = offset + len(t.RawData)
	}
	return out
}

// write writes the data file.
func (p places) write(w io.Writer) error {
	end := 0
	for _, at := range p {
		if _, err := w.Write(make([]byte, at.offset-end)); err != nil {
			return err
		}
		if _, err := w.Write(at.tensor.RawData); err != nil {
			return err
		}
		end = at.offset + len(at.tensor.RawData)
	}
	return nil
}

// moved is the model, serialised, with these tensors in a file of that name.
func (p places) moved(model *onnxpb.ModelProto, location, checksum string) ([]byte, error) {
	elsewhere := map[*onnxpb.TensorProto]*onnxpb.TensorProto{}
	for _, at := range p {
		t := shallow(at.tensor)
		t.RawData, t.DataLocation = nil, onnxpb.TensorProto_EXTERNAL
		t.ExternalData = []*onnxpb.StringStringEntryProto{
			{Key: "location", Value: location},
			{Key: "offset", Value: strconv.Itoa(at.offset)},
			{Key: "length", Value: strconv.Itoa(len(at.tensor.RawData))},
			{Key: "checksum", Value: checksum},
		}
		elsewhere[at.tensor] = t
	}
	out := shallow(model)
	out.Graph = shallow(model.Graph)
	out.Graph.Initializer = nil
	for _, t := range model.Graph.Initializer {
		out.Graph.Initializer = append(out.Graph.Initializer, cmp.Or(elsewhere[t], t))
	}
	return Marshal(out)
}

// dataFiles are the files, of those that WriteExternal makes for a model of that
// name, in which the model that lies there has its weights.
func dataFiles(path string) []string {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxOuter {
		return nil
	}
	data, err := os.ReadFile(path)
	model := new(onnxpb.ModelProto)
	if err != nil || proto.Unmarshal(data, model) != nil {
		return nil
	}
	ours := regexp.MustCompile(`^` + regexp.QuoteMeta(filepath.Base(path)) + `\.[0-9a-f]{8}\.data$`)
	return slices.DeleteFunc(onnxpb.DataFiles(model), func(name string) bool { return !ours.MatchString(name) })
}

// removeData removes data files of the model that lay at path before, but for one
// that is needed.
func removeData(path string, old []string, needed string) error {
	for _, name := range old {
		file := filepath.Join(filepath.Dir(path), name)
		if info, err := os.Lstat(file); name == needed || err != nil || !info.Mode().IsRegular() {
			continue
		}
		if err := os.Remove(file); err != nil {
			return fmt.Errorf("export: %s is written, but its old weights %s can't be removed: %w", path, file, safefile.Reason(err))
		}
	}
	return nil
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
