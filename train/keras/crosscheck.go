package keras

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/export/pass"
	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train"
	"github.com/gantrain/gantrain/train/arch"
)

// Options say how a file is checked.
type Options struct {
	GAN       string // that it must be of; "" for any
	Batch     int    // examples
	Seed      uint64 // of the random input
	Tolerance float64
	Against   string // weights of ours: an exported model, a checkpoint or a run; "" for the file's own
	Expect    string // a folder of what Keras itself computed; "" for none
	Runtime   runtime.Options
}

// Report is what a check has found.
type Report struct {
	File      string       `json:"file"`
	GAN       string       `json:"gan,omitempty"`
	Variant   string       `json:"variant,omitempty"`
	Network   arch.Role    `json:"network,omitempty"`
	Width     string       `json:"width,omitempty"`
	Producer  string       `json:"producer"`
	Opset     int64        `json:"opset"`
	Batch     int          `json:"batch"`
	Seed      uint64       `json:"seed"`
	Tolerance float64      `json:"tolerance"`
	Notes     []string     `json:"notes,omitempty"`
	Skipped   []string     `json:"skipped,omitempty"` // checks that could not be made, and why
	Ways      []string     `json:"ways,omitempty"`
	Pairs     []string     `json:"pairs,omitempty"` // of ways, which are called A, B, C and D: "A-B"
	Layers    []LayerCheck `json:"layers,omitempty"`
	Departs   string       `json:"departs,omitempty"`  // the first layer that does
	Tensors   []Tensor     `json:"tensors,omitempty"`  // held against others
	Expected  []Expected   `json:"expected,omitempty"` // outputs held against Keras' own
	Holds     bool         `json:"holds"`

	// Unknown is why the file is none of ours; then there is nothing else.
	Unknown *Unknown `json:"unknown,omitempty"`

	matches []match // several where variants share the network
	weights map[string]*tensor.Dense
}

// LayerCheck is a layer of ours, or an output, with how it compares.
type LayerCheck struct {
	Ours  string `json:"ours"`
	Keras string `json:"keras,omitempty"`
	Shape []int  `json:"shape"` // of ours, the batch included
	// Pairs are the differences, in the order of Report.Pairs; nil where the layer
	// has no value in one of the two ways.
	Pairs []*Difference `json:"pairs"`
	Holds bool          `json:"holds"`
}

// Tensor is a tensor of the file that was held against another one.
type Tensor struct {
	Name  string `json:"name"` // ours
	From  string `json:"from"` // where the other one was read
	Keras string `json:"keras"`
	Shape []int  `json:"shape"`
	Difference
	Holds bool `json:"holds"`
}

// Expected is an output held against what Keras itself computed.
type Expected struct {
	Output string `json:"output"`
	File   string `json:"file"`
	Way    int    `json:"way"` // of Report.Ways
	Difference
	Holds bool `json:"holds"`
}

// Check reads a file that Keras exported, finds out which network it is, and
// holds it against ours, layer by layer.
func Check(ctx context.Context, path string, o Options) (*Report, error) {
	model, err := readModel(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r, err := check(ctx, path, model, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

func check(ctx context.Context, path string, model *onnxpb.ModelProto, o Options) (*Report, error) {
	pass.Prune(model) // so that a runtime sees no more than is read here
	n, err := walk(model.Graph)
	if err != nil {
		return nil, err
	}
	r := &Report{
		File: path, Producer: brief(model.ProducerName + " " + strings.TrimSuffix(model.ProducerVersion, " None")), Opset: opset(model),
		Batch: o.Batch, Seed: o.Seed, Tolerance: o.Tolerance,
	}
	r.matches, err = identify(n, o.GAN)
	if errors.As(err, &r.Unknown) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	m := r.matches[0]
	weights, err := m.transplant()
	if err != nil {
		return nil, err
	}
	state := weights
	r.GAN, r.Variant, r.Network, r.Width = m.gan.Name, m.gan.Variant, m.role, m.width()
	r.Notes, r.Holds, r.weights = m.notes(), true, weights
	if o.Against != "" {
		others, err := readOurs(o.Against, m)
		if err != nil {
			return nil, err
		}
		r.hold(m, weights, others, filepath.Base(o.Against))
		state = others
	}
	ours := &train.Model{GAN: m.whole(), State: state, Seed: o.Seed}
	s := &subject{graph: model, net: n, match: m, model: ours, batch: o.Batch}
	if s.probes, err = m.probes(n); err != nil {
		return nil, err
	}
	s.inputs = ours.Inputs(m.role, o.Batch)
	all, err := s.evaluate(ctx, o.Runtime)
	if err != nil {
		return nil, err
	}
	if s.note != "" {
		r.Notes = append(r.Notes, s.note+"; the models ran on the CPU")
	}
	r.compare(s, all)
	if o.Expect != "" {
		if err := r.expect(ctx, s, weights, o); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func opset(m *onnxpb.ModelProto) int64 {
	for _, o := range m.OpsetImport {
		if o.Domain == "" {
			return o.Version
		}
	}
	return 0
}

// compare fills in the table of layers.
func (r *Report) compare(s *subject, all [ways]evaluation) {
	type pair struct{ a, b way }
	var pairs []pair
	for w := range ways {
		r.Ways = append(r.Ways, w.String())
		for b := w + 1; b < ways; b++ {
			pairs = append(pairs, pair{w, b})
			r.Pairs = append(r.Pairs, fmt.Sprintf("%c-%c", 'A'+w, 'A'+b))
		}
	}
	for i, p := range s.probes {
		c := LayerCheck{Ours: p.ours, Keras: p.layer, Shape: append([]int{s.batch}, p.shape...), Holds: true}
		for _, pair := range pairs {
			a, b := all[pair.a][i], all[pair.b][i]
			if a == nil || b == nil {
				c.Pairs = append(c.Pairs, nil)
				continue
			}
			d := differ(a, b)
			c.Pairs = append(c.Pairs, &d)
			c.Holds = c.Holds && d.Relative <= r.Tolerance
		}
		if !c.Holds && r.Departs == "" {
			r.Departs = c.Ours
		}
		r.Holds = r.Holds && c.Holds
		r.Layers = append(r.Layers, c)
	}
}

// Worst is the largest relative difference of a layer.
func (c LayerCheck) Worst() float64 {
	worst := 0.0
	for _, p := range c.Pairs {
		if p != nil {
			worst = math.Max(worst, p.Relative)
		}
	}
	return worst
}
