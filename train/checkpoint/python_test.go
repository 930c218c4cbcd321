package checkpoint

import (
	"encoding/hex"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorgonia.org/tensor"
)

// TestPython lets Python's safetensors read a file of ours, and reads the one
// that it writes from it.
func TestPython(t *testing.T) {
	if exec.Command("python3", "-c", "import numpy, safetensors").Run() != nil {
		t.Skip("skipped: no python3 with numpy and safetensors")
	}
	want := sample()
	ours, _ := write(t, want)
	theirs := filepath.Join(t.TempDir(), "theirs.safetensors")
	out, err := exec.Command("python3", filepath.Join("testdata", "check.py"), ours, theirs).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}

	type array struct {
		Type  string
		Shape []int
		Hex   string
	}
	var read struct {
		SumHolds bool `json:"sum_holds"`
		Metadata map[string]string
		Arrays   map[string]array
	}
	if err := json.Unmarshal(out, &read); err != nil {
		t.Fatal(err)
	}
	arrays := map[string]array{}
	for name, d := range want.Tensors {
		v, err := viewOf(name, d)
		if err != nil {
			t.Fatal(err)
		}
		shape := append([]int{}, d.Shape()...)
		arrays[name] = array{d.Dtype().String(), shape, hex.EncodeToString(v.Data())}
	}
	if diff := cmp.Diff(arrays, read.Arrays) + cmp.Diff(want.Metadata, read.Metadata); diff != "" {
		t.Errorf("Python read (-want +got)\n%s", diff)
	}
	if !read.SumHolds {
		t.Error("Python computes another checksum")
	}

	got, err := Read(theirs)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(content(want), content(got)); diff != "" {
		t.Errorf("what Python wrote (-want +got)\n%s", diff)
	}
	if got.Tensors["scalar"].Dtype() != tensor.Float32 {
		t.Errorf("scalar is %v", got.Tensors["scalar"].Dtype())
	}
}
