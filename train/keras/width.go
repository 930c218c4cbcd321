package keras

import (
	"fmt"
	"slices"

	"github.com/gantrain/gantrain/train/arch"
)

// width says at which width a network is known.
func (m match) width() string {
	var full, got []int
	collect(m.published().Layers, &full)
	collect(m.net.Layers, &got)
	if slices.Equal(full, got) {
		return "full width"
	}
	if d := m.divisor(); d > 1 {
		return fmt.Sprintf("1/%d of its width", d)
	}
	return fmt.Sprintf("widths %v instead of %v", got, full)
}

func (m match) published() arch.Network { return candidate{m.gan, m.role}.net() }

// divisor is what all hidden widths are divided by, rounded down, with as few
// remainders as can be; 0 where there is no such number.
func (m match) divisor() int {
	var full, got []int
	collect(m.published().Layers, &full)
	collect(m.net.Layers, &got)
	best, exact := 0, -1
	for d := 1; d <= slices.Max(full); d++ {
		divided, whole := make([]int, len(full)), 0
		for i, w := range full {
			divided[i] = w / d
			if w%d == 0 {
				whole++
			}
		}
		if slices.Equal(divided, got) && whole > exact {
			best, exact = d, whole
		}
	}
	return best
}

// collect lists the hidden widths of a network. What becomes a picture counts by
// its channels.
func collect(layers arch.Layers, widths *[]int) {
	resize(layers, func(w int) int {
		*widths = append(*widths, w)
		return w
	})
}

// resize gives the hidden layers of a network other widths.
func resize(layers arch.Layers, width func(int) int) arch.Layers {
	out := slices.Clone(layers)
	last := -1
	for i, l := range layers {
		switch l.(type) {
		case arch.Dense, arch.Conv2D, arch.ConvTranspose2D:
			last = i
		}
	}
	for i, l := range layers {
		switch l := l.(type) {
		case arch.Dense:
			if i == last {
				break
			}
			if at := becoming(layers[i+1:]); at >= 0 {
				r := layers[i+1+at].(arch.Reshape)
				r.Shape = slices.Clone(r.Shape)
				r.Shape[0] = width(r.Shape[0])
				out[i+1+at], l.Units = r, r.Shape.Size()
			} else {
				l.Units = width(l.Units)
			}
			out[i] = l
		case arch.Conv2D:
			if i != last {
				l.Filters = width(l.Filters)
				out[i] = l
			}
		case arch.ConvTranspose2D:
			if i != last {
				l.Filters = width(l.Filters)
				out[i] = l
			}
		case arch.Embedding:
			l.Size = width(l.Size)
			out[i] = l
		case arch.Condition:
			l.Layers = resize(l.Layers, width)
			out[i] = l
		}
	}
	return out
}

// becoming finds the Reshape that a Dense's features reach, -1 where they reach
// another layer with weights first.
func becoming(layers arch.Layers) int {
	for i, l := range layers {
		switch l.(type) {
		case arch.Reshape:
			return i
		case arch.Dense, arch.Conv2D, arch.ConvTranspose2D, arch.Flatten:
			return -1
		}
	}
	return -1
}

// whole is the GAN with the network at the graph's width, and the other one at
// the same share of its own, or as published where there is no such share.
func (m match) whole() arch.GAN {
	gan := m.gan
	narrow := func(n arch.Network) arch.Network {
		if d := m.divisor(); d > 1 {
			n.Layers = resize(n.Layers, func(w int) int { return w / d })
		}
		return n
	}
	if m.role == arch.Generator {
		gan.Generator, gan.Discriminator = m.net, narrow(gan.Discriminator)
	} else {
		gan.Discriminator, gan.Generator = m.net, narrow(gan.Generator)
	}
	return gan
}
