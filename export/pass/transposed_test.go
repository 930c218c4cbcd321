package pass_test

import (
	"testing"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/export/pass"
)

// Wide products with a transposed factor get it from a Transpose, which two of
// them share; the others stay.
func TestTransposed(t *testing.T) {
	m := arrays(
		sizes{"a": {6, 10}, "b": {6, 600}, "b2": {6, 512}, "narrow": {6, 511}, "c": {10, 600}, "d": {7, 6}},
		sizes{"y": {10, 600}, "y2": {10, 512}, "z": {10, 511}, "s": {6, 600}, "u": {600, 7}}, nil,
		having("y = Gemm(a, b, c)", export.Int("transA", 1), export.Float("beta", 0.5)),
		having("y2 = Gemm(a, b2)", export.Int("transA", 1)),
		having("z = Gemm(a, narrow)", export.Int("transA", 1)),
		node("s = Gemm(a, c)"),
		having("u = Gemm(b, d)", export.Int("transA", 1), export.Int("transB", 1)),
	)
	after := rewritten(t, m, pass.Transposed, 1e-6, nil)
	if n := count(after, "Transpose"); n != 1 {
		t.Errorf("%d nodes transpose, want 1", n)
	}
	flags := 0
	for _, n := range after.Graph.Node {
		for _, a := range n.Attribute {
			if a.Name == "transA" {
				flags++
			}
		}
	}
	if flags != 2 {
		t.Errorf("%d products still transpose themselves, want the narrow two", flags)
	}
}
