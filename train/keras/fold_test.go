package keras

import (
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gantrain/gantrain/export/onnxpb"
)

func floatsOf(dims []int, v ...float32) *constant { return &constant{dims: dims, floats: v} }
func intsOf(v ...int64) *constant                 { return &constant{dims: []int{len(v)}, ints: v} }
func scalarOf(v int64) *constant                  { return &constant{dims: []int{}, ints: []int64{v}} }

func folding(op string, attributes ...*onnxpb.AttributeProto) *onnxpb.NodeProto {
	return &onnxpb.NodeProto{OpType: op, Attribute: attributes}
}

func intAttr(name string, v int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: name, I: &v}
}

func intsAttr(name string, v ...int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: name, Ints: v}
}

// The arithmetic on constants, against results written out by hand from the
// ONNX specification.
func TestFolds(t *testing.T) {
	x := floatsOf([]int{2, 3}, 1, 2, 3, 4, 5, 6)
	for _, c := range []struct {
		name string
		node *onnxpb.NodeProto
		in   []*constant
		want *constant // nil: it is refused
	}{
		{"Transpose", folding("Transpose", intsAttr("perm", 1, 0)), []*constant{x}, floatsOf([]int{3, 2}, 1, 4, 2, 5, 3, 6)},
		{"Transpose by default", folding("Transpose"), []*constant{x}, floatsOf([]int{3, 2}, 1, 4, 2, 5, 3, 6)},
		{"Transpose of too few", folding("Transpose", intsAttr("perm", 0)), []*constant{x}, nil},
		{"Transpose twice the same", folding("Transpose", intsAttr("perm", 0, 0)), []*constant{x}, nil},
		{"Reshape", folding("Reshape"), []*constant{x, intsOf(3, -1)}, floatsOf([]int{3, 2}, 1, 2, 3, 4, 5, 6)},
		{"Reshape that copies", folding("Reshape"), []*constant{x, intsOf(0, 1, 3)}, floatsOf([]int{2, 1, 3}, 1, 2, 3, 4, 5, 6)},
		{"Reshape to more", folding("Reshape"), []*constant{x, intsOf(4, 2)}, nil},
		{"Reshape to a remainder", folding("Reshape"), []*constant{x, intsOf(4, -1)}, nil},
		{"Reshape by the batch", folding("Reshape"), []*constant{x, intsOf(batchSize, 3)}, nil},
		{"Gather", folding("Gather", intAttr("axis", 1)), []*constant{x, intsOf(2, 0, -2)}, floatsOf([]int{2, 3}, 3, 1, 2, 6, 4, 5)},
		{"Gather of one", folding("Gather"), []*constant{intsOf(batchSize, 28, 3), scalarOf(0)}, scalarOf(batchSize)},
		{"Gather beyond", folding("Gather"), []*constant{x, intsOf(2)}, nil},
		{"Slice backwards", folding("Slice"), []*constant{x, intsOf(2), intsOf(math.MinInt64), intsOf(1), intsOf(-1)}, floatsOf([]int{2, 3}, 3, 2, 1, 6, 5, 4)},
		{"Slice", folding("Slice"), []*constant{x, intsOf(-2), intsOf(math.MaxInt64), intsOf(-1)}, floatsOf([]int{2, 2}, 2, 3, 5, 6)},
		{"Slice of nothing", folding("Slice"), []*constant{x, intsOf(2), intsOf(1), intsOf(1)}, nil},
		{"Slice in leaps", folding("Slice"), []*constant{x, intsOf(0), intsOf(3), intsOf(1), intsOf(2)}, nil},
		{"Squeeze", folding("Squeeze"), []*constant{floatsOf([]int{1, 2, 1}, 8, 9), intsOf(0)}, floatsOf([]int{2, 1}, 8, 9)},
		{"Squeeze of all", folding("Squeeze"), []*constant{floatsOf([]int{1, 2, 1}, 8, 9)}, floatsOf([]int{2}, 8, 9)},
		{"Squeeze of what is wide", folding("Squeeze"), []*constant{x, intsOf(0)}, nil},
		{"Unsqueeze", folding("Unsqueeze"), []*constant{floatsOf([]int{2}, 8, 9), intsOf(0, -1)}, floatsOf([]int{1, 2, 1}, 8, 9)},
		{"Unsqueeze beyond", folding("Unsqueeze"), []*constant{floatsOf([]int{2}, 8, 9), intsOf(5)}, nil},
		{"Concat", folding("Concat"), []*constant{intsOf(batchSize), intsOf(7, 7)}, intsOf(batchSize, 7, 7)},
		{"Concat of weights", folding("Concat"), []*constant{x, x}, nil},
		{"Range", folding("Range"), []*constant{scalarOf(0), scalarOf(3), scalarOf(1)}, intsOf(0, 1, 2)},
		{"Range without end", folding("Range"), []*constant{scalarOf(0), scalarOf(1 << 40), scalarOf(1)}, nil},
		{"Shape", folding("Shape"), []*constant{x}, intsOf(2, 3)},
		{"Cast", folding("Cast", intAttr("to", 1)), []*constant{intsOf(1, 2)}, floatsOf([]int{2}, 1, 2)},
		{"Cast of weights", folding("Cast", intAttr("to", 7)), []*constant{x}, nil},
		{"Neg", folding("Neg"), []*constant{floatsOf([]int{2}, 1, -2)}, floatsOf([]int{2}, -1, 2)},
		{"Sqrt", folding("Sqrt"), []*constant{floatsOf([]int{2}, 4, 9)}, floatsOf([]int{2}, 2, 3)},
		{"Sqrt of less than 0", folding("Sqrt"), []*constant{floatsOf([]int{1}, -1)}, nil},
		{"Add a number", folding("Add"), []*constant{floatsOf([]int{1, 2}, 1, 2), floatsOf([]int{}, 10)}, floatsOf([]int{1, 2}, 11, 12)},
		{"Sub from a number", folding("Sub"), []*constant{scalarOf(4), intsOf(0, 1)}, intsOf(4, 3)},
		{"Mul", folding("Mul"), []*constant{floatsOf([]int{2}, 2, 3), floatsOf([]int{2}, 5, 7)}, floatsOf([]int{2}, 10, 21)},
		{"Div by 0", folding("Div"), []*constant{floatsOf([]int{1}, 1), floatsOf([]int{1}, 0)}, nil},
		{"Add to the batch", folding("Add"), []*constant{intsOf(batchSize), intsOf(1)}, nil},
		{"Add other shapes", folding("Add"), []*constant{floatsOf([]int{2}, 1, 2), floatsOf([]int{3}, 1, 2, 3)}, nil},
	} {
		got, err := folds[c.node.OpType](c.node, c.in)
		switch {
		case c.want == nil && err == nil:
			t.Errorf("%s: no error", c.name)
		case c.want == nil:
		case err != nil:
			t.Errorf("%s: %v", c.name, err)
		case !slices.Equal(got.dims, c.want.dims) || !slices.Equal(got.floats, c.want.floats) || !slices.Equal(got.ints, c.want.ints):
			t.Errorf("%s: %v %v %v, want %v %v %v", c.name, got.dims, got.floats, got.ints, c.want.dims, c.want.floats, c.want.ints)
		}
	}
}

func TestShort(t *testing.T) {
	for _, v := range []float64{0.2, 0.3, 1e-3, 1e-5, 0.01, 0, -0.5, 123456} {
		if got := short(float32(v)); got != v {
			t.Errorf("%v of %v", got, v)
		}
	}
}

// Words of a file are cut and kept on one line.
func TestBrief(t *testing.T) {
	if got := brief("a\nb\x1b[31m\xffc" + strings.Repeat("ü", 200)); strings.ContainsAny(got, "\n\x1b") || !utf8.ValidString(got) || len([]rune(got)) > 101 {
		t.Errorf("%q", got)
	}
}
