package export_test

import (
	"errors"
	"fmt"
	"hash"
	"hash/fnv"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
)

// testOp is an operator of any form, which can only be exported.
type testOp struct {
	shape tensor.Shape
	in    []tensor.Dtype // of matrices
	lower func(l *export.Lowering) error
}

var _ export.Operator = (*testOp)(nil)

// newTestOp makes an operator on matrices of the given types and, last, one of
// float32, which it also returns.
func newTestOp(shape tensor.Shape, lower func(l *export.Lowering) error, others ...tensor.Dtype) *testOp {
	return &testOp{shape, append(others, tensor.Float32), lower}
}

func (o *testOp) Type() hm.Type {
	var types []hm.Type
	for _, dt := range o.in {
		types = append(types, gorgonia.TensorType{Dims: 2, Of: dt})
	}
	return hm.NewFnType(append(types, gorgonia.TensorType{Dims: 2, Of: tensor.Float32})...)
}

// InferShape gives a row for each of the first operand's.
func (o *testOp) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s := o.shape.Clone()
	s[0] = in[0].(tensor.Shape)[0]
	return s, nil
}

func (o *testOp) Do(...gorgonia.Value) (gorgonia.Value, error) {
	return nil, errors.New("can't be run")
}
func (o *testOp) Arity() int                     { return len(o.in) }
func (o *testOp) ReturnsPtr() bool               { return true }
func (o *testOp) CallsExtern() bool              { return false }
func (o *testOp) OverwritesInput() int           { return -1 }
func (o *testOp) String() string                 { return "TestOp" }
func (o *testOp) WriteHash(h hash.Hash)          { fmt.Fprintf(h, "%p", o) }
func (o *testOp) Lower(l *export.Lowering) error { return o.lower(l) }
func (o *testOp) Hashcode() uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}
