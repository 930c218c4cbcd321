// Package modelinfo holds what a model file of this toolkit says of itself: the
// key-value pairs in the metadata_props of an ONNX model, which every runtime
// hands to its caller.
package modelinfo

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/gantrain/gantrain/runtime/latent"
)

// The two networks of a GAN, as Info.Network names them.
const (
	Generator     = "generator"
	Discriminator = "discriminator"
)

// Info describes a trained network. The zero value of a field says that it does
// not apply or is not known.
type Info struct {
	Architecture string // as `gantrain list` names it: "guo-mlp"
	Variant      string // "literal"
	Network      string // Generator or Discriminator

	Latent       int                 // components of a latent vector
	Distribution latent.Distribution // theirs; only together with Latent

	Min, Max float64 // the range of a picture's values; both 0 where there are none
	Classes  int     // labels run from 0 to Classes-1
	// ClassNames are what the labels from 0 on stand for, where they have names.
	ClassNames []string

	Dataset        string // what it was trained on: "MNIST"
	DatasetLicence string

	Seed      uint64
	Step      int     // training steps done
	Arguments string  // the flags that change numbers: "batch=64 g-rate=0.0001"
	Average   float64 // the decay of the running average that the weights are; 0 where they are none
}

// The keys carry a prefix: other tools write metadata too, and call their own
// things "classes" or "step".
const (
	keyArchitecture   = "gan.architecture"
	keyVariant        = "gan.variant"
	keyNetwork        = "gan.network"
	keyLatent         = "gan.latent.size"
	keyDistribution   = "gan.latent.distribution"
	keyMin            = "gan.value.min"
	keyMax            = "gan.value.max"
	keyClasses        = "gan.classes"
	keyClassNames     = "gan.classes.names" // as a JSON list
	keyDataset        = "gan.dataset"
	keyDatasetLicence = "gan.dataset.licence"
	keySeed           = "gan.seed"
	keyStep           = "gan.step"
	keyArguments      = "gan.arguments"
	keyAverage        = "gan.average.decay"
)

// largest bounds the sizes that a file may claim; no GAN comes near it.
const largest = 1 << 20

// Map returns the pairs to store in a model. What does not apply is left out;
// seed and step always apply.
func (i Info) Map() map[string]string {
	m := map[string]string{
		keySeed: strconv.FormatUint(i.Seed, 10),
		keyStep: strconv.Itoa(i.Step),
	}
	for key, value := range map[string]string{
		keyArchitecture:   i.Architecture,
		keyVariant:        i.Variant,
		keyNetwork:        i.Network,
		keyDataset:        i.Dataset,
		keyDatasetLicence: i.DatasetLicence,
		keyArguments:      i.Arguments,
	} {
		if value != "" {
			m[key] = value
		}
	}
	if i.Latent != 0 {
		m[keyLatent] = strconv.Itoa(i.Latent)
		m[keyDistribution] = string(i.Distribution)
	}
	if i.Min != 0 || i.Max != 0 {
		m[keyMin] = strconv.FormatFloat(i.Min, 'g', -1, 64)
		m[keyMax] = strconv.FormatFloat(i.Max, 'g', -1, 64)
	}
	if i.Average != 0 {
		m[keyAverage] = strconv.FormatFloat(i.Average, 'g', -1, 64)
	}
	if i.Classes != 0 {
		m[keyClasses] = strconv.Itoa(i.Classes)
	}
	if len(i.ClassNames) > 0 {
		names, _ := json.Marshal(i.ClassNames) // strings can be written
		m[keyClassNames] = string(names)
	}
	return m
}

// Parse reads what Map wrote. A missing key leaves its field zero, an unknown
// one is ignored, and a value that cannot be is an error that names the key.
func Parse(m map[string]string) (Info, error) {
	p := parser{m: m}
	i := Info{
		Architecture:   m[keyArchitecture],
		Variant:        m[keyVariant],
		Network:        p.network(keyNetwork),
		Latent:         p.integer(keyLatent, 1, largest),
		Distribution:   p.distribution(keyDistribution),
		Min:            p.number(keyMin),
		Max:            p.number(keyMax),
		Classes:        p.integer(keyClasses, 1, largest),
		ClassNames:     p.list(keyClassNames),
		Dataset:        m[keyDataset],
		DatasetLicence: m[keyDatasetLicence],
		Seed:           p.seed(keySeed),
		Step:           p.integer(keyStep, 0, math.MaxInt),
		Arguments:      m[keyArguments],
		Average:        p.number(keyAverage),
	}
	_, hasMin := m[keyMin]
	_, hasMax := m[keyMax]
	if hasMin != hasMax || hasMin && i.Min >= i.Max {
		p.fail(keyMin, fmt.Sprintf("a number below %s %q", keyMax, m[keyMax]))
	}
	if len(i.ClassNames) > i.Classes {
		p.fail(keyClassNames, fmt.Sprintf("at most %s %q", keyClasses, m[keyClasses]))
	}
	if p.err != nil {
		return Info{}, p.err
	}
	return i, nil
}

// parser reads single values and keeps the first error.
type parser struct {
	m   map[string]string
	err error
}

func (p *parser) fail(key, want string) {
	if p.err == nil {
		p.err = fmt.Errorf("modelinfo: metadata %s is %q, want %s", key, p.m[key], want)
	}
}

func (p *parser) integer(key string, lowest, highest int) int {
	s, ok := p.m[key]
	if !ok {
		return 0
	}
	v, err := strconv.Atoi(s)
	if err != nil || v < lowest || v > highest {
		p.fail(key, fmt.Sprintf("an integer from %d to %d", lowest, highest))
	}
	return v
}

func (p *parser) number(key string) float64 {
	s, ok := p.m[key]
	if !ok {
		return 0
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		p.fail(key, "a finite number")
	}
	return v
}

func (p *parser) list(key string) (all []string) {
	s, ok := p.m[key]
	if ok && json.Unmarshal([]byte(s), &all) != nil {
		p.fail(key, "a JSON list of texts")
	}
	return all
}

func (p *parser) seed(key string) uint64 {
	s, ok := p.m[key]
	if !ok {
		return 0
	}
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		p.fail(key, "an integer from 0 to 2^64-1")
	}
	return v
}

func (p *parser) distribution(key string) latent.Distribution {
	s, ok := p.m[key]
	if !ok {
		return ""
	}
	d, err := latent.Parse(s)
	if err != nil {
		p.fail(key, fmt.Sprintf("%q or %q", latent.Normal, latent.Uniform))
	}
	return d
}

func (p *parser) network(key string) string {
	s := p.m[key]
	if s != "" && s != Generator && s != Discriminator {
		p.fail(key, fmt.Sprintf("%q or %q", Generator, Discriminator))
	}
	return s
}
