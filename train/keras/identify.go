package keras

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/gantrain/gantrain/train/arch"
)

// pair is a layer of ours with what it is in the graph.
type pair struct {
	row arch.Row
	// layer is nil where the graph needs none: Keras' network begins or ends flat
	// where ours has pictures, or a BatchNorm went into the convolution before it.
	layer  *layer
	merged bool // that is so
}

// Unknown says that a graph is none of the networks that are known.
type Unknown struct {
	Known   []string `json:"known"`   // what was recognised: a line for each layer of Keras'
	Nearest string   `json:"nearest"` // the network that it has most in common with
	Layers  int      `json:"layers"`  // of that network that the graph has too
	Ours    string   `json:"ours"`    // the layer of ours at which they part
	Keras   string   `json:"keras"`   // the same in the graph
	Reason  string   `json:"reason"`
}

func (u *Unknown) Error() string {
	if u.Nearest == "" {
		return "none of the networks that are known: " + u.Reason
	}
	return fmt.Sprintf("none of the networks that are known: %d layers are those of %s, then %s (in the file %s): %s",
		u.Layers, u.Nearest, u.Ours, u.Keras, u.Reason)
}

// candidate is a network of a published GAN.
type candidate struct {
	gan  arch.GAN
	role arch.Role
}

func (c candidate) net() arch.Network {
	if c.role == arch.Generator {
		return c.gan.Generator
	}
	return c.gan.Discriminator
}

func (c candidate) String() string {
	name := c.gan.Name
	if c.gan.Variant != "" {
		name += " " + c.gan.Variant
	}
	return fmt.Sprintf("%s's %s", name, c.role)
}

// candidates lists the networks of the published GANs and of their variants that
// have other ones; of one GAN where it is named.
func candidates(name string) ([]candidate, error) {
	if name != "" {
		if _, err := arch.Find(name, ""); err != nil {
			return nil, err
		}
	}
	var out []candidate
	for _, p := range arch.All() {
		if name != "" && p.Name != name {
			continue
		}
		gans := []arch.GAN{p.GAN}
		for _, v := range p.Variants {
			gan, err := arch.Find(p.Name, v.Name)
			if err != nil {
				return nil, err
			}
			same := func(g arch.GAN) bool {
				return reflect.DeepEqual(g.Generator, gan.Generator) && reflect.DeepEqual(g.Discriminator, gan.Discriminator)
			}
			if !slices.ContainsFunc(gans, same) {
				gans = append(gans, gan)
			}
		}
		for _, gan := range gans {
			out = append(out, candidate{gan, arch.Generator}, candidate{gan, arch.Discriminator})
		}
	}
	return out, nil
}

// identify finds the networks that a graph is. There are several where variants
// of a GAN share one. Where there is none, the error is an [*Unknown].
func identify(n *network, gan string) ([]match, error) {
	all, err := candidates(gan)
	if err != nil {
		return nil, err
	}
	var found []match
	var nearest *Unknown
	closest := -1.0
	for _, c := range all {
		m, unknown, err := c.match(n)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c, err)
		}
		if unknown == nil {
			found = append(found, m)
		} else if like := c.likeness(n) + float64(unknown.Layers)/1000; like > closest {
			nearest, closest = unknown, like
		}
	}
	if len(found) > 0 {
		return found, nil
	}
	nearest.Known = describeAll(n.layers, "")
	return nil, nearest
}

// likeness is how much a network has in common with a graph: the share of the
// layers that both have in this order, and 1 more where their inputs agree.
func (c candidate) likeness(n *network) float64 {
	rows, err := c.net().Rows()
	if err != nil {
		return 0
	}
	rows = slices.DeleteFunc(rows, func(r arch.Row) bool { return r.Layer.Kind() == arch.Dropout{}.Kind() })
	// The longest common subsequence of kinds.
	best := make([][]int, len(rows)+1)
	for i := range best {
		best[i] = make([]int, len(n.layers)+1)
	}
	for i, r := range rows {
		for k, l := range n.layers {
			best[i+1][k+1] = max(best[i][k+1], best[i+1][k])
			if r.Layer.Kind() == l.Kind() {
				best[i+1][k+1] = max(best[i+1][k+1], best[i][k]+1)
			}
		}
	}
	like := 2 * float64(best[len(rows)][len(n.layers)]) / float64(len(rows)+len(n.layers))
	if fitsInputs(c.net(), n) == "" {
		like++
	}
	return like
}

// describe says what a layer is.
func describe(l arch.Layer) string {
	words := []string{l.Kind()}
	switch l := l.(type) {
	case arch.Dense:
		words = append(words, fmt.Sprintf("of %d units", l.Units))
	case arch.Conv2D:
		words = append(words, fmt.Sprintf("of %d filters %dx%d, stride %d", l.Filters, l.Kernel, l.Kernel, l.Stride))
	case arch.ConvTranspose2D:
		words = append(words, fmt.Sprintf("of %d filters %dx%d, stride %d", l.Filters, l.Kernel, l.Kernel, l.Stride))
	case arch.LeakyReLU:
		words = append(words, fmt.Sprintf("of slope %g", l.Slope))
	case arch.Reshape:
		words = append(words, fmt.Sprintf("to %v", []int(l.Shape)))
	case arch.Embedding:
		words = append(words, fmt.Sprintf("of %d classes, %d values", l.Classes, l.Size))
	}
	return strings.Join(words, " ")
}

// describeAll is a line for each layer.
func describeAll(layers []*layer, indent string) (lines []string) {
	for _, l := range layers {
		line := fmt.Sprintf("%s%s: %s", indent, l.name, describe(l.Layer))
		if l.fault != "" {
			line += ": " + l.fault
		}
		lines = append(lines, line)
		lines = append(lines, describeAll(l.label.chain(), indent+"  ")...)
	}
	return lines
}
