package export

import (
	"fmt"
	"reflect"

	"gorgonia.org/gorgonia"
)

// form is how a node of the graph is written.
type form struct {
	name  string         // of a node that was given none
	in    gorgonia.Nodes // what it needs
	batch rule           // where its output has the batch
	lower func(l *Lowering) error
}

// stock are the forms of Gorgonia's own operators, by the name of their type:
// the types are not exported. Each function gets a node and its inputs.
var stock = map[string]func(n *gorgonia.Node, in gorgonia.Nodes) (form, error){
	"constantScalar": constant,
	"constantTensor": constant,
	"elemBinOp":      arithmetic,
	"elemUnaryOp":    unary,
	"minBetween":     extreme("Min"),
	"maxBetween":     extreme("Max"),
	"dtConvOp":       conversion,

	"linAlgBinOp": linear,

	"sumOp":     reduction("ReduceSum"),
	"maxOp":     reduction("ReduceMax"),
	"softmaxOp": softmax,

	"reshapeOp":   reshape,
	"transposeOp": transpose,
	"concatOp":    concat,
	"sliceOp":     slice,
	"atOp":        at,
	"byIndicesOp": byIndices,
	"repeatOp":    repeat,
	"sizeOp":      size,

	"im2colOp":            im2col,
	"maxPoolOp":           maxPool,
	"globalAveragePoolOp": globalAveragePool,
	"upsampleOp":          upsample,
	"BatchNormOp":         batchNorm,
}

// refused says of operators that look as if they had a form why they have none.
var refused = map[string]string{
	"dropoutOp": "drops at random: build the graph without it",
	"randomOp":  "draws random numbers: make it an input",
	"avgPoolOp": "divides by the width of the picture, where an average pool divides by the window's size",
	"letOp":     "changes its input",
}

// stockName is the name of the type of an operator of Gorgonia's own, "" for
// any other operator.
func stockName(op gorgonia.Op) string {
	t := reflect.TypeOf(op)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.PkgPath() == "gorgonia.org/gorgonia" {
		return t.Name()
	}
	return ""
}

// formOf finds how a node is written.
func formOf(n *gorgonia.Node) (form, error) {
	in := children(n)
	if o, ok := n.Op().(Operator); ok {
		return form{kind(n), in, inferred, o.Lower}, nil
	}
	name := stockName(n.Op())
	if find, ok := stock[name]; ok {
		return find(n, in)
	}
	if why := refused[name]; why != "" {
		return form{}, fmt.Errorf("operator %T %s", n.Op(), why)
	}
	return form{}, fmt.Errorf("operator %T has no ONNX form", n.Op())
}

// constant is stored as an initializer: there is no node.
func constant(n *gorgonia.Node, in gorgonia.Nodes) (form, error) {
	return form{stockName(n.Op()), in, fixed, func(l *Lowering) error {
		v, err := dense(l.node.Value())
		if err != nil {
			return err
		}
		_, err = l.w.weight(l.node, v)
		l.done = true
		return err
	}}, nil
}

// fields reads the unexported fields of an operator of Gorgonia's.
type fields struct {
	v   reflect.Value
	err error
}

func fieldsOf(op gorgonia.Op) *fields { return &fields{v: reflect.Indirect(reflect.ValueOf(op))} }

// get returns a field of one of the kinds that are expected of it.
func (f *fields) get(name string, kinds ...reflect.Kind) (v reflect.Value, ok bool) {
	v = f.v.FieldByName(name)
	for _, k := range kinds {
		if v.Kind() == k {
			return v, true
		}
	}
	f.err = fmt.Errorf("%v has no field %s as Gorgonia 0.9.18 has it", f.v.Type(), name)
	return v, false
}

func (f *fields) int(name string) int {
	v, ok := f.get(name, reflect.Int, reflect.Uint8)
	switch {
	case !ok:
		return 0
	case v.CanInt():
		return int(v.Int())
	}
	return int(v.Uint())
}

func (f *fields) ints(name string) []int {
	v, ok := f.get(name, reflect.Slice)
	if !ok || v.Type().Elem().Kind() != reflect.Int {
		return nil
	}
	out := make([]int, v.Len())
	for i := range out {
		out[i] = int(v.Index(i).Int())
	}
	return out
}

func (f *fields) bool(name string) bool {
	v, ok := f.get(name, reflect.Bool)
	return ok && v.Bool()
}

func (f *fields) float(name string) float64 {
	v, ok := f.get(name, reflect.Float64)
	if !ok {
		return 0
	}
	return v.Float()
}

// within is the value that an interface field holds.
func (f *fields) within(name string) *fields {
	v, ok := f.get(name, reflect.Interface)
	if !ok || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		f.err = fmt.Errorf("%v has no field %s as Gorgonia 0.9.18 has it", f.v.Type(), name)
		return &fields{v: reflect.ValueOf(struct{}{}), err: f.err}
	}
	return &fields{v: v.Elem()}
}
