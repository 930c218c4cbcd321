package train

import (
	"fmt"
	"maps"
	"slices"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/internal/memory"
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
	if err := holds(all); err != nil {
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

// StateFrom is NewState with the weights and statistics of a model in place of
// those that are drawn. Moments are zero, running averages start from the
// weights. Both networks must have the same arrays in the model.
func StateFrom(gan arch.GAN, seed uint64, from *Model) (engine.State, error) {
	state, err := NewState(gan, seed)
	if err != nil {
		return nil, err
	}
	own, err := parameters(gan)
	if err != nil {
		return nil, fmt.Errorf("train: %s: %w", gan.Name, err)
	}
	theirs, err := parameters(from.GAN)
	if err != nil {
		return nil, fmt.Errorf("train: %s: %w", from.GAN.Name, err)
	}
	for _, name := range slices.Sorted(maps.Keys(theirs)) {
		if _, ok := own[name]; !ok {
			return nil, fmt.Errorf("the checkpoint, of %s, has %s, which %s has not", from.GAN.Name, name, gan.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		v, ok := from.State[name]
		switch {
		case !ok:
			return nil, fmt.Errorf("the checkpoint, of %s, has no %s, which %s has", from.GAN.Name, name, gan.Name)
		case !slices.Equal(v.Shape(), own[name]):
			return nil, fmt.Errorf("%s is %v in the checkpoint, %s wants %v", name, []int(v.Shape()), gan.Name, own[name])
		}
		copy(floats(state[name]), floats(v))
		if average, ok := state[averageName(name)]; ok {
			copy(floats(average), floats(v))
		}
	}
	return state, nil
}

// holds returns an error where the arrays need more memory than there is.
func holds(arrays map[string][]int) error {
	var need float64 // the sum of what a file describes may be beyond any integer
	for _, shape := range arrays {
		need += float64(tensor.Float32.Size()) * float64(arch.Shape(shape).Size())
	}
	if free, known := memory.Available(); known && need > float64(free) {
		return fmt.Errorf("its weights and their moments take %.3g GB of memory, %s is available", need/1e9, memory.Format(free))
	}
	return nil
}

// shapes lists the arrays of a GAN's state.
func shapes(gan arch.GAN) (map[string][]int, error) {
	out := map[string][]int{}
	err := eachParameter(gan, func(role arch.Role, name string, param arch.Param) {
		out[name] = param.Shape
		if !param.Statistics {
			m, v := momentNames(name)
			out[m], out[v] = param.Shape, param.Shape
		}
		if role == arch.Generator && gan.Recipe.EMA > 0 {
			out[averageName(name)] = param.Shape
		}
	})
	return out, err
}

// parameters lists the weights and statistics among them.
func parameters(gan arch.GAN) (map[string][]int, error) {
	out := map[string][]int{}
	err := eachParameter(gan, func(_ arch.Role, name string, param arch.Param) { out[name] = param.Shape })
	return out, err
}

func eachParameter(gan arch.GAN, visit func(role arch.Role, name string, param arch.Param)) error {
	for _, p := range parts(gan) {
		rows, err := p.net.Rows()
		if err != nil {
			return fmt.Errorf("%s: %w", p.role, err)
		}
		for _, r := range rows {
			for _, param := range r.Params {
				visit(p.role, nn.ParamName(p.role, r.Name, param.Name), param)
			}
		}
	}
	return nil
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
