package keras

import (
	"slices"
)

// rule says how an array of a graph lies in Keras.
type rule struct {
	order  []int // axis i of Keras' is axis order[i] of the graph's
	turned bool  // then height and width run backwards
}

var (
	// Conv's weight is [out, in, height, width], ConvTranspose's [in, out, height,
	// width]; Keras' kernels are [height, width, in, out] and [height, width, out,
	// in].
	fromConv = rule{order: []int{2, 3, 1, 0}}
	// A transposed convolution of stride 1, written as a Conv: [out, in, height,
	// width] becomes [height, width, out, in].
	fromTurnedConv = rule{order: []int{2, 3, 0, 1}, turned: true}
)

func (r rule) apply(c *constant) *constant {
	out := c.transposed(r.order)
	out.flipped = nil
	if r.turned {
		for axis := range 2 {
			places := make([]int64, out.dims[axis])
			for i := range places {
				places[i] = int64(i)
			}
			slices.Reverse(places)
			out = out.taken(axis, places, []int{len(places)})
		}
	}
	return out
}
