package keras

import (
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// tiny is the smallest export.
const tiny = "tf/models/fredriksson-2d/G.onnx"

func serialised(t testing.TB, m *onnxpb.ModelProto) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// external has a tensor's data kept in a file.
func external(p *onnxpb.TensorProto, location, offset, length string) {
	p.RawData, p.DataLocation = nil, onnxpb.TensorProto_EXTERNAL
	for _, e := range [][2]string{{"location", location}, {"offset", offset}, {"length", length}} {
		if e[1] != "" {
			p.ExternalData = append(p.ExternalData, &onnxpb.StringStringEntryProto{Key: e[0], Value: e[1]})
		}
	}
}

// damages change a whole export into what must be refused.
var damages = []struct {
	name, want string
	change     func(g *onnxpb.GraphProto)
}{
	{"a cycle", "neither an initializer nor made by a node before it", func(g *onnxpb.GraphProto) { g.Node[0].Input[0] = g.Node[3].Output[0] }},
	{"a node that reads itself", "neither an initializer nor made by a node before it", func(g *onnxpb.GraphProto) { g.Node[2].Input[0] = g.Node[2].Output[0] }},
	{"a missing initializer", "neither an initializer nor made by a node before it", func(g *onnxpb.GraphProto) { g.Initializer = g.Initializer[1:] }},
	{"no input", "neither an initializer nor made by a node before it", func(g *onnxpb.GraphProto) { g.Input = nil }},
	{"no output", "has no output", func(g *onnxpb.GraphProto) { g.Output = nil }},
	{"an output that nothing makes", "is made by no node", func(g *onnxpb.GraphProto) { g.Output[0].Name = "nothing" }},
	{"two values of one name", "two values are called", func(g *onnxpb.GraphProto) {
		g.Node[1].Output[0] = g.Node[0].Output[0]
		g.Node[2].Input[0] = g.Node[0].Output[0]
	}},
	{"a tensor of 2 GB in a file of 2 KB", "holds other than the 536870912 numbers", func(g *onnxpb.GraphProto) { g.Initializer[0].Dims = []int64{1 << 29} }},
	{"a tensor of no size there is", "is empty or holds more than", func(g *onnxpb.GraphProto) { g.Initializer[0].Dims = []int64{1 << 40, 1 << 40} }},
	{"a tensor of negative size", "is empty or holds more than", func(g *onnxpb.GraphProto) { g.Initializer[0].Dims = []int64{-10, -2} }},
	{"a tensor cut short", "holds other than the", func(g *onnxpb.GraphProto) { g.Initializer[0].RawData = g.Initializer[0].RawData[1:] }},
	{"a tensor of text", "holds STRING", func(g *onnxpb.GraphProto) { g.Initializer[0].DataType = int32(onnxpb.TensorProto_STRING) }},
	{"a weight that is no number", "want finite numbers", func(g *onnxpb.GraphProto) {
		for _, p := range g.Initializer {
			copy(p.RawData, "\xff\xff\xff\xff")
		}
	}},
	{"a fixed batch", "export the model with a free batch size", func(g *onnxpb.GraphProto) {
		g.Input[0].Type.GetTensorType().Shape.Dim[0].Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: 5}
	}},
	{"a free size", "export the model with a fixed one", func(g *onnxpb.GraphProto) {
		g.Input[0].Type.GetTensorType().Shape.Dim[1].Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: "n"}
	}},
	{"an input without a type", "has 0 axes", func(g *onnxpb.GraphProto) { g.Input[0].Type = nil }},
	{"data outside the folder", "is not in the model's folder", func(g *onnxpb.GraphProto) { external(g.Initializer[0], "../secret", "0", "") }},
	{"data outside the folder, by a detour", "is not in the model's folder", func(g *onnxpb.GraphProto) { external(g.Initializer[0], "a/../../secret", "0", "") }},
	{"data anywhere", "is not in the model's folder", func(g *onnxpb.GraphProto) { external(g.Initializer[0], "/etc/passwd", "0", "") }},
	{"data nowhere", "is not in the model's folder", func(g *onnxpb.GraphProto) { external(g.Initializer[0], "", "0", "") }},
	{"data behind a link", "is a link to nothing in the model's folder", func(g *onnxpb.GraphProto) { external(g.Initializer[0], "link", "0", "") }},
	{"data in a folder", "is not a regular file", func(g *onnxpb.GraphProto) { external(g.Initializer[0], ".", "0", "") }},
	{"data that is missing", "no such file", func(g *onnxpb.GraphProto) { external(g.Initializer[0], "missing", "0", "") }},
	{"data beyond the end", "has 4096 bytes, want", func(g *onnxpb.GraphProto) { external(g.Initializer[0], "data", "4611686018427387904", "") }},
	{"data before the beginning", "from -4 on", func(g *onnxpb.GraphProto) { external(g.Initializer[0], "data", "-4", "") }},
	{"data of another length", "external data of 3 bytes, want", func(g *onnxpb.GraphProto) { external(g.Initializer[0], "data", "0", "3") }},
	{"data that all tensors share", "is used twice", func(g *onnxpb.GraphProto) {
		for _, p := range g.Initializer {
			external(p, "small", "0", "")
		}
	}},
	{"data of 2 GB", "has 4096 bytes, want 1073741824", func(g *onnxpb.GraphProto) {
		external(g.Initializer[0], "data", "0", "")
		g.Initializer[0].Dims = []int64{1 << 28}
	}},
	{"data too large for a model", "is empty or too large", func(g *onnxpb.GraphProto) {
		external(g.Initializer[0], "data", "0", "")
		g.Initializer[0].Dims = []int64{1 << 40, 1 << 40}
	}},
	{"megabytes of attributes", "bytes beside the weights", func(g *onnxpb.GraphProto) {
		g.Node[0].Attribute = slices.Repeat([]*onnxpb.AttributeProto{{}}, 1<<21+1)
	}},
	{"thousands of nodes", "nodes or tensors", func(g *onnxpb.GraphProto) {
		g.Node = append(g.Node, slices.Repeat([]*onnxpb.NodeProto{{OpType: "Relu"}}, 5000)...)
	}},
}

