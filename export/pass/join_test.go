package pass_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/export/pass"
)

// twoParts write the state v and then w, which reads v; both write s.
func twoParts() []pass.Part {
	return []pass.Part{
		{
			Model: model("v s x", "v.out s.out loss1", map[string][2]float32{"half": {0.5, 0.25}},
				"scaled = Mul(x, half)", "v.out = Add(v, scaled)", "s.out = Sub(s, x)", "loss1 = Neg(v.out)"),
			Writes: map[string]string{"v.out": "v", "s.out": "s"},
		},
		{
			Model: model("w v s x", "loss2 w.out s.out", map[string][2]float32{"half": {0.5, 0.75}},
				"scaled = Mul(v, half)", "w.out = Add(w, scaled)", "s.out = Mul(s, x)", "loss2 = Mul(w.out, s.out)"),
			Writes: map[string]string{"w.out": "w", "s.out": "s"},
		},
	}
}

func TestJoin(t *testing.T) {
	first := []string{"scaled = Mul(x, half)", "v.new = Add(v, scaled)"}
	for _, c := range []struct {
		alternating bool
		want        []string
	}{
		{true, append(first,
			"s.out = Sub(s, x)", "loss1 = Neg(v.new)",
			"update2/scaled = Mul(v.new, update2/half)", "w.new = Add(w, update2/scaled)", "s.new = Mul(s.out, x)", "loss2 = Mul(w.new, s.new)",
			"weights half update2/half", "in v s x w", "out v.new loss1 loss2 w.new s.new", "types scaled s.out update2/scaled",
		)},
		{false, append(first,
			"s.new = Sub(s, x)", "loss1 = Neg(v.new)",
			"update2/scaled = Mul(v, update2/half)", "w.new = Add(w, update2/scaled)", "s.out = Mul(s, x)", "loss2 = Mul(w.new, s.out)",
			"weights half update2/half", "in v s x w", "out v.new s.new loss1 loss2 w.new", "types scaled update2/scaled s.out",
		)},
	} {
		parts := twoParts()
		m, err := pass.Join(parts, c.alternating)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, text(m)); d != "" {
			t.Errorf("alternating %v (-want +got):\n%s", c.alternating, d)
		}
		in := pairs(m)
		got := values(run(t, m, in))
		a := run(t, parts[0].Model, only(parts[0].Model, in))
		if c.alternating {
			in["v"], in["s"] = a["v.out"], a["s.out"]
		}
		b := run(t, parts[1].Model, only(parts[1].Model, in))
		want := map[string][]uint32{
			"loss1": values(a)["loss1"], "v.new": values(a)["v.out"], "s.new": values(a)["s.out"],
			"loss2": values(b)["loss2"], "w.new": values(b)["w.out"],
		}
		if c.alternating {
			want["s.new"] = values(b)["s.out"]
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("alternating %v: outputs (-one by one +joined):\n%s", c.alternating, d)
		}
		for i, p := range twoParts() {
			if d := cmp.Diff(text(p.Model), text(parts[i].Model)); d != "" {
				t.Errorf("alternating %v changes part %d:\n%s", c.alternating, i+1, d)
			}
		}
		again, err := pass.Join(twoParts(), c.alternating)
		if err != nil || string(marshal(t, again)) != string(marshal(t, m)) {
			t.Errorf("alternating %v: joined again, other bytes; %v", c.alternating, err)
		}
	}
}

// Three updates of one state, one after the other, with names that are taken.
func TestJoinThree(t *testing.T) {
	add := func(other string) pass.Part {
		return pass.Part{
			Model:  model("w x", "w.out "+other, nil, "w.out = Add(w, x)", "update2/w.out = Neg(x)", other+" = Neg(update2/w.out)"),
			Writes: map[string]string{"w.out": "w"},
		}
	}
	m, err := pass.Join([]pass.Part{add("a"), add("b"), add("c")}, true)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"w.out = Add(w, x)", "update2/w.out = Neg(x)", "a = Neg(update2/w.out)",
		"update2/w.out_2 = Add(w.out, x)", "update2/update2/w.out = Neg(x)", "b = Neg(update2/update2/w.out)",
		"w.new = Add(update2/w.out_2, x)", "update3/update2/w.out = Neg(x)", "c = Neg(update3/update2/w.out)",
		"weights", "in w x", "out a b w.new c", "types update2/w.out w.out update2/update2/w.out update2/w.out_2 update3/update2/w.out",
	}
	if d := cmp.Diff(want, text(m)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	before := values(run(t, m, pairs(m)))
	pass.Dedupe(m)
	if n := len(m.Graph.Node); n != 3+1+1+2 {
		t.Errorf("%d nodes after Dedupe, want three sums, one Neg(x), one of its uses and two names for that: %v", n, text(m))
	}
	if d := cmp.Diff(before, values(run(t, m, pairs(m)))); d != "" {
		t.Errorf("outputs (-before +after):\n%s", d)
	}
}

