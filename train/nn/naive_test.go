package nn_test

import (
	"fmt"
	"math"
	"slices"

	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/nn"
)

// naive applies a network to a batch in plain loops over float64 that share no
// code with the operators. Running statistics, in training, are replaced in
// params. No masks means inference.
type naive struct {
	role   arch.Role
	params map[string][]float64
	masks  map[string][]uint8 // by layer
	labels []int64            // of the examples
}

func (n naive) run(net arch.Network, x [][]float64) [][]float64 {
	rows, err := net.Rows()
	if err != nil {
		panic(err)
	}
	return n.stack(rows, x)
}

func (n naive) stack(rows []arch.Row, x [][]float64) [][]float64 {
	for _, r := range rows {
		x = n.layer(r, x)
	}
	return x
}

func (n naive) param(r arch.Row, name string) []float64 {
	return n.params[nn.ParamName(n.role, r.Name, name)]
}

func (n naive) layer(r arch.Row, x [][]float64) [][]float64 {
	each := func(f func(float64) float64) [][]float64 {
		y := make([][]float64, len(x))
		for i := range x {
			y[i] = make([]float64, len(x[i]))
			for j, v := range x[i] {
				y[i][j] = f(v)
			}
		}
		return y
	}
	switch l := r.Layer.(type) {
	case arch.Dense:
		return n.dense(r, x)
	case arch.Conv2D:
		return n.conv(r, l.Kernel, l.Stride, x)
	case arch.ConvTranspose2D:
		return n.deconv(r, l.Kernel, l.Stride, x)
	case arch.BatchNorm:
		return n.batchNorm(r, l, x)
	case arch.LeakyReLU:
		return each(func(v float64) float64 { return math.Max(v, 0) + l.Slope*math.Min(v, 0) })
	case arch.ReLU:
		return each(func(v float64) float64 { return math.Max(v, 0) })
	case arch.Tanh:
		return each(math.Tanh)
	case arch.Sigmoid:
		return each(func(v float64) float64 { return 1 / (1 + math.Exp(-v)) })
	case arch.Dropout:
		if n.masks == nil {
			return x
		}
		k := -1
		return each(func(v float64) float64 {
			k++
			return v * float64(n.masks[r.Name][k]) / (1 - l.Rate)
		})
	case arch.Reshape, arch.Flatten:
		return x
	case arch.Embedding:
		y := make([][]float64, len(n.labels))
		for i, label := range n.labels {
			y[i] = n.param(r, "weight")[int(label)*l.Size:][:l.Size]
		}
		return y
	case arch.Condition:
		y := make([][]float64, len(x))
		for i, made := range n.stack(r.Rows, nil) { // channels come first, so they lie one after the other
			y[i] = slices.Concat(x[i], made)
		}
		return y
	}
	panic(fmt.Sprintf("no formula for %T", r.Layer))
}

func (n naive) dense(r arch.Row, x [][]float64) [][]float64 {
	w, bias, units := n.param(r, "weight"), n.param(r, "bias"), r.Output.Size()
	y := make([][]float64, len(x))
	for i := range x {
		y[i] = make([]float64, units)
		copy(y[i], bias)
		for j, v := range x[i] {
			for u := range units {
				y[i][u] += v * w[j*units+u]
			}
		}
	}
	return y
}

// before is how far TensorFlow's 'same' shifts the kernel: half the zeros that
// are needed for ceil(large/stride) places, rounded down.
func before(large, kernel, stride int) int {
	places := int(math.Ceil(float64(large) / float64(stride)))
	return max((places-1)*stride+kernel-large, 0) / 2
}

// pairs calls f for each pixel of the large and of the small picture that a tap
// of the kernel joins.
func pairs(large, small arch.Shape, kernel, stride int, f func(large, small, tap int)) {
	for sy := range small[1] {
		for sx := range small[2] {
			for ky := range kernel {
				for kx := range kernel {
					y := sy*stride + ky - before(large[1], kernel, stride)
					x := sx*stride + kx - before(large[2], kernel, stride)
					if y >= 0 && y < large[1] && x >= 0 && x < large[2] {
						f(y*large[2]+x, sy*small[2]+sx, ky*kernel+kx)
					}
				}
			}
		}
	}
}

func (n naive) conv(r arch.Row, kernel, stride int, x [][]float64) [][]float64 {
	w, taps := n.param(r, "weight"), kernel*kernel // [filters, channels, taps]
	return n.pictures(r, x, func(x, y []float64, from, to int) {
		pairs(r.Input, r.Output, kernel, stride, func(large, small, tap int) {
			y[small] += x[large] * w[(to*r.Input[0]+from)*taps+tap]
		})
	})
}

func (n naive) deconv(r arch.Row, kernel, stride int, x [][]float64) [][]float64 {
	w, taps := n.param(r, "weight"), kernel*kernel // [channels, filters, taps]
	return n.pictures(r, x, func(x, y []float64, from, to int) {
		pairs(r.Output, r.Input, kernel, stride, func(large, small, tap int) {
			y[large] += x[small] * w[(from*r.Output[0]+to)*taps+tap]
		})
	})
}

// pictures adds what add makes of each input channel to each output channel,
// and the bias.
func (n naive) pictures(r arch.Row, x [][]float64, add func(x, y []float64, from, to int)) [][]float64 {
	in, out, bias := r.Input[1]*r.Input[2], r.Output[1]*r.Output[2], n.param(r, "bias")
	y := make([][]float64, len(x))
	for i := range x {
		y[i] = make([]float64, r.Output.Size())
		for to := range r.Output[0] {
			channel := y[i][to*out : (to+1)*out]
			for from := range r.Input[0] {
				add(x[i][from*in:(from+1)*in], channel, from, to)
			}
			for k := range channel {
				if bias != nil {
					channel[k] += bias[to]
				}
			}
		}
	}
	return y
}

func (n naive) batchNorm(r arch.Row, l arch.BatchNorm, x [][]float64) [][]float64 {
	gamma, beta, mean, variance := n.param(r, "gamma"), n.param(r, "beta"), n.param(r, "mean"), n.param(r, "variance")
	size := r.Input.Size() / r.Input[0]
	y := make([][]float64, len(x))
	for i := range x {
		y[i] = make([]float64, len(x[i]))
	}
	for c := range r.Input[0] {
		m, v := mean[c], variance[c]
		if n.masks != nil {
			m, v = 0, 0
			count := float64(len(x) * size)
			for i := range x {
				for _, value := range x[i][c*size : (c+1)*size] {
					m += value / count
				}
			}
			for i := range x {
				for _, value := range x[i][c*size : (c+1)*size] {
					v += (value - m) * (value - m) / count
				}
			}
			mean[c] = l.Momentum*mean[c] + (1-l.Momentum)*m
			variance[c] = l.Momentum*variance[c] + (1-l.Momentum)*v
		}
		for i := range x {
			for k := c * size; k < (c+1)*size; k++ {
				y[i][k] = gamma[c]*(x[i][k]-m)/math.Sqrt(v+l.Epsilon) + beta[c]
			}
		}
	}
	return y
}
