package op_test

import (
	"math"

	"gorgonia.org/gorgonia"

	"github.com/gantrain/gantrain/train/op"
)

func batchNormRows() []row {
	var rows []row
	for _, s := range []struct {
		variant string
		shape   []int
		large   bool
	}{
		{"[N,C]", []int{5, 3}, false},
		{"[N,C,L]", []int{4, 3, 2}, false},
		{"[N,C,H,W]", []int{3, 2, 3, 4}, false},
		{"batch 1", []int{1, 3, 3, 2}, false},
		{"one channel", []int{4, 1, 2, 2}, false},
		{"on all cores", []int{64, 9, 16, 16}, true},
		{"[N,C] on all cores", []int{200, 501}, true},
	} {
		x, size := in(s.shape...), newArray(s.shape...)
		c := s.shape[1]
		terms := len(size.data) / c
		training := func(x []*gorgonia.Node) (*gorgonia.Node, error) {
			mean, variance, err := op.Statistics(x[0])
			if err != nil {
				return nil, err
			}
			return op.BatchNorm(x[0], x[1], x[2], mean, variance, 1e-3, true)
		}
		rows = append(rows, row{
			name: "BatchNorm training " + s.variant, terms: terms, large: s.large, build: training,
			operands: []operand{x, in(c), in(c)},
			naive: func(x []array) array {
				mean := naiveMean(x[0])
				return naiveBatchNorm(append(x, mean, naiveVariance(x[0], mean)), 1e-3)
			},
		}, row{
			name: "BatchNorm inference " + s.variant, terms: 1, large: s.large,
			operands: []operand{x, in(c), in(c), constant(in(c)), constant(inPositive(c))},
			build: func(x []*gorgonia.Node) (*gorgonia.Node, error) {
				return op.BatchNorm(x[0], x[1], x[2], x[3], x[4], 1e-5, false)
			},
			naive: func(x []array) array { return naiveBatchNorm(x, 1e-5) },
		}, row{
			name: "ChannelMean " + s.variant, operands: []operand{constant(x)}, terms: terms, large: s.large,
			build: func(x []*gorgonia.Node) (*gorgonia.Node, error) {
				mean, _, err := op.Statistics(x[0])
				return mean, err
			},
			naive: func(x []array) array { return naiveMean(x[0]) },
		}, row{
			name: "ChannelVariance " + s.variant, operands: []operand{constant(x)}, terms: terms, large: s.large,
			build: func(x []*gorgonia.Node) (*gorgonia.Node, error) {
				_, variance, err := op.Statistics(x[0])
				return variance, err
			},
			naive: func(x []array) array { return naiveVariance(x[0], naiveMean(x[0])) },
		}, row{
			name: "ChannelSum " + s.variant, operands: []operand{constant(x)}, terms: terms, large: s.large,
			build: func(x []*gorgonia.Node) (*gorgonia.Node, error) { return op.ChannelSum(x[0]) },
			naive: func(x []array) array { return naiveChannels(x[0], func(_ int, v float64) float64 { return v }) },
		})
	}
	return rows
}

// naiveChannels sums f of each value, given its channel.
func naiveChannels(x array, f func(c int, v float64) float64) array {
	y := newArray(x.shape[1])
	for i, v := range x.data {
		c := channelOf(x, i)
		y.data[c] += f(c, v)
	}
	return y
}

// channelOf is the channel of element i.
func channelOf(x array, i int) int {
	for axis := len(x.shape) - 1; axis > 1; axis-- {
		i /= x.shape[axis]
	}
	return i % x.shape[1]
}

func naiveMean(x array) array {
	values := float64(len(x.data) / x.shape[1])
	return naiveChannels(x, func(_ int, v float64) float64 { return v / values })
}

func naiveVariance(x, mean array) array {
	values := float64(len(x.data) / x.shape[1])
	return naiveChannels(x, func(c int, v float64) float64 { return math.Pow(v-mean.at(c), 2) / values })
}

func naiveBatchNorm(in []array, epsilon float64) array {
	x, gamma, beta, mean, variance := in[0], in[1], in[2], in[3], in[4]
	return x.mapped(func(i int) float64 {
		c := channelOf(x, i)
		return gamma.at(c)*(x.data[i]-mean.at(c))/math.Sqrt(variance.at(c)+epsilon) + beta.at(c)
	})
}
