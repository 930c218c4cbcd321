package keras

import (
	"fmt"
	"math"
	"strings"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/nn"
)

// kerasWeight is what Keras calls a parameter of ours.
func kerasWeight(l arch.Layer, name string) string {
	if _, ok := l.(arch.Embedding); ok {
		return "embeddings"
	}
	return kerasParams[name]
}

// transplant lays the graph's weights out as ours, by our names. A BatchNorm of
// which only scale and shift are left gets parameters and statistics that compute
// the same: mean 0 and variance 1, less epsilon.
func (m match) transplant() (map[string]*tensor.Dense, error) {
	all, err := params(m.role, m.net)
	if err != nil {
		return nil, err
	}
	layouts := map[string]param{}
	for _, p := range all {
		layouts[p.ours] = p
	}
	out := map[string]*tensor.Dense{}
	for i, p := range m.pairs {
		weights := map[string]*constant{}
		if p.layer != nil {
			weights = p.layer.weights
		}
		batchNorm, isBatchNorm := p.row.Layer.(arch.BatchNorm)
		switch {
		case isBatchNorm && p.merged:
			shift := m.pairs[i-1].layer.weights["bias"]
			weights = unfolded(nil, shift, p.row.Output[0], batchNorm.Epsilon)
		case isBatchNorm && weights["gamma"] == nil:
			weights = unfolded(weights["scale"], weights["shift"], p.row.Output[0], batchNorm.Epsilon)
		case i+1 < len(m.pairs) && m.pairs[i+1].merged: // its bias is that one's shift
			weights = map[string]*constant{"kernel": weights["kernel"]}
		}
		for _, own := range p.row.Params {
			if _, ok := p.row.Layer.(arch.Condition); ok {
				break // those of the layers within
			}
			name := nn.ParamName(m.role, p.row.Name, own.Name)
			c := weights[kerasWeight(p.row.Layer, own.Name)]
			values := make([]float64, own.Shape.Size()) // a bias of zeros is left out of a file
			if c != nil {
				if len(values) != c.size() {
					return nil, fmt.Errorf("%s: %d numbers for %v", name, c.size(), []int(own.Shape))
				}
				for i, v := range c.floats {
					values[i] = float64(v)
				}
			} else if own.Name != "bias" {
				return nil, fmt.Errorf("%s: not in the file", name)
			}
			v := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(own.Shape...))
			for i, x := range layouts[name].layout.ours(values) {
				v.Float32s()[i] = float32(x)
			}
			out[name] = v
		}
	}
	return out, nil
}

// unfolded makes a BatchNorm of n scales and shifts, which are 1 and 0 where
// there are none.
func unfolded(scale, shift *constant, n int, epsilon float64) map[string]*constant {
	vector := func(at func(int) float64) *constant {
		c := &constant{dims: []int{n}, floats: make([]float32, n)}
		for i := range c.floats {
			c.floats[i] = float32(at(i))
		}
		return c
	}
	of := func(c *constant, usual float64) func(int) float64 {
		return func(i int) float64 {
			if c == nil || i >= len(c.floats) {
				return usual
			}
			return float64(c.floats[i])
		}
	}
	variance := float64(float32(1 - epsilon))
	return map[string]*constant{
		"gamma":           vector(func(i int) float64 { return of(scale, 1)(i) * math.Sqrt(variance+epsilon) }),
		"beta":            vector(of(shift, 0)),
		"moving_mean":     vector(func(int) float64 { return 0 }),
		"moving_variance": vector(func(int) float64 { return variance }),
	}
}

// notes say what a graph does not tell.
func (m match) notes() (notes []string) {
	var folded []string
	for i, p := range m.pairs {
		switch {
		case p.merged:
			before := m.pairs[i-1].layer
			notes = append(notes, fmt.Sprintf("%s (%s) is merged into %s: scales, shifts, kernel and statistics can't be told apart, and are taken so that they compute the same",
				nn.LayerName(m.role, p.row.Name), before.absorbed, before.name))
		case p.layer != nil && p.layer.weights["scale"] != nil:
			folded = append(folded, nn.LayerName(m.role, p.row.Name))
		}
	}
	if len(folded) > 0 {
		notes = append(notes, fmt.Sprintf("of %s the file has scale and shift only: the statistics taken in their place compute the same, but are not Keras'",
			strings.Join(folded, ", ")))
	}
	return notes
}
