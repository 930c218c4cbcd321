package op_test

import (
	"fmt"
	"math"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/train/op"
)

func lossRows() []row {
	var rows []row
	for _, s := range []struct {
		variant string
		targets []op.Target
	}{
		{"one label", []op.Target{{Rows: 5, Label: 1}}},
		{"smoothed", []op.Target{{Rows: 4, Label: 0.9}}},
		{"real and generated", []op.Target{{Rows: 3, Label: 0.9}, {Rows: 4, Label: 0}}},
		{"batch 1", []op.Target{{Rows: 1, Label: 0}}},
	} {
		labels := labelsOf(s.targets)
		rows = append(rows, row{
			name: "SigmoidCrossEntropy " + s.variant, operands: []operand{in(len(labels), 1)}, terms: len(labels),
			build: func(x []*gorgonia.Node) (*gorgonia.Node, error) { return op.SigmoidCrossEntropy(x[0], s.targets...) },
			naive: func(x []array) array {
				return naiveMeanOf(x[0], func(i int, z float64) float64 {
					p := 1 / (1 + math.Exp(-z))
					return -labels[i]*math.Log(p) - (1-labels[i])*math.Log(1-p)
				})
			},
		})
	}
	for _, s := range []struct {
		variant string
		epsilon float64
		targets []op.Target
	}{
		{"real", 1e-8, []op.Target{{Rows: 5, Label: 1}}},
		{"generated", 1e-8, []op.Target{{Rows: 5, Label: 0}}},
		{"real, epsilon 0.1", 0.1, []op.Target{{Rows: 4, Label: 1}}},
		{"generated, epsilon 0.1", 0.1, []op.Target{{Rows: 4, Label: 0}}},
		{"smoothed", 0.1, []op.Target{{Rows: 4, Label: 0.9}}},
		{"real and generated", 0.1, []op.Target{{Rows: 3, Label: 0.9}, {Rows: 4, Label: 0}}},
		{"batch 1", 0, []op.Target{{Rows: 1, Label: 1}}},
	} {
		labels := labelsOf(s.targets)
		rows = append(rows, row{
			name: "LogLoss " + s.variant, operands: []operand{{shape: []int{len(labels), 1}, draw: probability}}, terms: len(labels),
			build: func(x []*gorgonia.Node) (*gorgonia.Node, error) { return op.LogLoss(x[0], s.epsilon, s.targets...) },
			naive: func(x []array) array {
				return naiveMeanOf(x[0], func(i int, p float64) float64 {
					return -labels[i]*math.Log(p+s.epsilon) - (1-labels[i])*math.Log(1-p+s.epsilon)
				})
			},
		})
	}
	for _, n := range []int{5, 1} {
		logits := constant(in(n, 1))
		rows = append(rows, row{
			name: fmt.Sprintf("MeanProbability of %d", n), operands: []operand{logits}, terms: n,
			build: func(x []*gorgonia.Node) (*gorgonia.Node, error) { return op.MeanProbability(x[0]) },
			naive: func(x []array) array {
				return naiveMeanOf(x[0], func(_ int, z float64) float64 { return 1 / (1 + math.Exp(-z)) })
			},
		}, row{
			name: fmt.Sprintf("Accuracy of 3 and %d", n), operands: []operand{constant(in(3, 1)), logits}, terms: n + 3,
			build: func(x []*gorgonia.Node) (*gorgonia.Node, error) { return op.Accuracy(x[0], x[1]) },
			naive: func(x []array) array {
				y := newArray()
				for _, z := range x[0].data {
					if z > 0 {
						y.data[0] += 1 / float64(n+3)
					}
				}
				for _, z := range x[1].data {
					if z < 0 {
						y.data[0] += 1 / float64(n+3)
					}
				}
				return y
			},
		})
	}
	return rows
}

// labelsOf lists the label of each row.
func labelsOf(targets []op.Target) (labels []float64) {
	for _, t := range targets {
		for range t.Rows {
			labels = append(labels, t.Label)
		}
	}
	return labels
}

func naiveMeanOf(x array, f func(i int, v float64) float64) array {
	y := newArray()
	for i, v := range x.data {
		y.data[0] += f(i, v) / float64(len(x.data))
	}
	return y
}

// TestLossesStayFinite gives the losses what breaks their textbook forms.
func TestLossesStayFinite(t *testing.T) {
	extremes := array{[]int{6, 1}, []float64{-1e4, -100, 0, 100, 1e4, 88.8}}
	certain := array{[]int{2, 1}, []float64{0, 1}}
	for _, c := range []struct {
		name  string
		x     array
		build func(x []*gorgonia.Node) (*gorgonia.Node, error)
		want  float64
	}{
		// mean of log(1 + exp(z)) - z: 1e4 and 100 for the negative ones, log 2 for 0.
		{"SigmoidCrossEntropy real", extremes, func(x []*gorgonia.Node) (*gorgonia.Node, error) {
			return op.SigmoidCrossEntropy(x[0], op.Target{Rows: 6, Label: 1})
		}, (1e4 + 100 + math.Ln2) / 6},
		{"SigmoidCrossEntropy generated", extremes, func(x []*gorgonia.Node) (*gorgonia.Node, error) {
			return op.SigmoidCrossEntropy(x[0], op.Target{Rows: 6, Label: 0})
		}, (1e4 + 100 + 88.8 + math.Ln2) / 6},
		// one certain and right, one certain and wrong.
		{"LogLoss real", certain, func(x []*gorgonia.Node) (*gorgonia.Node, error) {
			return op.LogLoss(x[0], 1e-6, op.Target{Rows: 2, Label: 1})
		}, -math.Log(1e-6) / 2},
		{"LogLoss generated", certain, func(x []*gorgonia.Node) (*gorgonia.Node, error) {
			return op.LogLoss(x[0], 1e-6, op.Target{Rows: 2, Label: 0})
		}, -math.Log(1e-6) / 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := row{operands: []operand{in(c.x.shape...)}, build: c.build}
			for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
				got := newMachine(t, r, dt, []array{c.x}).forward(t).data[0]
				if math.Abs(got-c.want) > 1e-6*c.want { // float32
					t.Errorf("%v: loss %v, want %v", dt, got, c.want)
				}
				d := newGradients(t, r, dt, []array{c.x}, array{nil, []float64{1}})
				d.keep(d.of[0])
				d.compile(t)
				d.run(t)
				for i, g := range toArray(t, *d.read[d.of[0]]).data {
					if math.IsNaN(g) || math.IsInf(g, 0) {
						t.Errorf("%v: gradient at %v is %v", dt, c.x.data[i], g)
					}
				}
			}
		})
	}
}
