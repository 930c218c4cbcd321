package op_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/train/op"
)

// BenchmarkDCGAN times the operators of a DCGAN for 28x28 pictures
// (Michelucci 2022) at batch 64 in float32, forward and gradients, each by
// itself.
func BenchmarkDCGAN(b *testing.B) {
	const batch = 64
	layer := func(name string, operands []operand, build build) {
		r := row{name: name, operands: operands, build: build}
		values := r.draw()
		m := newGraph(b, r, tensor.Float32, values)
		weight := outputWeight(m.out.Shape())
		for _, n := range newGradients(b, r, tensor.Float32, values, weight).graph.AllNodes() {
			if !ours(n) {
				continue
			}
			var in []gorgonia.Value
			random := rand.New(rand.NewPCG(1, 1))
			for _, o := range operandsOf(n) {
				in = append(in, newArray(o.Shape()...).mapped(func(int) float64 { return positive(random) }).dense(o.Dtype()))
			}
			kind, _, _ := strings.Cut(n.Op().String(), "{")
			b.Run(name+"/"+kind, func(b *testing.B) {
				for b.Loop() {
					if _, err := n.Op().Do(in...); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
	dense := func(x []*gorgonia.Node) (*gorgonia.Node, error) { return op.Dense(x[0], x[1], optional(x)) }
	conv := func(g op.Geometry) build {
		return func(x []*gorgonia.Node) (*gorgonia.Node, error) { return op.Conv2D(x[0], x[1], optional(x), g) }
	}
	deconv := func(g op.Geometry, size int) build {
		return func(x []*gorgonia.Node) (*gorgonia.Node, error) {
			return op.ConvTranspose2D(x[0], x[1], nil, g, size, size)
		}
	}
	norm := func(x []*gorgonia.Node) (*gorgonia.Node, error) {
		mean, variance, err := op.Statistics(x[0])
		if err != nil {
			return nil, err
		}
		return op.BatchNorm(x[0], x[1], x[2], mean, variance, 1e-3, true)
	}
	kernel, one, two := [2]int{5, 5}, [2]int{1, 1}, [2]int{2, 2}

	layer("G/dense", []operand{in(batch, 100), in(100, 12544)}, dense)
	layer("G/norm1", []operand{in(batch, 12544), in(12544), in(12544)}, norm)
	layer("G/deconv1", []operand{in(batch, 256, 7, 7), in(256, 128, 5, 5)}, deconv(op.Same(7, 7, kernel, one), 7))
	layer("G/norm2", []operand{in(batch, 128, 7, 7), in(128), in(128)}, norm)
	layer("G/deconv2", []operand{in(batch, 128, 7, 7), in(128, 64, 5, 5)}, deconv(op.Same(14, 14, kernel, two), 14))
	layer("G/norm3", []operand{in(batch, 64, 14, 14), in(64), in(64)}, norm)
	layer("G/leaky3", []operand{in(batch, 64, 14, 14)}, func(x []*gorgonia.Node) (*gorgonia.Node, error) {
		return op.LeakyReLU(x[0], 0.3)
	})
	layer("G/deconv3", []operand{in(batch, 64, 14, 14), in(64, 1, 5, 5)}, deconv(op.Same(28, 28, kernel, two), 28))
	layer("G/tanh", []operand{in(batch, 1, 28, 28)}, func(x []*gorgonia.Node) (*gorgonia.Node, error) { return op.Tanh(x[0]) })
	layer("D/conv1", []operand{in(batch, 1, 28, 28), in(64, 1, 5, 5), in(64)}, conv(op.Same(28, 28, kernel, two)))
	layer("D/dropout1", []operand{in(batch, 64, 14, 14), mask(batch, 64, 14, 14)}, func(x []*gorgonia.Node) (*gorgonia.Node, error) {
		return op.Dropout(x[0], x[1], 0.3)
	})
	layer("D/conv2", []operand{in(batch, 64, 14, 14), in(128, 64, 5, 5), in(128)}, conv(op.Same(14, 14, kernel, two)))
	layer("D/dense", []operand{in(batch, 6272), in(6272, 1), in(1)}, dense)
	weights := constant(in(256, 128, 5, 5))
	layer("Adam", []operand{weights, weights, constant(inPositive(256, 128, 5, 5)), weights, constant(in())}, func(x []*gorgonia.Node) (*gorgonia.Node, error) {
		w, _, _, err := op.Adam(x[0], x[1], x[2], x[3], x[4], 0.9, 0.999, 1e-7)
		return w, err
	})
}