// damaged puts an export with a fault into a folder that has a file outside and
// a link to it.
func damaged(t testing.TB, change func(g *onnxpb.GraphProto)) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "model")
	for _, err := range []error{
		os.Mkdir(folder, 0o755),
		os.WriteFile(filepath.Join(folder, "..", "secret"), make([]byte, 4096), 0o644),
		os.WriteFile(filepath.Join(folder, "data"), make([]byte, 4096), 0o644),
		os.WriteFile(filepath.Join(folder, "small"), make([]byte, 400), 0o644),
		os.Symlink(filepath.Join("..", "secret"), filepath.Join(folder, "link")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	m := load(t, tiny)
	change(m.Graph)
	path := filepath.Join(folder, "G.onnx")
	if err := os.WriteFile(path, serialised(t, m), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDamageIsRefused(t *testing.T) {
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			path := damaged(t, d.change)
			var before, after goruntime.MemStats
			goruntime.ReadMemStats(&before)
			_, err := Check(t.Context(), path, usual)
			goruntime.ReadMemStats(&after)
			if err == nil {
				t.Fatal("no error")
			}
			line := err.Error()
			if !strings.Contains(line, d.want) || !strings.HasPrefix(line, path) || strings.Contains(line, "\n") || len(line) > 600 {
				t.Errorf("error %q, want one short line with %q", line, d.want)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 1<<24 {
				t.Errorf("took %d MB", used>>20)
			}
		})
	}
	for path, want := range map[string]string{
		filepath.Join(t.TempDir(), "none.onnx"): "no such file",
		t.TempDir():                             "want a regular file",
		"testdata/README.md":                    "not an ONNX model",
		"testdata/tf/models.json":               "not an ONNX model",
	} {
		if _, err := Check(t.Context(), path, usual); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want %q", path, err, want)
		}
	}
}

// Data in a file of its own is read like data in the model.
func TestExternalData(t *testing.T) {
	m := load(t, tiny)
	var data []byte
	for _, p := range m.Graph.Initializer {
		if p.DataType != int32(onnxpb.TensorProto_FLOAT) {
			continue
		}
		raw := p.RawData
		length := ""
		if len(data) == 0 { // it may be left out
			length = fmt.Sprint(len(raw))
		}
		external(p, "G.onnx.data", fmt.Sprint(len(data)), length)
		data = append(data, raw...)
	}
	folder := t.TempDir()
	path := filepath.Join(folder, "G.onnx")
	if err := os.WriteFile(path, serialised(t, m), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".data", data, 0o600); err != nil {
		t.Fatal(err)
	}
	o := usual
	o.Against = saved(t, tiny)
	r, err := Check(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Holds || len(r.Tensors) == 0 {
		t.Errorf("%s", r.Verdict())
	}
}

// FuzzCheck looks for panics, for large allocations, and for files read outside
// of the model's folder.
func FuzzCheck(f *testing.F) {
	for _, file := range []string{tiny, "tf/models/fredriksson-2d/D.onnx", "jax/models/fredriksson-2d/D.onnx", "jax/models/michelucci-dcgan/D.onnx", "tf/models/michelucci-cgan/D.onnx", "tf/models/silva-dcgan/D.onnx"} {
		b, err := os.ReadFile("testdata/" + file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, d := range damages {
		m := load(f, tiny)
		d.change(m.Graph)
		f.Add(serialised(f, m))
	}
	outside := f.TempDir()
	secret := slices.Repeat([]byte("secret"), 1<<10)
	if err := os.WriteFile(filepath.Join(outside, "secret"), secret, 0o644); err != nil {
		f.Fatal(err)
	}
	inside := filepath.Join(outside, "model")
	if err := os.Mkdir(inside, 0o755); err != nil {
		f.Fatal(err)
	}
	if err := os.Symlink(filepath.Join("..", "secret"), filepath.Join(inside, "link")); err != nil {
		f.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(inside, "data"), make([]byte, 1<<12), 0o644); err != nil {
		f.Fatal(err)
	}
	o := Options{Batch: 2, Seed: 1, Tolerance: 1e-5}
	f.Fuzz(func(t *testing.T, b []byte) {
		var before, after goruntime.MemStats
		goruntime.ReadMemStats(&before)
		files := &onnxpb.Files{Folder: inside}
		defer files.Close()
		m, err := parseModel(b, files)
		if err != nil {
			return
		}
		for _, p := range m.Graph.Initializer {
			if strings.Contains(string(p.RawData), "secretsecret") && !strings.Contains(string(b), "secretsecret") {
				t.Fatal("the file outside was read")
			}
		}
		r, err := check(t.Context(), "fuzz.onnx", m, o)
		goruntime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 1<<26 {
			t.Errorf("took %d MB for %d bytes", used>>20, len(b))
		}
		if err == nil && r.Unknown == nil && len(r.Layers) == 0 {
			t.Error("no layers, and nothing unknown")
		}
	})
}
