package export_test

import (
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
)

// TestConvnet holds the example's classifier, built for one batch, against
// Gorgonia's machine at others.
func TestConvnet(t *testing.T) {
	built := gorgonia.NewGraph()
	images, classes := convnet(built, 3)
	session := load(t, exported(t, classifier(images, classes)))
	for _, n := range []int{1, 2, 5} {
		g := gorgonia.NewGraph()
		m := classifier(convnet(g, n))
		for _, w := range g.AllNodes() {
			if w.Op() == nil && w.Name() != "images" {
				check(t, gorgonia.Let(w, built.ByName(w.Name())[0].Value()))
			}
		}
		in := map[string]*tensor.Dense{"images": pattern(tensor.Float32, -0.5, n, 1, 28, 28)}
		compare(t, run(t, session, in), onTape(t, m, in), 1e-6) // float32, sums of 784 terms, then a softmax
	}
}

func classifier(images, classes *gorgonia.Node) export.Model {
	return export.Model{
		Inputs:    []export.Port{{Name: "images", Node: images}},
		Outputs:   []export.Port{{Name: "classes", Node: classes}},
		BatchAxis: "batch",
	}
}
