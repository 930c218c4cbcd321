package keras

import (
	"slices"
	"strconv"

	"github.com/gantrain/gantrain/train/arch"
)

// unfold finds the four vectors of a BatchNorm in the arithmetic that made its
// scale and shift, where the exporter has left that in the graph:
//
//	scale = 1/sqrt(variance + epsilon) * gamma
//	shift = -mean*scale + beta
//
// The TensorFlow route computes both beforehand; then they are all there is.
func (r *reader) unfold(l *layer) {
	scale, shift := l.weights["scale"], l.weights["shift"]
	root, gamma, ok := r.either(scale, "Mul", func(c *constant) bool { return r.made(c, "Div") != nil })
	if !ok {
		return
	}
	division := r.made(root, "Div")
	if !slices.Equal(division[0].floats, []float32{1}) || r.made(division[1], "Sqrt") == nil {
		return
	}
	epsilon, variance, ok := r.either(r.made(division[1], "Sqrt")[0], "Add", func(c *constant) bool { return c.size() == 1 && c.node == nil })
	if !ok {
		return
	}
	product, beta, ok := r.either(shift, "Add", func(c *constant) bool { return r.made(c, "Mul") != nil })
	if !ok {
		return
	}
	negative, again, ok := r.either(product, "Mul", func(c *constant) bool { return r.made(c, "Neg") != nil })
	if !ok || !slices.Equal(again.floats, scale.floats) {
		return
	}
	mean := r.made(negative, "Neg")[0]
	for name, c := range map[string]*constant{"gamma": gamma, "beta": beta, "moving_mean": mean, "moving_variance": variance} {
		if c.size() != scale.size() {
			return
		}
		flat := *c
		flat.dims = []int{c.size()}
		l.weights[name] = &flat
	}
	// As it is written, not as float32 has it: 0.001, not 0.0010000000474974513.
	l.Layer = arch.BatchNorm{Epsilon: short(epsilon.floats[0])}
	delete(l.weights, "scale")
	delete(l.weights, "shift")
}

// made returns the inputs of the node that computed a constant, nil if that is
// no such node.
func (r *reader) made(c *constant, op string) []*constant {
	if c.node == nil || c.node.OpType != op {
		return nil
	}
	var in []*constant
	for _, name := range c.node.Input {
		in = append(in, r.values[name].constant)
	}
	return in
}

// either takes apart a constant that was computed of two, in either order: the
// first of which is what is looked for.
func (r *reader) either(c *constant, op string, is func(*constant) bool) (found, other *constant, ok bool) {
	in := r.made(c, op)
	switch {
	case len(in) != 2:
		return nil, nil, false
	case is(in[0]):
		return in[0], in[1], true
	case is(in[1]):
		return in[1], in[0], true
	}
	return nil, nil, false
}

// short is the shortest decimal fraction that float32 rounds to the number.
func short(v float32) float64 {
	x, _ := strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64) // it has just been written
	return x
}
