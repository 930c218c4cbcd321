package keras

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/nn"
)

// match is a network of ours that a graph is, at the graph's width.
type match struct {
	gan   arch.GAN // as published, with the variant that has such a network
	role  arch.Role
	net   arch.Network
	pairs []pair
}

// matcher compares a network of ours with a graph, layer by layer.
type matcher struct {
	role    arch.Role
	pairs   []pair
	unknown *Unknown // where they part
}

func (c candidate) match(n *network) (match, *Unknown, error) {
	net := c.net()
	rows, err := net.Rows()
	if err != nil {
		return match{}, nil, err
	}
	m := &matcher{role: c.role}
	if reason := fitsInputs(net, n); reason != "" {
		var names []string
		for _, in := range n.inputs {
			names = append(names, brief(in.name))
		}
		u := &Unknown{Nearest: c.String(), Ours: fmt.Sprintf("the %s's input", c.role), Keras: strings.Join(names, ", "), Reason: reason}
		return match{}, u, nil
	}
	layers, rest := m.stack(rows, n.layers, n.stop)
	switch {
	case m.unknown != nil:
	case len(rest) > 0:
		m.part("the end", rest[0].name, fmt.Sprintf("goes on with %s", describe(rest[0].Layer)))
	case n.stop != nil:
		m.part("the end", n.stop.node, n.stop.err.Error())
	case len(n.outputs) > 2 || len(n.outputs) == 2 && !net.Logit:
		m.part("the end", n.outputs[1].name, fmt.Sprintf("%d outputs", len(n.outputs)))
	default:
		m.outputs(n.outputs)
	}
	if m.unknown != nil {
		m.unknown.Nearest = c.String()
		return match{}, m.unknown, nil
	}
	net.Layers = layers
	out := match{c.gan, c.role, net, nil}
	// The rows again, at the graph's width.
	if rows, err = net.Rows(); err != nil {
		return match{}, nil, err
	}
	out.pairs = widened(m.pairs, rows)
	return out, nil, nil
}

// outputs checks that pictures come out as Keras lays them out.
func (m *matcher) outputs(all []output) {
	for _, o := range all {
		if strings.Contains(o.axes, "C") && wide(o.axes, o.dims) != wide("HWC", o.inOrder("HWC")) {
			m.part("the output", o.name, fmt.Sprintf("a picture laid out as %s, want H, W, C", spread(o.axes)))
		}
	}
}

// widened gives pairs the rows of the same layers at another width.
func widened(pairs []pair, rows []arch.Row) []pair {
	byName := map[string]arch.Row{}
	for _, r := range rows {
		byName[r.Name] = r
		for _, inner := range r.Rows {
			byName[inner.Name] = inner
		}
	}
	for i, p := range pairs {
		pairs[i].row = byName[p.row.Name]
	}
	return pairs
}

// fitsInputs holds what a graph is fed against what a network takes.
func fitsInputs(net arch.Network, n *network) string {
	var x, label []input
	for _, in := range n.inputs {
		if in.label {
			label = append(label, in)
		} else {
			x = append(x, in)
		}
	}
	want := 0
	if net.Conditional() {
		want = 1
	}
	if len(x) != 1 || len(label) != want {
		return fmt.Sprintf("takes %d inputs and %d labels, want 1 and %d", len(x), len(label), want)
	}
	ours := net.Input
	if ours.Picture() && len(x[0].dims) == 3 {
		ours = arch.Shape{ours[1], ours[2], ours[0]}
	}
	flat := ours.Picture() && ours[0] == 1 && len(x[0].dims) == 1 // a channel alone is flat in either layout
	if !slices.Equal(ours, x[0].dims) && !(flat && ours.Size() == x[0].dims[0]) {
		return fmt.Sprintf("takes examples of %v, want %v", x[0].dims, []int(ours))
	}
	return ""
}

func (m *matcher) part(ours, keras, reason string) {
	m.unknown = &Unknown{Ours: ours, Keras: keras, Reason: reason}
	for _, p := range m.pairs {
		if p.layer != nil {
			m.unknown.Layers++
		}
	}
}

