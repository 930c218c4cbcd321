package op_test

import (
	"fmt"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/train/op"
)

// variant builds one node on operands of its own.
type variant func(g *gorgonia.ExprGraph) *gorgonia.Node

// TestHash: Gorgonia merges nodes of equal hash. In each list any two variants
// differ in an attribute, so all hashes must; a variant built twice is one node.
func TestHash(t *testing.T) {
	for name, variants := range hashLists() {
		t.Run(name, func(t *testing.T) {
			g := gorgonia.NewGraph()
			hashes, nodes := map[uint32]string{}, map[*gorgonia.Node]bool{}
			for i, build := range variants {
				n := build(g)
				if other, ok := hashes[n.Op().Hashcode()]; ok {
					t.Errorf("%v and %s have one hash", n.Op(), other)
				}
				if nodes[n] {
					t.Errorf("variant %d, %v, was merged with another", i, n.Op())
				}
				hashes[n.Op().Hashcode()], nodes[n] = n.Op().String(), true
				if again := build(g); again != n {
					t.Errorf("%v, built twice, is two nodes", n.Op())
				}
			}
		})
	}
}

func hashLists() map[string][]variant {
	leaky := each([]float64{0.2, 0.3, 0}, func(slope float64, g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
		return op.LeakyReLU(leaf(g, 2, 3), slope)
	})
	type norm struct {
		epsilon  float64
		training bool
	}
	batchNorm := func(s norm, g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
		c := leaf(g, 3)
		return op.BatchNorm(leaf(g, 2, 3), c, c, c, c, s.epsilon, s.training)
	}
	epsilons := each([]norm{{1e-3, true}, {1e-5, true}}, batchNorm)
	norms := append(epsilons, each([]norm{{1e-3, false}}, batchNorm)...)
	targets := [][]op.Target{
		{{Rows: 4, Label: 1}},
		{{Rows: 4, Label: 0.9}},
		{{Rows: 1, Label: 1}, {Rows: 3, Label: 0}},
		{{Rows: 2, Label: 1}, {Rows: 2, Label: 0}},
		{{Rows: 2, Label: 0}, {Rows: 2, Label: 1}},
	}
	entropy := each(targets, func(s []op.Target, g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
		return op.SigmoidCrossEntropy(leaf(g, 4, 1), s...)
	})
	logLoss := append(each(targets, func(s []op.Target, g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
		return op.LogLoss(leaf(g, 4, 1), 1e-8, s...)
	}), must(func(g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
		return op.LogLoss(leaf(g, 4, 1), 1e-7, targets[0]...)
	}))
	concat := func(axis int, a, b []int) variant {
		return must(func(g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
			return op.Concat(axis, leaf(g, a...), input(g, "other", newArray(b...).dense(tensor.Float64)))
		})
	}
	axes := []variant{concat(0, []int{2, 2}, []int{2, 2}), concat(1, []int{2, 2}, []int{2, 2})}
	conv, transpose, weight := convVariants()
	return map[string][]variant{
		"LeakyReLU":               leaky,
		"LeakyReLUGrad":           gradientBy(0, leaky),
		"BatchNorm":               norms,
		"BatchNormGradX":          gradientBy(0, norms),
		"BatchNormGradGamma":      gradientBy(1, epsilons),
		"SigmoidCrossEntropy":     entropy,
		"SigmoidCrossEntropyGrad": gradientBy(0, entropy),
		"LogLoss":                 logLoss,
		"LogLossGrad":             gradientBy(0, logLoss),
		"Concat":                  axes,
		"Slice": append(gradientBy(0, append(axes, concat(0, []int{1, 2}, []int{3, 2}))),
			gradientBy(1, axes)...),
		"EmbeddingGrad": gradientBy(0, each([]int{3, 4}, func(classes int, g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
			return op.Embedding(leaf(g, classes, 2), input(g, "label", newArray(5, 1).dense(tensor.Int64)))
		})),
		"Conv2D":          conv,
		"ConvTranspose2D": transpose,
		"ConvWeight":      weight,
		"Dropout": each([]float64{0, 0.3, 0.5}, func(rate float64, g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
			return op.Dropout(leaf(g, 2), input(g, "mask", newArray(2).dense(tensor.Uint8)), rate)
		}),
		"MatMul": each([][2]bool{{}, {true, false}, {false, true}, {true, true}}, func(s [2]bool, g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
			return op.MatMul(leaf(g, 2, 2), leaf(g, 2, 2), s[0], s[1])
		}),
		"Reshape": each([][]int{{12}, {3, 4}, {4, 3}, {12, 1}}, func(s []int, g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
			return op.Reshape(leaf(g, 2, 12), s...)
		}),
		"MovingAverage": each([]float64{0.5, 0.9}, func(decay float64, g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
			return op.MovingAverage(leaf(g, 2), leaf(g, 2), decay)
		}),
		"SecondMoment": each([]float64{0.99, 0.999}, func(beta2 float64, g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
			_, _, v, err := op.Adam(leaf(g, 2), leaf(g, 2), leaf(g, 2), leaf(g, 2), leaf(g), 0.9, beta2, 1e-7)
			return v, err
		}),
		"AdamStep": each([]float64{1e-7, 1e-8}, func(epsilon float64, g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
			w, _, _, err := op.Adam(leaf(g, 2), leaf(g, 2), leaf(g, 2), leaf(g, 2), leaf(g), 0.9, 0.999, epsilon)
			return w, err
		}),
		"operators without attributes": withoutAttributes(),
		// An operator of two ranks is two operators.
		"ranks": each([][]int{{2}, {2, 3}, {2, 3, 4}}, func(s []int, g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
			return op.ReLU(leaf(g, s...))
		}),
	}
}

