package keras

import (
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/train"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/nn"
)

// readOurs reads a network's weights from a run, a checkpoint or a model that was
// exported from one.
func readOurs(path string, m match) (map[string]*tensor.Dense, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	var all map[string]*tensor.Dense
	switch {
	case info.IsDir():
		model, err := train.LatestModel(path)
		if err != nil {
			return nil, err
		}
		all = model.Weights(m.role)
	case strings.HasSuffix(path, ".onnx"):
		if all, err = exportedWeights(path); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	default:
		model, err := train.LoadModel(path)
		if err != nil {
			return nil, err
		}
		all = model.Weights(m.role)
	}
	own, err := m.names()
	if err != nil {
		return nil, err
	}
	out := map[string]*tensor.Dense{}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		v, ok := all[name]
		shape := own[name]
		switch {
		case !ok:
			return nil, fmt.Errorf("%s: holds no %s, which %s of %s has", path, name, m.role, m.gan.Name)
		case !slices.Equal(v.Shape(), tensor.Shape(shape)):
			return nil, fmt.Errorf("%s: %s is %v, the network in the file has %v", path, name, []int(v.Shape()), []int(shape))
		}
		out[name] = v
	}
	return out, nil
}

// names are the network's parameters, with their shapes.
func (m match) names() (map[string]arch.Shape, error) {
	rows, err := m.net.Rows()
	if err != nil {
		return nil, err
	}
	out := map[string]arch.Shape{}
	for _, r := range rows {
		for _, p := range r.Params {
			out[nn.ParamName(m.role, r.Name, p.Name)] = p.Shape
		}
	}
	return out, nil
}

// exportedWeights reads the float32 tensors of a model.
func exportedWeights(path string) (map[string]*tensor.Dense, error) {
	model, err := readModel(path)
	if err != nil {
		return nil, err
	}
	out := map[string]*tensor.Dense{}
	for _, t := range model.Graph.Initializer {
		if t.DataType != int32(onnxpb.TensorProto_FLOAT) || len(t.Dims) == 0 {
			continue
		}
		c, err := tensorConstant(t)
		if err != nil {
			return nil, fmt.Errorf("initializer %q: %w", brief(t.Name), err)
		}
		out[t.Name] = tensor.New(tensor.WithShape(c.dims...), tensor.WithBacking(c.floats))
	}
	return out, nil
}

// held is a tensor in the form in which a file has it.
type held struct {
	name, keras string
	shape       []int
	values      []float32
}

// held lists the tensors of a network, given in our layout, as far as the file
// tells them: of a BatchNorm that was folded, scale and shift; of one that was
// merged, what it makes of the convolution before it.
func (m match) held(weights map[string]*tensor.Dense) []held {
	var out []held
	for i, p := range m.pairs {
		if _, ok := p.row.Layer.(arch.Condition); ok || p.merged {
			continue
		}
		get := func(r arch.Row, name string) []float32 {
			v, ok := weights[nn.ParamName(m.role, r.Name, name)]
			if !ok { // a layer without a bias
				return nil
			}
			return v.Float32s()
		}
		add := func(name, keras string, shape []int, values []float32) {
			out = append(out, held{nn.ParamName(m.role, p.row.Name, name), p.layer.name + "/" + keras, shape, values})
		}
		if b, ok := p.row.Layer.(arch.BatchNorm); ok && p.layer.weights["gamma"] == nil {
			scale, shift := affineOf(b, func(name string) []float32 { return get(p.row, name) })
			add("scale", "scale", p.row.Params[0].Shape, scale)
			add("shift", "shift", p.row.Params[0].Shape, shift)
			continue
		}
		var scale, shift []float32
		if i+1 < len(m.pairs) && m.pairs[i+1].merged {
			next := m.pairs[i+1].row
			scale, shift = affineOf(next.Layer.(arch.BatchNorm), func(name string) []float32 { return get(next, name) })
		}
		for _, own := range p.row.Params {
			values := slices.Clone(get(p.row, own.Name))
			if scale != nil { // [out, in, height, width], or [out]
				each := len(values) / len(scale)
				for k := range values {
					values[k] *= scale[k/each]
					if own.Name == "bias" {
						values[k] += shift[k]
					}
				}
			}
			add(own.Name, kerasWeight(p.row.Layer, own.Name), own.Shape, values)
		}
	}
	return out
}

// affineOf folds a BatchNorm: y = scale*x + shift.
func affineOf(b arch.BatchNorm, param func(string) []float32) (scale, shift []float32) {
	gamma, beta, mean, variance := param("gamma"), param("beta"), param("mean"), param("variance")
	for i := range gamma {
		s := float64(gamma[i]) / math.Sqrt(float64(variance[i])+b.Epsilon)
		scale = append(scale, float32(s))
		shift = append(shift, float32(float64(beta[i])-float64(mean[i])*s))
	}
	return scale, shift
}

// hold compares the file's tensors with others, which were read from a named
// place.
func (r *Report) hold(m match, file, others map[string]*tensor.Dense, from string) {
	theirs := m.held(others)
	for i, t := range m.held(file) {
		d := differ(t.values, theirs[i].values)
		holds := d.Relative <= r.Tolerance
		r.Tensors = append(r.Tensors, Tensor{Name: t.name, Keras: t.keras, From: from, Shape: t.shape, Difference: d, Holds: holds})
		r.Holds = r.Holds && holds
	}
}
