package arch

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// conditional is small with a generator that sees a label of 3 classes.
func conditional(inner ...Layer) GAN {
	gan := small()
	gan.Classes = 3
	gan.Generator.Layers = slices.Insert(gan.Generator.Layers, 4, Layer(Condition{Layers: inner}))
	return gan
}

var (
	embedding = Embedding{Classes: 3, Size: 5}
	plane     = Layers{embedding, Dense{Units: 16}, Dropout{0.5}, Reshape{Shape{1, 4, 4}}}
)

func TestRowsOfACondition(t *testing.T) {
	gan := conditional(plane...)
	if err := gan.Check(); err != nil {
		t.Fatal(err)
	}
	if !gan.Generator.Conditional() || gan.Discriminator.Conditional() {
		t.Error("want a generator that takes labels, and a discriminator that takes none")
	}
	rows, err := gan.Generator.Rows()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range append([]Row{rows[4]}, rows[4].Rows...) {
		got = append(got, fmt.Sprintf("%s %v -> %v: %d", r.Name, r.Input, r.Output, r.Count()))
		for _, p := range r.Params {
			got = append(got, fmt.Sprintf("  %s %v", p.Name, p.Shape))
		}
	}
	want := []string{
		"condition1 [2 4 4] -> [3 4 4]: 111", "  embedding1/weight [3 5]", "  dense1/weight [5 16]", "  dense1/bias [16]",
		"condition1/embedding1 [] -> [5]: 15", "  weight [3 5]",
		"condition1/dense1 [5] -> [16]: 96", "  weight [5 16]", "  bias [16]",
		"condition1/dropout1 [16] -> [16]: 0", "condition1/reshape1 [16] -> [1 4 4]: 0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestBrokenConditions(t *testing.T) {
	lone, unseen := small(), small()
	lone.Generator.Layers[1] = embedding
	unseen.Classes = 3
	classes := func(n int) GAN {
		gan := conditional(plane...)
		gan.Classes = n
		return gan
	}
	for want, gan := range map[string]GAN{
		"layer embedding1: takes a label, not [32]: its place is the beginning of a condition": lone,
		"layer condition1: has no layers":                                                conditional(),
		"layer condition1: begins without an embedding of the label":                     conditional(Dense{Units: 16}, Reshape{Shape{1, 4, 4}}),
		"layer condition1: layer embedding2: takes a label, not [5]":                     conditional(embedding, embedding),
		"layer condition1: holds another condition":                                      conditional(embedding, Condition{plane}),
		"layer condition1: makes [5] of the label, which can't be joined to [2 4 4]":     conditional(embedding),
		"layer condition1: makes [1 2 8] of the label, which can't be joined to [2 4 4]": conditional(embedding, Dense{Units: 16}, Reshape{Shape{1, 2, 8}}),
		"layer condition1: layer embedding1: 0 classes, want 1 to 1024":                  conditional(Embedding{Size: 5}),
		"layer condition1: layer embedding1: 2000000000 classes, want 1 to 1024":         conditional(Embedding{Classes: 2e9, Size: 5}),
		"layer condition1: layer embedding1: shape [0] is empty":                         conditional(Embedding{Classes: 3}),
		"small: generator: layer condition1: takes labels of 3 classes, the GAN has 4":   classes(4),
		"small: generator: layer condition1: takes labels of 3 classes, the GAN has 0":   classes(0),
		"small: 3 classes, and neither network takes labels":                             unseen,
	} {
		if err := gan.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
