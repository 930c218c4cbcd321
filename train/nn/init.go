package nn

import (
	"fmt"
	"math"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/runtime/latent"
	"github.com/gantrain/gantrain/train/arch"
)

// Init draws the starting values of a network's parameters, keyed by their
// names: each from its place in the network, the seed and the stream alone.
func Init(role arch.Role, net arch.Network, seed, stream uint64) (map[string]*tensor.Dense, error) {
	rows, err := net.Rows()
	if err != nil {
		return nil, fmt.Errorf("nn: %s: %w", role, err)
	}
	values := map[string]*tensor.Dense{}
	number := uint64(0)
	for _, r := range rows {
		for _, p := range r.Params {
			data := make([]float32, p.Shape.Size())
			if err := draw(data, p, seed, stream, number); err != nil {
				return nil, fmt.Errorf("nn: %s: %w", ParamName(role, r.Name, p.Name), err)
			}
			values[ParamName(role, r.Name, p.Name)] = tensor.New(tensor.WithShape(p.Shape...), tensor.WithBacking(data))
			number++
		}
	}
	return values, nil
}

func draw(dst []float32, p arch.Param, seed, stream, number uint64) error {
	switch p.Init.Kind {
	case arch.Zeros.Kind:
	case arch.Ones.Kind:
		for i := range dst {
			dst[i] = 1
		}
	case arch.Glorot.Kind:
		latent.Fill(dst, latent.Uniform, seed, stream, number)
		scale(dst, math.Sqrt(6/float64(fans(p.Shape))))
	case string(latent.Normal), string(latent.Uniform):
		latent.Fill(dst, latent.Distribution(p.Init.Kind), seed, stream, number)
		scale(dst, p.Init.Scale)
	default:
		return fmt.Errorf("unknown initialiser %q", p.Init.Kind)
	}
	return nil
}

// fans is the fan in plus the fan out of a kernel [out, in, ...] or weight
// [in, out]: which is which does not matter to their sum.
func fans(s arch.Shape) int {
	return (s[0] + s[1]) * s[2:].Size()
}

func scale(dst []float32, by float64) {
	for i, v := range dst {
		dst[i] = float32(float64(v) * by)
	}
}
