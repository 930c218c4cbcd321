package ort

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorgonia.org/tensor"
)

func TestRowMajor(t *testing.T) {
	// 0 1 2
	// 3 4 5
	fresh := func() *tensor.Dense {
		return tensor.New(tensor.WithShape(2, 3), tensor.WithBacking([]float32{0, 1, 2, 3, 4, 5}))
	}
	slice := func(d *tensor.Dense, s ...tensor.Slice) *tensor.Dense {
		t.Helper()
		v, err := d.Slice(s...)
		if err != nil {
			t.Fatal(err)
		}
		return v.(*tensor.Dense)
	}
	transposed := func(d *tensor.Dense) *tensor.Dense {
		t.Helper()
		if err := d.T(); err != nil {
			t.Fatal(err)
		}
		return d
	}
	moved := transposed(fresh())
	if err := moved.Transpose(); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		array *tensor.Dense
		want  []float32
	}{
		{"plain", fresh(), []float32{0, 1, 2, 3, 4, 5}},
		{"transposed lazily", transposed(fresh()), []float32{0, 3, 1, 4, 2, 5}},
		{"transposed", moved, []float32{0, 3, 1, 4, 2, 5}},
		{"row", slice(fresh(), tensor.S(1)), []float32{3, 4, 5}},
		{"column", slice(fresh(), nil, tensor.S(1)), []float32{1, 4}},
		{"columns", slice(fresh(), nil, tensor.S(1, 3)), []float32{1, 2, 4, 5}},
		{"slice of a transpose", slice(transposed(fresh()), tensor.S(1, 3)), []float32{1, 4, 2, 5}},
		{"Fortran order", tensor.New(tensor.WithShape(2, 3), tensor.AsFortran(nil), tensor.WithBacking([]float32{0, 3, 1, 4, 2, 5})), []float32{0, 1, 2, 3, 4, 5}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := rowMajor(tt.array.Data().([]float32), tt.array.Shape(), tt.array.Strides())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestRowMajorRefusals(t *testing.T) {
	for name, tt := range map[string]struct{ shape, strides []int }{
		"too few elements": {[]int{2, 4}, []int{4, 1}},
		"no strides":       {[]int{6}, nil},
	} {
		if _, err := rowMajor(make([]float32, 6), tt.shape, tt.strides); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
