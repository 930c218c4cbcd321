package pass_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/export/pass"
	"github.com/gantrain/gantrain/train"
)

// TestInPlace: an average is free; a weight that another product reads is made
// to wait for it, in a form that gives the same bits.
func TestInPlace(t *testing.T) {
	square := []int64{3, 3}
	m := arrays(sizes{"x": square, "w": square, "m": square, "rate": {}}, sizes{"y": square, "w2": square, "m2": square}, map[string]float32{"half": 0.5},
		node("g = Gemm(x, x)"), having("y = Gemm(x, w)", export.Int("transB", 1)),
		node("old = Mul(m, half)"), node("m2 = Add(old, g)"),
		node("d = Mul(m2, rate)"), node("w2 = Sub(w, d)"))
	next := map[string]string{"w2": "w", "m2": "m"}
	before := clone(m)
	if d := cmp.Diff([]string{"m2", "w2"}, pass.InPlace(m, next)); d != "" {
		t.Fatalf("in place (-want +got):\n%s", d)
	}
	if count(m, "Concat") != 1 || count(m, "Slice") != 1 {
		t.Errorf("the rate does not wait: %v", text(m))
	}
	in := map[string]*tensor.Dense{"rate": tensor.New(tensor.FromScalar(float32(0.3)))}
	for i, name := range []string{"x", "w", "m"} {
		in[name] = tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(3, 3))
		noise(in[name], uint64(i), -1, 2)
	}
	if d := cmp.Diff(values(run(t, before, in)), values(run(t, m, in))); d != "" {
		t.Errorf("outputs (-before +after):\n%s", d)
	}
	once := marshal(t, m)
	if again := pass.InPlace(m, next); len(again) != 2 || string(marshal(t, m)) != string(once) {
		t.Errorf("again: %v, %v", again, text(m))
	}
}

func TestInPlaceRefuses(t *testing.T) {
	square := []int64{3, 3}
	in := sizes{"x": square, "w": square, "rate": {}}
	step := []*onnxpb.NodeProto{node("d = Mul(x, rate)"), node("w2 = Sub(w, d)")}
	for name, nodes := range map[string][]*onnxpb.NodeProto{
		"computed from the new value":     {node("z = Gemm(w, w2)")},
		"read element by element":         {node("z = Neg(w)")},
		"a product that waits for itself": {node("q = Gemm(w2, x)"), node("z = Gemm(w, q)")},
	} {
		m := arrays(in, sizes{"w2": square, "z": square}, nil, slices.Concat(step, nodes)...)
		if got := pass.InPlace(m, map[string]string{"w2": "w"}); len(got) != 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
	// The product that waits may read what the new value is computed from.
	m := arrays(in, sizes{"w2": square, "z": square}, nil,
		node("v = Neg(w)"), node("d = Mul(v, rate)"), node("w2 = Sub(w, d)"), node("z = Gemm(v, x)"))
	if got := pass.InPlace(m, map[string]string{"w2": "w"}); len(got) != 1 || !strings.Contains(fmt.Sprint(text(m)), "Concat") {
		t.Errorf("a view of it: %v, %v, want a rate that waits for the product", got, text(m))
	}
	m = arrays(in, sizes{"w2": square}, nil, node("w2 = Gemm(w, x)"))
	if got := pass.InPlace(m, map[string]string{"w2": "w"}); len(got) != 0 {
		t.Errorf("not element by element: %v", got)
	}
}

// TestInPlaceStep: everything that a step of guo-mlp writes is free.
func TestInPlaceStep(t *testing.T) {
	plan, err := train.NewPlan(published(t, "guo-mlp"), 3, tensor.Float32)
	if err != nil {
		t.Fatal(err)
	}
	_, m := join(t, plan)
	if err := pass.Fast(m); err != nil {
		t.Fatal(err)
	}
	next := map[string]string{}
	for _, u := range plan.Updates {
		for _, p := range u.New {
			next[p.Name+".new"] = p.Name
		}
	}
	if got := pass.InPlace(m, next); len(got) != len(next) {
		t.Errorf("%d of %d in place: %v", len(got), len(next), got)
	}
}
