package op_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"gorgonia.org/gorgonia"

	"github.com/gantrain/gantrain/train/op"
)

func adamRows() []row {
	const beta1, beta2, epsilon = 0.5, 0.999, 1e-7
	var rows []row
	for _, s := range elementwiseShapes {
		rows = append(rows, row{
			name: "MovingAverage " + s.variant, terms: 2, large: s.large,
			operands: []operand{constant(in(s.shape...)), constant(in(s.shape...))},
			build:    func(x []*gorgonia.Node) (*gorgonia.Node, error) { return op.MovingAverage(x[0], x[1], 0.99) },
			naive: func(x []array) array {
				return x[0].mapped(func(i int) float64 { return 0.99*x[0].data[i] + (1-0.99)*x[1].data[i] })
			},
		})
		rows = append(rows, row{
			name: "Towards " + s.variant, terms: 2, large: s.large,
			operands: []operand{constant(in(s.shape...)), constant(in(s.shape...)), {draw: func(*rand.Rand) float64 { return 0.125 }, fixed: true}},
			build:    func(x []*gorgonia.Node) (*gorgonia.Node, error) { return op.Towards(x[0], x[1], x[2]) },
			naive: func(x []array) array {
				return x[0].mapped(func(i int) float64 { return 0.875*x[0].data[i] + 0.125*x[1].data[i] })
			},
		})
		operands := []operand{
			constant(in(s.shape...)), constant(in(s.shape...)), constant(inPositive(s.shape...)), constant(in(s.shape...)),
			{draw: func(*rand.Rand) float64 { return 2e-4 }, fixed: true},
		}
		for i, name := range []string{"Adam weight", "Adam first moment", "Adam second moment"} {
			rows = append(rows, row{
				name: name + " " + s.variant, operands: operands, terms: 2, large: s.large,
				build: func(x []*gorgonia.Node) (*gorgonia.Node, error) {
					w, m, v, err := op.Adam(x[0], x[1], x[2], x[3], x[4], beta1, beta2, epsilon)
					return []*gorgonia.Node{w, m, v}[i], err
				},
				naive: func(x []array) array {
					return x[0].mapped(func(j int) float64 {
						w, m, v := naiveAdam(x[0].data[j], x[1].data[j], x[2].data[j], x[3].data[j], x[4].data[0], beta1, beta2, epsilon)
						return []float64{w, m, v}[i]
					})
				},
			})
		}
	}
	return rows
}

func naiveAdam(w, m, v, g, rate, beta1, beta2, epsilon float64) (newW, newM, newV float64) {
	newM = beta1*m + (1-beta1)*g
	newV = beta2*v + (1-beta2)*g*g
	return w - rate*newM/(math.Sqrt(newV)+epsilon), newM, newV
}

// TestAdamRate follows a weight under a constant gradient. Bias-corrected
// moments are then exactly g and g², so each step is lr wide but for epsilon,
// which stands outside the correction and so weighs 1/sqrt(1 - beta2ᵗ) times.
func TestAdamRate(t *testing.T) {
	const lr, beta1, beta2, epsilon, g = 1e-3, 0.75, 1 - 0x1p-10, 1e-7, 1e-4 // betas that float32 holds
	w, m, v := 1.0, 0.0, 0.0
	for step := 1; step <= 100; step++ {
		before := w
		w, m, v = naiveAdam(w, m, v, g, op.AdamRate(lr, beta1, beta2, step), beta1, beta2, epsilon)
		want := lr * g / (g + epsilon/math.Sqrt(1-math.Pow(beta2, float64(step))))
		if got := before - w; math.Abs(got-want) > 1e-12 { // float64, weights of size 1, hundreds of roundings
			t.Fatalf("step %d moves by %v, want %v", step, got, want)
		}
	}
	// The float32 nearest to 0.999 is 0.999 + 1.287e-8.
	if got, want := op.AdamRate(1, 0, 0.999, 1), math.Sqrt(1-0.99900001287); math.Abs(got-want) > 1e-9 {
		t.Errorf("the first rate is %v, want %v", got, want)
	}
}
