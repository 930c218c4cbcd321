package keras

import (
	"fmt"
	"slices"

	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/nn"
)

// layout says how an array of Keras' becomes one of ours.
//
// Keras lays pictures out as [height, width, channels], we as [channels, height,
// width], as ONNX' operators do. What follows from it, and from how Keras lays
// out kernels, is all there is to move, in recordings, in exports and back:
//
//	array                    Keras                      in a graph                 ours
//	Dense kernel             [in, out]                  [in, out]                  [in, out]
//	Conv2D kernel            [height, width, in, out]   [out, in, height, width]   [out, in, height, width]
//	Conv2DTranspose kernel   [height, width, out, in]   [in, out, height, width]   [in, out, height, width]
//	  of stride 1, by JAX                               [out, in, height, width],
//	                                                    of a Conv, turned round
//	features that are, or    [height*width*channels]    [height*width*channels]    [channels*height*width]
//	become, a picture
//	a folded BatchNorm                                  scale, shift               gamma*sqrt(variance+epsilon), beta
//	a merged BatchNorm                                  in a Conv's kernel, bias   1, beta
//
// Kernels are not flipped, but for a transposed convolution that the JAX route
// writes as a convolution, whose kernel runs backwards. Features become a picture
// in a Reshape and come from one in a Flatten; an axis of such features is taken
// apart first. The TensorFlow route folds a BatchNorm into scale and shift: with
// mean 0 and variance 1-epsilon they are gamma and beta. Where no bias stands
// between, it merges them into the convolution before.
type layout struct {
	axes  []int // Keras' axes, features that are a picture taken apart
	order []int // for each axis of ours, its number among Keras'
}

// plain is an array that both have alike.
func plain(shape ...int) layout {
	l := layout{axes: shape}
	for i := range shape {
		l.order = append(l.order, i)
	}
	return l
}

// kernelLayout is that of a convolution of either kind, given our shape.
func kernelLayout(ours arch.Shape) layout {
	return layout{axes: []int{ours[2], ours[3], ours[1], ours[0]}, order: []int{3, 2, 0, 1}}
}

// features is an axis of so many features, which are a picture of the given
// shape (ours), or none if that is nil.
func features(n int, picture arch.Shape) layout {
	if picture == nil {
		return plain(n)
	}
	return layout{axes: []int{picture[1], picture[2], picture[0]}, order: []int{2, 0, 1}}
}

// and adds the axes of another layout behind.
func (l layout) and(m layout) layout {
	before := len(l.axes)
	l.axes, l.order = slices.Concat(l.axes, m.axes), slices.Clone(l.order)
	for _, o := range m.order {
		l.order = append(l.order, before+o)
	}
	return l
}

// ours arranges an array of Keras' as we have it.
func (l layout) ours(data []float64) []float64 {
	out := make([]float64, 0, len(data))
	for _, i := range permuted(l.axes, l.order) {
		out = append(out, data[i])
	}
	return out
}

// fromGraph arranges a convolution's kernel as Keras has it. What a Conv of the
// JAX route has turned round is a transposed one's.
func fromGraph(kernel *constant, turned bool) *constant {
	if !turned {
		return kernel.transposed([]int{2, 3, 1, 0})
	}
	out := kernel.transposed([]int{2, 3, 0, 1})
	for axis := range 2 {
		out = out.reversed(axis)
	}
	return out
}

// param is a parameter of ours as Keras has it.
type param struct {
	ours  string // "generator/dense1/weight"
	keras string // "G.dense.kernel"
	shape []int  // Keras'
	layout
	// undetermined: its gradient is zero in exact arithmetic, or it follows one
	// whose is: a bias before a BatchNorm, which takes it away again, and the
	// running mean that sees it. Adam makes steps of its rounding errors.
	undetermined bool
}

// letters begin the names of a network's arrays in a fixture.
var letters = map[arch.Role]string{arch.Generator: "G", arch.Discriminator: "D"}

// kerasKinds are Keras' names of the layers that have parameters.
var kerasKinds = map[string]string{
	arch.Dense{}.Kind():           "dense",
	arch.Conv2D{}.Kind():          "conv2d",
	arch.ConvTranspose2D{}.Kind(): "conv2d_transpose",
	arch.BatchNorm{}.Kind():       "batch_normalization",
	arch.Embedding{}.Kind():       "embedding",
}