func withoutAttributes() []variant {
	unary := []func(*gorgonia.Node) (*gorgonia.Node, error){op.ReLU, op.Tanh, op.Sigmoid}
	// Probability has Sigmoid's gradient.
	probability := must(func(g *gorgonia.ExprGraph) (*gorgonia.Node, error) { return op.Probability(leaf(g, 2, 2)) })
	variants := each(unary, func(f func(*gorgonia.Node) (*gorgonia.Node, error), g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
		return f(leaf(g, 2, 2))
	})
	return append(append(variants, gradientBy(0, variants)...), probability,
		must(func(g *gorgonia.ExprGraph) (*gorgonia.Node, error) { return op.ChannelSum(leaf(g, 2, 2)) }),
		must(func(g *gorgonia.ExprGraph) (*gorgonia.Node, error) { return op.MeanProbability(leaf(g, 2, 1)) }),
		must(func(g *gorgonia.ExprGraph) (*gorgonia.Node, error) { return op.Accuracy(leaf(g, 2, 1), leaf(g, 2, 1)) }),
		must(func(g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
			return op.Towards(leaf(g, 2, 1), leaf(g, 2, 1), leaf(g))
		}),
		must(func(g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
			mean, _, err := op.Statistics(leaf(g, 2, 2))
			return mean, err
		}),
		must(func(g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
			_, variance, err := op.Statistics(leaf(g, 2, 2))
			return variance, err
		}),
		must(func(g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
			return op.Embedding(leaf(g, 2, 2), input(g, "label", newArray(2, 1).dense(tensor.Int64)))
		}),
		must(func(g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
			return op.Dense(leaf(g, 2, 2), leaf(g, 2, 2), nil)
		}),
		must(func(g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
			return op.Dense(leaf(g, 2, 2), leaf(g, 2, 2), leaf(g, 2))
		}))
}

// convVariants change one number of a geometry at a time. The transposed ones
// also change the size of the larger picture.
func convVariants() (conv, transpose, weight []variant) {
	base := geometry(3, 3, 2, 2, 1, 1, 1, 1)
	geometries := []op.Geometry{base}
	for _, change := range []func(g *op.Geometry){
		func(g *op.Geometry) { g.Kernel[0]++ }, func(g *op.Geometry) { g.Kernel[1]++ },
		func(g *op.Geometry) { g.Stride[0]++ }, func(g *op.Geometry) { g.Stride[1]++ },
		func(g *op.Geometry) { g.Top++ }, func(g *op.Geometry) { g.Left++ },
		func(g *op.Geometry) { g.Bottom++ }, func(g *op.Geometry) { g.Right++ },
	} {
		g := base
		change(&g)
		geometries = append(geometries, g)
	}
	const size = 9
	small := func(graph *gorgonia.ExprGraph, g op.Geometry, height, width int) *gorgonia.Node {
		return leaf(graph, 2, 4, naivePlaces(height+g.Top+g.Bottom, g.Kernel[0], g.Stride[0]),
			naivePlaces(width+g.Left+g.Right, g.Kernel[1], g.Stride[1]))
	}
	for _, g := range geometries {
		conv = append(conv, must(func(graph *gorgonia.ExprGraph) (*gorgonia.Node, error) {
			return op.Conv2D(leaf(graph, 2, 3, size, size), leaf(graph, 4, 3, g.Kernel[0], g.Kernel[1]), nil, g)
		}))
		weight = append(weight, must(func(graph *gorgonia.ExprGraph) (*gorgonia.Node, error) {
			return op.ConvWeight(leaf(graph, 2, 3, size, size), small(graph, g, size, size), g)
		}))
		transpose = append(transpose, must(func(graph *gorgonia.ExprGraph) (*gorgonia.Node, error) {
			return op.ConvTranspose2D(small(graph, g, size, size), leaf(graph, 4, 3, g.Kernel[0], g.Kernel[1]), nil, g, size, size)
		}))
	}
	for _, s := range [][2]int{{size + 1, size}, {size, size + 1}} {
		transpose = append(transpose, must(func(graph *gorgonia.ExprGraph) (*gorgonia.Node, error) {
			return op.ConvTranspose2D(small(graph, base, s[0], s[1]), leaf(graph, 4, 3, 3, 3), nil, base, s[0], s[1])
		}))
	}
	return conv, transpose, weight
}

// leaf is the input of that shape, the same one each time.
func leaf(g *gorgonia.ExprGraph, shape ...int) *gorgonia.Node {
	return input(g, fmt.Sprintf("input %v", shape), newArray(shape...).dense(tensor.Float64))
}

func must(build func(g *gorgonia.ExprGraph) (*gorgonia.Node, error)) variant {
	return func(g *gorgonia.ExprGraph) *gorgonia.Node { return gorgonia.Must(build(g)) }
}

// each makes a variant for every setting.
func each[S any](settings []S, build func(s S, g *gorgonia.ExprGraph) (*gorgonia.Node, error)) []variant {
	var variants []variant
	for _, s := range settings {
		variants = append(variants, must(func(g *gorgonia.ExprGraph) (*gorgonia.Node, error) { return build(s, g) }))
	}
	return variants
}

// gradientBy turns variants into their gradients by one operand.
func gradientBy(operand int, variants []variant) []variant {
	return each(variants, func(build variant, g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
		n := build(g)
		grads, err := n.Op().(gorgonia.SDOp).SymDiff(operandsOf(n), n, leaf(g, n.Shape()...))
		if err != nil {
			return nil, err
		}
		return grads[operand], nil
	})
}
