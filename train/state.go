package train

import (
	"fmt"
	"maps"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/engine"
	"github.com/gantrain/gantrain/train/nn"
)

// NewState draws the starting weights of both networks from the seed; the
// optimiser's moments start at zero.
func NewState(gan arch.GAN, seed uint64) (engine.State, error) {
	all, err := shapes(gan)
	if err != nil {
		return nil, fmt.Errorf("train: %s: %w", gan.Name, err)
	}
	state := engine.State{}
	for name, shape := range all {
		state[name] = tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(shape...))
	}
	for _, p := range parts(gan) {
		values, err := nn.Init(p.role, p.net, seed, p.stream)
		if err != nil {
			return nil, err
		}
		maps.Copy(state, values)
	}
	for name, v := range state {
		if average, ok := state[averageName(name)]; ok {
			copy(average.Data().([]float32), v.Data().([]float32))
		}
	}
	return state, nil
}

// shapes lists the arrays of a GAN's state.
func shapes(gan arch.GAN) (map[string][]int, error) {
	out := map[string][]int{}
	for _, p := range parts(gan) {
		rows, err := p.net.Rows()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.role, err)
		}
		for _, r := range rows {
			for _, param := range r.Params {
				name := nn.ParamName(p.role, r.Name, param.Name)
				out[name] = param.Shape
				if !param.Statistics {
					m, v := momentNames(name)
					out[m], out[v] = param.Shape, param.Shape
				}
				if p.role == arch.Generator && gan.Recipe.EMA > 0 {
					out[averageName(name)] = param.Shape
				}
			}
		}
	}
	return out, nil
}

// part is one of the two networks of a GAN.
type part struct {
	role   arch.Role
	net    arch.Network
	stream uint64 // of its starting weights
}

func parts(gan arch.GAN) []part {
	return []part{
		{arch.Generator, gan.Generator, generatorStream},
		{arch.Discriminator, gan.Discriminator, discriminatorStream},
	}
}
