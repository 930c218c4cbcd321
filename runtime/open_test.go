package runtime_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/runtime"
)

func TestOpenRefusals(t *testing.T) {
	good := generator(t)
	noOperator := serialise(t, &onnxpb.GraphProto{
		Input:  []*onnxpb.ValueInfoProto{array("x", onnxpb.TensorProto_FLOAT, 1)},
		Output: []*onnxpb.ValueInfoProto{array("y", onnxpb.TensorProto_FLOAT, 1)},
		Node:   []*onnxpb.NodeProto{node("NoSuchOperator", []string{"x"}, "y")},
	})
	noInput := serialise(t, &onnxpb.GraphProto{
		Output:      []*onnxpb.ValueInfoProto{array("y", onnxpb.TensorProto_FLOAT, 1)},
		Initializer: []*onnxpb.TensorProto{floats("w", []int64{1}, 1)},
		Node:        []*onnxpb.NodeProto{node("Identity", []string{"w"}, "y")},
	})
	elsewhere := floats("weights", []int64{1}, 1)
	elsewhere.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 14, protowire.VarintType), 1))
	external := serialise(t, &onnxpb.GraphProto{
		Input:       []*onnxpb.ValueInfoProto{array("x", onnxpb.TensorProto_FLOAT, 1)},
		Output:      []*onnxpb.ValueInfoProto{array("y", onnxpb.TensorProto_FLOAT, 1)},
		Initializer: []*onnxpb.TensorProto{elsewhere},
		Node:        []*onnxpb.NodeProto{node("Add", []string{"x", "weights"}, "y")},
	})
	// A branch that keeps a weight in a file outside of the folder.
	outside := floats("inner", []int64{1})
	outside.DataLocation = onnxpb.TensorProto_EXTERNAL
	outside.ExternalData = []*onnxpb.StringStringEntryProto{{Key: "location", Value: "../weights"}}
	body := &onnxpb.AttributeProto{Name: "then_branch", Type: onnxpb.AttributeProto_GRAPH, G: &onnxpb.GraphProto{
		Initializer: []*onnxpb.TensorProto{outside},
	}}
	branch := node("If", []string{"x"}, "y")
	branch.Attribute = []*onnxpb.AttributeProto{body}
	inBranch := serialise(t, &onnxpb.GraphProto{
		Input:  []*onnxpb.ValueInfoProto{array("x", onnxpb.TensorProto_BOOL, 1)},
		Output: []*onnxpb.ValueInfoProto{array("y", onnxpb.TensorProto_FLOAT, 1)},
		Node:   []*onnxpb.NodeProto{branch},
	})
	const (
		foreign = "not an ONNX model"
		damaged = "an ONNX model that is damaged or cut short"
	)
	tests := []struct {
		name    string
		content []byte
		want    string // how the error goes on after the file's name
	}{
		{"empty", nil, "empty; expected an ONNX model"},
		{"text", []byte("a line of text\nand one more\n"), foreign},
		{"page", []byte("<!DOCTYPE html><html></html>"), foreign},
		{"picture", append([]byte("\x89PNG\r\n\x1a\n"), make([]byte, 100)...), foreign},
		{"zip", []byte("PK\x03\x04\x14\x00\x00\x00\x08\x00"), foreign},
		{"zeros", make([]byte, 100), foreign},
		{"cut in half", good[:len(good)/2], damaged},
		{"cut after the first field", good[:2], damaged},
		{"last byte lost", good[:len(good)-1], damaged},
		{"type that no array has", identity(t, onnxpb.TensorProto_FLOAT16, 1), `input "x" is of an unsupported type: expected an array of`},
		{"no inputs", noInput, "the model has 0 inputs and 1 outputs: expected one of each at least"},
		{"weights elsewhere", external, `weight "weights": external data "" is not in the model's folder`},
		{"weights of a branch elsewhere", inBranch, `weight "inner": external data "../weights" is not in the model's folder`},
		{"operator unknown", noOperator, "Error creating C session:"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "model.onnx")
			if err := os.WriteFile(path, tt.content, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := runtime.Open(context.Background(), path, runtime.Options{})
			if err == nil {
				t.Fatal("opened")
			}
			if want := "runtime: " + path + ": " + tt.want; !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

func TestOpenNoFile(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing.onnx")
	_, err := runtime.Open(context.Background(), missing, runtime.Options{})
	if !errors.Is(err, fs.ErrNotExist) || err.Error() != "runtime: "+missing+": file does not exist" {
		t.Errorf("missing file: got %v", err)
	}
	_, err = runtime.Open(context.Background(), dir, runtime.Options{})
	if err == nil || err.Error() != "runtime: "+dir+": a folder; expected an ONNX file" {
		t.Errorf("folder: got %v", err)
	}
	_, err = runtime.Open(context.Background(), os.DevNull, runtime.Options{})
	if err == nil || !strings.HasSuffix(err.Error(), "not a regular file; expected an ONNX file") {
		t.Errorf("device: got %v", err)
	}
}

// No way of cutting or flipping a model may bring the process down before ONNX
// Runtime sees it, nor be reported on more than one line.
func TestOpenDamaged(t *testing.T) {
	good := generator(t)
	for i := range good {
		for _, bad := range [][]byte{good[:i], flipped(good, i)} {
			s, err := runtime.Load(context.Background(), bad, runtime.Options{Threads: 1})
			if err != nil {
				if strings.Contains(err.Error(), "\n") {
					t.Errorf("byte %d: more than one line: %v", i, err)
				}
				continue
			}
			// A flip in a weight or a note is still a model; a cut is not.
			if len(bad) < len(good) && i < bytes.Index(good, []byte("architecture"))-4 {
				t.Errorf("cut to %d bytes, it was opened", i)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func flipped(b []byte, i int) []byte {
	c := bytes.Clone(b)
	c[i] ^= 0x55
	return c
}

// Up to IR version 3, weights are inputs too.
func TestWeightsAreNoInputs(t *testing.T) {
	s := load(t, serialise(t, &onnxpb.GraphProto{
		Input: []*onnxpb.ValueInfoProto{
			array("w", onnxpb.TensorProto_FLOAT, 1), array("x", onnxpb.TensorProto_FLOAT, nil, 1),
		},
		Output:      []*onnxpb.ValueInfoProto{array("y", onnxpb.TensorProto_FLOAT, nil, 1)},
		Initializer: []*onnxpb.TensorProto{floats("w", []int64{1}, 1)},
		Node:        []*onnxpb.NodeProto{node("Add", []string{"x", "w"}, "y")},
	}), runtime.Options{})
	if in := s.Inputs(); len(in) != 1 || in[0].String() != "x float32 [?, 1]" {
		t.Errorf("inputs %v, want x alone", in)
	}
}