// stack holds layers that stand upon each other against those of a graph. It
// returns ours at the graph's width, and those of the graph's that are left.
func (m *matcher) stack(rows []arch.Row, layers []*layer, halt *stop) (arch.Layers, []*layer) {
	var out arch.Layers
	last := lastWeighted(rows)
	for i, r := range rows {
		if _, ok := r.Layer.(arch.Dropout); ok { // gone in inference
			out = append(out, r.Layer)
			continue
		}
		name := nn.LayerName(m.role, r.Name)
		if len(layers) == 0 && halt != nil {
			m.part(name, halt.node, halt.err.Error())
			return nil, nil
		}
		var l *layer
		if len(layers) > 0 {
			l = layers[0]
		}
		if l == nil || l.Kind() != r.Layer.Kind() {
			merged := false
			switch {
			case implied(rows, i):
			case r.Layer.Kind() == arch.BatchNorm{}.Kind() && m.absorbs():
				merged = true
			case l == nil:
				m.part(name, "its end", "ends before "+describe(r.Layer))
				return nil, nil
			default:
				m.part(name, l.name, fmt.Sprintf("is %s, want %s", describe(l.Layer), describe(r.Layer)))
				return nil, nil
			}
			out = append(out, r.Layer)
			m.pairs = append(m.pairs, pair{row: r, merged: merged})
			continue
		}
		layers = layers[1:]
		ours, reason := sized(r.Layer, l.Layer, i < last)
		if reason == "" {
			reason = l.fault
		}
		if reason != "" {
			m.part(name, l.name, reason)
			return nil, nil
		}
		if c, ok := r.Layer.(arch.Condition); ok {
			inner, rest := m.stack(r.Rows, l.label.chain(), nil)
			if m.unknown == nil && len(rest) > 0 {
				m.part(name, rest[0].name, fmt.Sprintf("goes on with %s", describe(rest[0].Layer)))
			}
			if m.unknown != nil {
				return nil, nil
			}
			c.Layers = inner
			ours = c
		}
		out = append(out, ours)
		m.pairs = append(m.pairs, pair{row: r, layer: l})
	}
	return out, layers
}

// implied reports a change of shape at the beginning or end of a network that
// Keras' has not: where there is one channel, a picture is flat as it is.
func implied(rows []arch.Row, i int) bool {
	switch l := rows[i].Layer.(type) {
	case arch.Flatten:
		return i == 0 && rows[i].Input[0] == 1
	case arch.Reshape:
		return i == len(rows)-1 && l.Shape[0] == 1
	}
	return false
}

// absorbs reports whether a BatchNorm was merged into the layer before.
func (m *matcher) absorbs() bool {
	if len(m.pairs) == 0 {
		return false
	}
	before := m.pairs[len(m.pairs)-1].layer
	return before != nil && before.absorbed != ""
}

// lastWeighted is the last layer of a stack that has weights: what it puts out
// has the width of what comes out of the stack.
func lastWeighted(rows []arch.Row) int {
	last := -1
	for i, r := range rows {
		switch r.Layer.(type) {
		case arch.Dense, arch.Conv2D, arch.ConvTranspose2D:
			last = i
		}
	}
	return last
}

// sized gives our layer the width of Keras', or says why it is another one. Widths
// are fixed where free is false.
func sized(ours, keras arch.Layer, free bool) (arch.Layer, string) {
	same := func(want, got int, what string) string {
		if want != got {
			return fmt.Sprintf("%s %d, want %d", what, got, want)
		}
		return ""
	}
	width := func(want, got int, what string) string {
		if free {
			return ""
		}
		return same(want, got, what)
	}
	bias := func(wantNone, gotNone bool) string {
		if wantNone && !gotNone {
			return "has a bias, want none"
		}
		return "" // one that is all zeros is left out by the TensorFlow route
	}
	first := func(reasons ...string) string {
		for _, r := range reasons {
			if r != "" {
				return r
			}
		}
		return ""
	}
	switch o := ours.(type) {
	case arch.Dense:
		k := keras.(arch.Dense)
		reason := first(width(o.Units, k.Units, "units"), bias(o.NoBias, k.NoBias))
		o.Units = k.Units
		return o, reason
	case arch.Conv2D:
		k := keras.(arch.Conv2D)
		reason := first(same(o.Kernel, k.Kernel, "kernel"), same(o.Stride, k.Stride, "stride"), width(o.Filters, k.Filters, "filters"), bias(o.NoBias, k.NoBias))
		o.Filters = k.Filters
		return o, reason
	case arch.ConvTranspose2D:
		k := keras.(arch.ConvTranspose2D)
		reason := first(same(o.Kernel, k.Kernel, "kernel"), same(o.Stride, k.Stride, "stride"), width(o.Filters, k.Filters, "filters"), bias(o.NoBias, k.NoBias))
		o.Filters = k.Filters
		return o, reason
	case arch.BatchNorm:
		if k := keras.(arch.BatchNorm); k.Epsilon != 0 && k.Epsilon != o.Epsilon {
			return o, fmt.Sprintf("epsilon %g, want %g", k.Epsilon, o.Epsilon)
		}
	case arch.LeakyReLU:
		if k := keras.(arch.LeakyReLU); k.Slope != o.Slope {
			return o, fmt.Sprintf("slope %g, want %g", k.Slope, o.Slope)
		}
	case arch.Embedding:
		k := keras.(arch.Embedding)
		reason := same(o.Classes, k.Classes, "classes")
		o.Size = k.Size
		return o, reason
	case arch.Reshape:
		k := keras.(arch.Reshape)
		if !slices.Equal(o.Shape[1:], k.Shape[1:]) || o.Shape[0] == 1 && k.Shape[0] != 1 {
			return o, fmt.Sprintf("makes pictures of %v, want %v", []int(k.Shape), []int(o.Shape))
		}
		return k, ""
	}
	return ours, ""
}
