package export_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/train/op"
)

var update = flag.Bool("update", false, "write the golden files anew")

func exported(t testing.TB, m export.Model) *onnxpb.ModelProto {
	t.Helper()
	p, err := export.Graph(m)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func marshalled(t testing.TB, m export.Model) []byte {
	t.Helper()
	data, err := export.Marshal(exported(t, m))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestGolden compares models with testdata/*.txt; -update writes those.
func TestGolden(t *testing.T) {
	for name, build := range map[string]func(b builder) export.Model{
		"generator":     func(b builder) export.Model { return b.generator(3) },
		"discriminator": func(b builder) export.Model { return b.discriminator(3) },
		"fixed":         func(b builder) export.Model { return fixedBatch(b.generator(3)) },
	} {
		t.Run(name, func(t *testing.T) {
			got := asText(exported(t, build(newBuilder(t, tensor.Float32))))
			path := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("-%s +exported\n%s", path, d)
			}
		})
	}
}

// fixedBatch runs at the batch size it was built with only.
func fixedBatch(m export.Model) export.Model {
	m.BatchAxis, m.Metadata, m.Producer, m.ProducerVersion = "", nil, "", ""
	return m
}

func TestSameGraphSameBytes(t *testing.T) {
	m := newBuilder(t, tensor.Float32).generator(3)
	first := marshalled(t, m)
	if !bytes.Equal(first, marshalled(t, m)) {
		t.Error("exported twice, one graph gives two models")
	}
	if !bytes.Equal(first, marshalled(t, newBuilder(t, tensor.Float32).generator(3))) {
		t.Error("built twice, one network gives two models")
	}
}

func TestNamesAreUnique(t *testing.T) {
	b := newBuilder(t, tensor.Float32)
	unnamed, x := b.named(""), b.input("x", 2, 3)
	// Names that collide with one another, with the model's own, and with
	// what the exporter makes up.
	y := unnamed(op.Dense(x, b.weight("w", 3, 3), nil))
	y = b.named("y")(op.Dense(y, b.weight("x_2", 3, 3), b.weight("w", 3)))
	y = b.named("x_2")(op.Dropout(y, b.mask(2, 3), 0.5))
	y = b.named("x_2")(op.Dropout(y, b.mask(2, 3), 0.4))
	y = b.named("x_2/Mul")(op.Tanh(y))
	y = unnamed(op.Tanh(y))
	y = unnamed(op.Dense(y, b.weight("", 3, 4), b.weight("", 4)))
	p := exported(t, export.Model{
		Inputs:  []export.Port{{Name: "x", Node: x}},
		Outputs: []export.Port{{Name: "w", Node: y}},
	})
	names := valueNames(p.Graph)
	if unique := slices.Compact(slices.Clone(names)); len(unique) != len(names) {
		t.Errorf("a name stands for two values:\n%v", names)
	}
	if slices.Contains(names, "") {
		t.Errorf("a value has no name:\n%v", names)
	}
	nodes := map[string]bool{}
	for _, n := range p.Graph.Node {
		if nodes[n.Name] || n.Name == "" {
			t.Errorf("node name %q is empty or there twice", n.Name)
		}
		nodes[n.Name] = true
	}
	session := load(t, p)
	run(t, session, map[string]*tensor.Dense{"x": pattern(tensor.Float32, 0, 2, 3)})
}

func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.onnx")
	want := marshalled(t, newBuilder(t, tensor.Float32).generator(1))
	if err := export.WriteFile(path, want); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the file holds %d bytes, want %d; %v", len(got), len(want), err)
	}
	missing := filepath.Join(t.TempDir(), "missing", "model.onnx")
	if err := export.WriteFile(missing, want); err == nil {
		t.Error("no error for a folder that doesn't exist")
	}
}
