package checkpoint

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorgonia.org/tensor"
)

// sample has both types, several ranks, and values that a text format or a
// comparison of floats would lose.
func sample() Checkpoint {
	ramp := make([]float32, 2*3*4)
	for i := range ramp {
		ramp[i] = float32(i)/8 - 1
	}
	odd := []float64{math.Pi, math.Inf(1), math.Inf(-1), math.Copysign(0, -1), math.SmallestNonzeroFloat64, math.MaxFloat64}
	return Checkpoint{
		Metadata: map[string]string{"step": "120", "name": `a "quoted" <name> & ünïcode`},
		Tensors: map[string]*tensor.Dense{
			"generator/dense/weight": tensor.New(tensor.WithShape(2, 3, 4), tensor.WithBacking(ramp)),
			"generator/dense/bias":   tensor.New(tensor.WithShape(1), tensor.WithBacking([]float32{float32(math.NaN())})),
			"adam/m":                 tensor.New(tensor.WithShape(6), tensor.WithBacking(odd)),
			"scalar":                 tensor.New(tensor.FromScalar(float32(2.5))),
			"<ü>":                    tensor.New(tensor.WithShape(1, 1), tensor.WithBacking([]float64{1})),
		},
	}
}

// content makes a checkpoint comparable, floats by their bits.
func content(c Checkpoint) map[string]any {
	m := map[string]any{"metadata": c.Metadata}
	for name, t := range c.Tensors {
		var bits []uint64
		if t.Dtype() == tensor.Float64 {
			for _, v := range t.Float64s() {
				bits = append(bits, math.Float64bits(v))
			}
		} else {
			for _, v := range t.Float32s() {
				bits = append(bits, uint64(math.Float32bits(v)))
			}
		}
		m["tensor "+name] = map[string]any{"type": t.Dtype().String(), "shape": []int(t.Shape()), "bits": bits}
	}
	return m
}

// write returns the path and the bytes of a file with c in it.
func write(t *testing.T, c Checkpoint) (string, []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.safetensors")
	if err := Write(path, c); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, raw
}

func TestRoundTrip(t *testing.T) {
	long := make([]float32, chunk+7) // several chunks, the last one short
	for i := range long {
		long[i] = float32(i)
	}
	tests := map[string]Checkpoint{
		"sample": sample(),
		"empty":  {Metadata: map[string]string{}},
		"long": {Metadata: map[string]string{}, Tensors: map[string]*tensor.Dense{
			"long": tensor.New(tensor.WithShape(len(long)), tensor.WithBacking(long)),
		}},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			path, _ := write(t, want)
			got, err := Read(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(content(want), content(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestSameContentSameBytes(t *testing.T) {
	_, first := write(t, sample())
	for range 10 { // Go visits maps in another order each time
		if _, again := write(t, sample()); !slices.Equal(first, again) {
			t.Fatal("the same content gave other bytes")
		}
	}
	if len(first)%8 != 0 || first[8] != '{' {
		t.Errorf("file of %d bytes; the data should be aligned to 8 and the header start with a brace", len(first))
	}
}

func TestWriteRefuses(t *testing.T) {
	matrix := func() *tensor.Dense { return tensor.New(tensor.WithShape(2, 3), tensor.Of(tensor.Float32)) }
	transposed := matrix()
	if err := transposed.T(); err != nil {
		t.Fatal(err)
	}
	sliced, err := matrix().Slice(nil, tensor.S(0, 2))
	if err != nil {
		t.Fatal(err)
	}
	tensors := func(name string, d *tensor.Dense) Checkpoint {
		return Checkpoint{Tensors: map[string]*tensor.Dense{name: d}}
	}
	tests := []struct {
		name string
		c    Checkpoint
		want string
	}{
		{"nil", tensors("a", nil), `tensor "a" is nil`},
		{"transposed", tensors("a", transposed), `tensor "a" is a view`},
		{"sliced", tensors("a", sliced.(*tensor.Dense)), `tensor "a" is a view`},
		{"column-major", tensors("a", tensor.New(tensor.WithShape(2, 3), tensor.AsFortran(make([]float32, 6)))), "column-major"},
		{"int", tensors("a", tensor.New(tensor.WithShape(2), tensor.Of(tensor.Int))), `tensor "a" is int`},
		{"taken name", tensors("__metadata__", matrix()), "taken by the format"},
		{"name not UTF-8", tensors("\xff", matrix()), "not UTF-8"},
		{"metadata not UTF-8", Checkpoint{Metadata: map[string]string{"a": "\xff"}}, "not UTF-8"},
		{"taken key", Checkpoint{Metadata: map[string]string{"sha256": "1"}}, "taken by the checksum"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
				t.Fatal(err)
			}
			err := Write(path, test.c)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want the path and %q", err, test.want)
			}
			if old, _ := os.ReadFile(path); string(old) != "old" {
				t.Errorf("the old file now holds %q", old)
			}
		})
	}
}