func TestJoinHeader(t *testing.T) {
	parts := twoParts()
	parts[0].Model.ProducerName, parts[0].Model.ProducerVersion = "gantrain", "1.2"
	parts[0].Model.MetadataProps = []*onnxpb.StringStringEntryProto{{Key: "seed", Value: "7"}}
	parts[1].Model.IrVersion = 9
	m, err := pass.Join(parts, true)
	if err != nil {
		t.Fatal(err)
	}
	if m.IrVersion != 9 || m.ProducerName != "gantrain" || m.ProducerVersion != "1.2" || m.Graph.Name != "test" || len(m.MetadataProps) != 1 {
		t.Errorf("ir %d, producer %s %s, graph %s, metadata %v", m.IrVersion, m.ProducerName, m.ProducerVersion, m.Graph.Name, m.MetadataProps)
	}
}

func TestJoinErrors(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(a, b *pass.Part)
		want   string
	}{
		{"shapes", func(_, b *pass.Part) { b.Model.Graph.Input[1] = vector("v", 2, 3) },
			`pass: part 2: input "v" is FLOAT[2 3], in an earlier part FLOAT[2]`},
		{"state of another shape", func(a, _ *pass.Part) { a.Model.Graph.Output[0] = vector("v.out", 1) },
			`pass: part 1: output "v.out" is FLOAT[1], the input "v" that it replaces FLOAT[2]`},
		{"no such output", func(a, _ *pass.Part) { a.Writes["v.old"] = "x" },
			`pass: part 1: "v.old", which replaces "x", is not one of its outputs`},
		{"no such state", func(a, _ *pass.Part) { a.Writes["v.out"] = "u" },
			`pass: part 1: output "v.out" replaces "u", which is no input`},
		{"one state twice", func(a, _ *pass.Part) { a.Writes["loss1"] = "v" },
			`pass: part 1: outputs "loss1" and "v.out" both replace "v"`},
		{"one loss twice", func(_, b *pass.Part) { b.Model = model("s", "loss1", nil, "loss1 = Neg(s)"); b.Writes = nil },
			`pass: part 2: output "loss1" has the name of another output or of an input`},
		{"a loss called as an input", func(_, b *pass.Part) { b.Model = model("s", "x", nil, "x = Neg(s)"); b.Writes = nil },
			`pass: part 2: output "x" has the name of another output or of an input`},
		{"an input for an output", func(_, b *pass.Part) { b.Model = model("s", "s", nil); b.Writes = nil },
			`pass: part 2: output "s" is an input`},
		{"a default", func(_, b *pass.Part) { b.Model.Graph.Initializer[0].Name = "x" },
			`pass: part 2: input "x" has a default`},
		{"operator sets", func(_, b *pass.Part) { b.Model.OpsetImport[0].Version = 17 },
			`pass: part 2: uses operator sets 17, the first part 15`},
		{"out of order", func(a, _ *pass.Part) { a.Model.Graph.Node[0] = node("scaled = Mul(x, later)") },
			`pass: part 1: node "scaled" (Mul) reads "later", which nothing before it gives`},
		{"two values", func(a, _ *pass.Part) { a.Model.Graph.Node[2] = node("scaled = Neg(x)") },
			`pass: part 1: "scaled" stands for two values`},
		{"nothing", func(a, _ *pass.Part) { a.Model.Graph.Node = a.Model.Graph.Node[:3] },
			`pass: part 1: nothing gives output "loss1"`},
		{"no graph", func(a, _ *pass.Part) { a.Model = nil }, `pass: part 1: the model has no graph`},
	} {
		parts := twoParts()
		c.change(&parts[0], &parts[1])
		if m, err := pass.Join(parts, true); err == nil || err.Error() != c.want || m != nil {
			t.Errorf("%s: error %v, want %s", c.name, err, c.want)
		}
	}
	if _, err := pass.Join(nil, true); err == nil {
		t.Error("no error without parts")
	}
}