// kerasParams are Keras' names of parameters, but for an embedding's.
var kerasParams = map[string]string{
	"weight": "kernel", "bias": "bias",
	"gamma": "gamma", "beta": "beta", "mean": "moving_mean", "variance": "moving_variance",
}

// layerNames gives the layers with parameters Keras' names, by ours. Keras
// numbers the layers of a kind as they are made, and those that a label goes
// through are made first.
func layerNames(rows []arch.Row) map[string]string {
	names, count := map[string]string{}, map[string]int{}
	name := func(rows []arch.Row) {
		for _, r := range rows {
			base, ok := kerasKinds[r.Layer.Kind()]
			if !ok {
				continue
			}
			names[r.Name] = base
			if n := count[base]; n > 0 {
				names[r.Name] = fmt.Sprintf("%s_%d", base, n)
			}
			count[base]++
		}
	}
	for _, r := range rows {
		name(r.Rows)
	}
	name(rows)
	return names
}

// params lists the parameters of a network, in the order of its layers.
func params(role arch.Role, net arch.Network) ([]param, error) {
	rows, err := net.Rows()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", role, err)
	}
	return stackParams(role, rows, layerNames(rows)), nil
}

func stackParams(role arch.Role, rows []arch.Row, names map[string]string) []param {
	var all []param
	pictures := pictures(rows)
	for i, r := range rows {
		all = append(all, stackParams(role, r.Rows, names)...)
		if _, ok := names[r.Name]; !ok {
			continue
		}
		var in arch.Shape
		if i > 0 {
			in = pictures[i-1]
		}
		for _, p := range r.Params {
			k := param{ours: nn.ParamName(role, r.Name, p.Name)}
			kind := kerasParams[p.Name]
			switch r.Layer.(type) {
			case arch.Dense:
				k.shape, k.layout = p.Shape, features(p.Shape[len(p.Shape)-1], pictures[i])
				if p.Name == "weight" {
					k.layout = features(p.Shape[0], in).and(k.layout)
				}
			case arch.Conv2D, arch.ConvTranspose2D:
				k.shape, k.layout = p.Shape, plain(p.Shape...)
				if p.Name == "weight" {
					k.layout = kernelLayout(p.Shape)
					k.shape = k.axes
				}
			case arch.BatchNorm:
				k.shape, k.layout = p.Shape, plain(p.Shape...)
				if !r.Input.Picture() {
					k.layout = features(p.Shape[0], pictures[i])
				}
				k.undetermined = p.Name == "mean" && i > 0 && biased(rows[i-1])
			case arch.Embedding:
				kind = "embeddings"
				k.shape, k.layout = p.Shape, plain(p.Shape...)
			}
			if p.Name == "bias" && i+1 < len(rows) {
				_, k.undetermined = rows[i+1].Layer.(arch.BatchNorm)
			}
			k.keras = fmt.Sprintf("%s.%s.%s", letters[role], names[r.Name], kind)
			all = append(all, k)
		}
	}
	return all
}

// biased reports whether a layer adds a bias last.
func biased(r arch.Row) bool {
	return slices.ContainsFunc(r.Params, func(p arch.Param) bool { return p.Name == "bias" })
}

// pictures gives, for what each of the layers puts out, the picture that it is,
// or that its features come from or become; nil where there is none.
func pictures(rows []arch.Row) []arch.Shape {
	out := make([]arch.Shape, len(rows))
	var last arch.Shape
	for i, r := range rows {
		switch r.Layer.(type) {
		case arch.Flatten:
			if r.Input.Picture() {
				last = r.Input
			}
		case arch.Dense, arch.Embedding:
			last = becomes(rows[i+1:])
		}
		if r.Output.Picture() {
			last = r.Output
		}
		out[i] = last
	}
	return out
}

// becomes is the picture that features become in the layers behind; nil if they
// stay features, or another Dense mixes them first.
func becomes(rows []arch.Row) arch.Shape {
	for _, r := range rows {
		switch l := r.Layer.(type) {
		case arch.Reshape:
			if l.Shape.Picture() {
				return l.Shape
			}
			return nil
		case arch.Dense:
			return nil
		}
	}
	return nil
}
