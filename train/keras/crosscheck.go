package keras

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/gantrain/gantrain/export/onnxpb"
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
	GAN       string       `json:"gan"`
	Variant   string       `json:"variant,omitempty"`
	Network   arch.Role    `json:"network"`
	Width     string       `json:"width"`
	Producer  string       `json:"producer"`
	Opset     int64        `json:"opset"`
	Batch     int          `json:"batch"`
	Seed      uint64       `json:"seed"`
	Tolerance float64      `json:"tolerance"`
	Notes     []string     `json:"notes,omitempty"`
	Skipped   []string     `json:"skipped,omitempty"` // checks that could not be made, and why
	Ways      []string     `json:"ways"`
	Layers    []LayerCheck `json:"layers"`
	Departs   string       `json:"departs,omitempty"` // the first layer that does
	Against   string       `json:"against,omitempty"`
	Tensors   []Tensor     `json:"tensors,omitempty"`  // held against others
	Expected  []Expected   `json:"expected,omitempty"` // outputs held against Keras' own
	Holds     bool         `json:"holds"`

	match match
}

// LayerCheck is a layer of ours, or an output, with how it compares.
type LayerCheck struct {
	Ours  string `json:"ours"`
	Keras string `json:"keras,omitempty"`
	Shape []int  `json:"shape"` // of ours, the batch included
	Pairs []Pair `json:"pairs"`
	Holds bool   `json:"holds"`
}

// Pair is two of the ways in which a layer was evaluated.
type Pair struct {
	A int `json:"a"` // of Report.Ways
	B int `json:"b"`
	Difference
}

// Tensor is a tensor of the file that was held against another one.
type Tensor struct {
	Name  string `json:"name"` // ours
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
// holds it against ours, layer by layer. A file that is none of ours is an
// [*Unknown].
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
	n, err := walk(model.Graph)
	if err != nil {
		return nil, err
	}
	found, err := identify(n, o.GAN)
	if err != nil {
		return nil, err
	}
	m := found[0]
	weights, err := m.transplant()
	if err != nil {
		return nil, err
	}
	state, err := train.NewState(m.whole(), o.Seed)
	if err != nil {
		return nil, err
	}
	maps.Copy(state, weights)
	r := &Report{
		File: path, GAN: m.gan.Name, Variant: m.gan.Variant, Network: m.role, Width: m.width(),
		Producer: brief(model.ProducerName + " " + model.ProducerVersion), Opset: opset(model),
		Batch: o.Batch, Seed: o.Seed, Tolerance: o.Tolerance, Notes: m.notes(), Holds: true, match: m,
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
	r.compare(s, all)
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
	var used []way
	for w := range ways {
		if all[w] != nil {
			used = append(used, w)
			r.Ways = append(r.Ways, w.String())
		}
	}
	for i, p := range s.probes {
		c := LayerCheck{Ours: p.ours, Keras: p.layer, Shape: append([]int{s.batch}, p.shape...), Holds: true}
		for a := range used {
			for b := range a {
				x, y := all[used[a]][i], all[used[b]][i]
				if x == nil || y == nil {
					continue
				}
				d := differ(x, y)
				c.Pairs = append(c.Pairs, Pair{a, b, d})
				c.Holds = c.Holds && d.Relative <= r.Tolerance
			}
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
		worst = math.Max(worst, p.Relative)
	}
	return worst
}

var _ = slices.Max[[]int]
