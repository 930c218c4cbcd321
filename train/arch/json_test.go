package arch

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every kind of layer, with every setting away from its zero value.
func TestEveryLayerSurvivesJSON(t *testing.T) {
	layers := Layers{
		Dense{Units: 3, NoBias: true, Init: Normal(0.02)},
		Conv2D{Filters: 1, Kernel: 2, Stride: 3, NoBias: true, Init: Glorot},
		ConvTranspose2D{Filters: 4, Kernel: 5, Stride: 6, NoBias: true, Init: Ones},
		BatchNorm{Momentum: 0.1, Epsilon: 0.3}, LeakyReLU{Slope: 0.2}, ReLU{}, Tanh{}, Sigmoid{},
		Dropout{Rate: 0.4}, Reshape{Shape: Shape{1, 2, 3}}, Flatten{}, Embedding{Classes: 2, Size: 3, Init: Uniform(0.05)},
		Condition{Layers: Layers{Embedding{Classes: 1, Size: 2, Init: Zeros}, Tanh{}}},
	}
	if len(layers) != len(kinds) {
		t.Fatalf("%d kinds are tested of %d", len(layers), len(kinds))
	}
	text, err := json.Marshal(layers)
	if err != nil {
		t.Fatal(err)
	}
	var back Layers
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(layers, back); diff != "" {
		t.Errorf("layers (-before +after):\n%s", diff)
	}
}

func TestHostileJSON(t *testing.T) {
	for text, want := range map[string]string{
		`[{"condition":{"Layers":[{"attention":{}}]}}]`:        `layer 1: condition: layer 1: unknown kind "attention"`,
		`[{"tanh":{}},{"dense":{"Units":1}},{"attention":{}}]`: `layer 3: unknown kind "attention"`,
		`[{"dense":{"Units":1,"Activation":"relu"}}]`:          `layer 1: dense: json: unknown field "Activation"`,
		`[{"dense":{"Units":1},"tanh":{}}]`:                    "layer 1: 2 kinds in one layer, want one",
		`[{}]`:                                                 "layer 1: 0 kinds in one layer, want one",
		`[null]`:                                               "layer 1: 0 kinds in one layer, want one",
		`[{"dense":{"Units":1e30}}]`:                           "layer 1: dense:",
		`[{"dense":{"Units":"many"}}]`:                         "layer 1: dense:",
		`[{"dense":[]}]`:                                       "layer 1: dense:",
		`[["dense"]]`:                                          "cannot unmarshal",
		`{"dense":{"Units":1}}`:                                "cannot unmarshal",
		`[{"dense":`:                                           "unexpected end",
	} {
		var l Layers
		if err := json.Unmarshal([]byte(text), &l); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", text, err, want)
		}
	}
}
