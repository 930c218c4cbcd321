package gorgonia

import (
	"fmt"
	"hash"
	"hash/fnv"
	"slices"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// plan is an operator whose operands' types and shapes are known: what it gives,
// and how that is computed. Where the operands are constants it is computed at
// once, else by a node of the graph.
type plan struct {
	dtype   tensor.Dtype
	shape   []int
	compute func(y array, in []array) error
}

// host is a plan as a Gorgonia operator. It is a pure function that owns its
// output, like the operators of train/op.
type host struct {
	plan
	name     string
	id       int     // Gorgonia merges operators of one hash
	operands []array // those without data come from the graph, in order
	y        *tensor.Dense
	yArray   array
}

var _ gorgonia.Op = (*host)(nil)

func (h *host) inputs() []array {
	return slices.DeleteFunc(slices.Clone(h.operands), func(a array) bool { return a.data != nil })
}

// Arity and the methods below implement gorgonia.Op.
func (h *host) Arity() int { return len(h.inputs()) }

// Type builds the function type afresh: Gorgonia recycles what it is given.
func (h *host) Type() hm.Type {
	var types []hm.Type
	for _, a := range h.inputs() {
		types = append(types, gorgonia.TensorType{Dims: len(a.shape), Of: a.dtype})
	}
	return hm.NewFnType(append(types, gorgonia.TensorType{Dims: len(h.shape), Of: h.dtype})...)
}

func (h *host) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) {
	return tensor.Shape(h.shape).Clone(), nil
}

// Do computes into the operator's own buffer. The machine runs in a goroutine of
// its own, where a panic would end the process.
func (h *host) Do(values ...gorgonia.Value) (out gorgonia.Value, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: %v", h.name, p)
		}
	}()
	if h.y == nil {
		if h.yArray, err = newArray(h.dtype, h.shape); err != nil {
			return nil, fmt.Errorf("%s: %w", h.name, err)
		}
		h.y = h.yArray.shared()
	}
	in := slices.Clone(h.operands)
	next := 0
	for i, a := range in {
		if a.data != nil {
			continue
		}
		v := values[next]
		next++
		if !slices.Equal(v.Shape(), a.shape) || v.Dtype() != a.dtype {
			return nil, fmt.Errorf("%s: operand %d is %v %v, want %v", h.name, i, v.Dtype(), v.Shape(), a)
		}
		in[i].data = v.Data()
	}
	if err := h.compute(h.yArray, in); err != nil {
		return nil, fmt.Errorf("%s: %w", h.name, err)
	}
	return h.y, nil
}

// Last returns what the operator computed when it last ran.
func (h *host) Last() gorgonia.Value {
	if h.y == nil {
		return nil
	}
	return h.y
}

func (h *host) ReturnsPtr() bool     { return true }
func (h *host) CallsExtern() bool    { return false }
func (h *host) OverwritesInput() int { return -1 }
func (h *host) String() string       { return h.name }

func (h *host) WriteHash(w hash.Hash) { fmt.Fprintf(w, "onnx/%d", h.id) }

func (h *host) Hashcode() uint32 {
	w := fnv.New32a()
	h.WriteHash(w)
	return w.Sum32()
}
