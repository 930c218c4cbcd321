package keras

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gantrain/gantrain/train/arch"
)

// Fixture is a recording of a few training steps by Keras, a .npz file: where
// they start, what they are fed, their losses, and where they end, for one or
// more variants of a GAN's recipe. The file training.json in the folder above
// says for each variant how it trains and how closely others can follow.
type Fixture struct {
	archive  *archive
	tensors  map[string][]int // the shapes of those at the start, by Keras' names
	gan      arch.GAN         // as the file's tensors have it, with the usual recipe
	steps    int
	batch    int
	variants map[string]variant
}

// variant is what training.json says of a variant.
type variant struct {
	Settings settings `json:"settings"`
	// LossNoise is how far the losses of Keras' own float32 run are from its
	// float64 run.
	LossNoise float64 `json:"loss_noise32"`
	// Tolerances are those of the tensors at the end, by Keras' names.
	Tolerances map[string]float64 `json:"suggested_weight_tol"`
}

// settings are what a variant has otherwise than the usual recipe.
type settings struct {
	Dropout string  `json:"dropout"` // "mask", as recorded, or "none"
	Recipe  string  `json:"recipe"`  // of the conditional GAN: "half" or "sum"
	Sparse  bool    `json:"sparse"`  // TensorFlow's gradients of embeddings
	BN      *bool   `json:"bn"`      // whether the generator has its BatchNorm
	GRate   float64 `json:"g_lr"`    // the generator's learning rate
	GBeta1  float64 `json:"g_b1"`
}

// UnmarshalJSON refuses settings that nobody here knows how to follow.
func (s *settings) UnmarshalJSON(text []byte) error {
	type plain settings
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode((*plain)(s)); err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	if s.Dropout != "" && s.Dropout != "mask" && s.Dropout != "none" {
		return fmt.Errorf(`settings: dropout is %q, want "mask" or "none"`, s.Dropout)
	}
	if s.Recipe != "" && recipes[s.Recipe] == "" {
		return fmt.Errorf(`settings: recipe is %q, want "half" or "sum"`, s.Recipe)
	}
	return nil
}

// recipes are our names of what the settings call recipe.
var recipes = map[string]string{"half": "half-batches", "sum": "sum"}

const (
	maxSettings = 1 << 22 // bytes of training.json
	maxSteps    = 1000
)

// OpenFixture opens a recording and finds the GAN whose tensors it has.
func OpenFixture(path string) (*Fixture, error) {
	a, err := openArchive(path)
	if err != nil {
		return nil, err
	}
	f := &Fixture{archive: a}
	if err := f.describe(); err != nil {
		a.Close()
		return nil, err
	}
	return f, nil
}

// Close closes the file.
func (f *Fixture) Close() error { return f.archive.Close() }

// GAN is the one that the file's tensors belong to, with its usual recipe.
func (f *Fixture) GAN() arch.GAN { return f.gan }

// Variants lists the variants of the recipe that are recorded.
func (f *Fixture) Variants() []string { return slices.Sorted(maps.Keys(f.variants)) }

func (f *Fixture) describe() error {
	var err error
	if f.tensors, err = f.start(); err != nil {
		return err
	}
	if f.gan, err = recognise(f.tensors); err != nil {
		return fmt.Errorf("%s: %w", f.archive.path, err)
	}
	path := filepath.Join(filepath.Dir(f.archive.path), "..", "training.json")
	if err := f.settings(path); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// settings reads training.json.
func (f *Fixture) settings(path string) error {
	text, err := readSome(path, maxSettings)
	if err != nil {
		return err
	}
	var all struct {
		Steps int                           `json:"steps"`
		Batch int                           `json:"batch"`
		Archs map[string]map[string]variant `json:"archs"`
	}
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	if all.Steps < 1 || all.Steps > maxSteps || all.Batch < 1 || all.Batch > arch.MaxBatch {
		return fmt.Errorf("%d steps of batch %d, want 1 to %d of 1 to %d", all.Steps, all.Batch, maxSteps, arch.MaxBatch)
	}
	f.steps, f.batch, f.variants = all.Steps, all.Batch, all.Archs[f.gan.Name]
	if len(f.variants) == 0 {
		return fmt.Errorf("says nothing of %s, whose tensors %s holds", f.gan.Name, filepath.Base(f.archive.path))
	}
	return nil
}

// start reads the shapes of the tensors that training starts from.
func (f *Fixture) start() (map[string][]int, error) {
	out := map[string][]int{}
	for name := range f.archive.files {
		keras, ok := strings.CutPrefix(name, "init.")
		if !ok {
			continue
		}
		a, err := f.archive.read(name)
		if err != nil {
			return nil, err
		}
		out[keras] = a.shape
	}
	return out, nil
}

// recognise finds the published GAN that has just these tensors, at any width.
func recognise(tensors map[string][]int) (arch.GAN, error) {
	misfit := fmt.Errorf("its %d tensors init.* are those of no published GAN", len(tensors))
	for _, p := range arch.All() {
		variants := []string{""}
		for _, v := range p.Variants {
			variants = append(variants, v.Name)
		}
		for _, v := range variants {
			gan, err := arch.Find(p.Name, v)
			if err != nil {
				return arch.GAN{}, err
			}
			all, err := allParams(gan)
			if err != nil {
				return arch.GAN{}, err
			}
			if len(all) != len(tensors) || slices.ContainsFunc(all, func(k param) bool { return tensors[k.keras] == nil }) {
				continue
			}
			if gan, err = fit(gan, tensors); err == nil {
				return gan, nil
			}
			misfit = err
		}
	}
	return arch.GAN{}, misfit
}

// allParams lists the parameters of both networks.
func allParams(gan arch.GAN) ([]param, error) {
	g, err := params(arch.Generator, gan.Generator)
	if err != nil {
		return nil, err
	}
	d, err := params(arch.Discriminator, gan.Discriminator)
	return append(g, d...), err
}

// fit gives the layers of a GAN the widths that its tensors have in Keras.
func fit(gan arch.GAN, tensors map[string][]int) (arch.GAN, error) {
	for _, part := range []struct {
		role arch.Role
		net  *arch.Network
	}{{arch.Generator, &gan.Generator}, {arch.Discriminator, &gan.Discriminator}} {
		rows, err := part.net.Rows()
		if err != nil {
			return gan, err
		}
		f := fitter{tensors: tensors, letter: letters[part.role], names: layerNames(rows)}
		if part.net.Layers, err = f.fit(rows, part.net.Input); err != nil {
			return gan, fmt.Errorf("%s: %s: %w", gan.Name, part.role, err)
		}
	}
	if err := gan.Check(); err != nil {
		return gan, err
	}
	all, err := allParams(gan)
	if err != nil {
		return gan, err
	}
	for _, p := range all {
		if got := tensors[p.keras]; !slices.Equal(got, p.shape) {
			return gan, fmt.Errorf("%s: tensor %s has shape %v, want %v", gan.Name, p.keras, got, p.shape)
		}
	}
	return gan, nil
}

// fitter finds the kernels of a network's layers.
type fitter struct {
	tensors map[string][]int
	letter  string
	names   map[string]string
}

// width is the size of an axis of a layer's kernel, which has so many axes.
func (f fitter) width(layer, kernel string, axes, axis int) (int, error) {
	name := fmt.Sprintf("%s.%s.%s", f.letter, f.names[layer], kernel)
	shape := f.tensors[name]
	if len(shape) != axes {
		return 0, fmt.Errorf("tensor %s has shape %v, want %d axes", name, shape, axes)
	}
	return shape[axis], nil
}

// fit rebuilds layers that are fed with examples of a shape.
func (f fitter) fit(rows []arch.Row, in arch.Shape) (arch.Layers, error) {
	var layers arch.Layers
	for _, r := range rows {
		layer := r.Layer
		var err error
		switch l := layer.(type) {
		case arch.Dense:
			l.Units, err = f.width(r.Name, "kernel", 2, 1)
			layer = l
		case arch.Conv2D:
			l.Filters, err = f.width(r.Name, "kernel", 4, 3)
			layer = l
		case arch.ConvTranspose2D:
			l.Filters, err = f.width(r.Name, "kernel", 4, 2)
			layer = l
		case arch.Embedding:
			l.Size, err = f.width(r.Name, "embeddings", 2, 1)
			layer = l
		case arch.Reshape:
			if pixels := l.Shape[1:].Size(); l.Shape.Picture() && in.Size()%pixels == 0 {
				l.Shape = append(arch.Shape{in.Size() / pixels}, l.Shape[1:]...)
			}
			layer = l
		case arch.Condition:
			l.Layers, err = f.fit(r.Rows, nil)
			layer = l
		}
		if err != nil {
			return nil, err
		}
		if in, err = layer.Output(in); err != nil {
			return nil, fmt.Errorf("layer %s: %w", r.Name, err)
		}
		layers = append(layers, layer)
	}
	return layers, nil
}

// recipe is the GAN with a variant's recipe, or the reason why the trainer does
// not follow it.
func (f *Fixture) recipe(name string) (gan arch.GAN, unfollowed string, err error) {
	s := f.variants[name].Settings
	if s.Sparse {
		return gan, "TensorFlow's sparse gradient of an embedding, which does not add up the rows of a label that repeats", nil
	}
	as := f.gan.Variant
	switch {
	case s.Recipe != "":
		as = recipes[s.Recipe]
	case s.BN != nil && !*s.BN:
		as = "nobn"
	}
	if gan, err = arch.Find(f.gan.Name, as); err != nil {
		return gan, "", err
	}
	if gan, err = fit(gan, f.tensors); err != nil {
		return gan, "", err
	}
	gan.Recipe.Batch = f.batch
	if s.Dropout == "none" {
		gan.Generator.Layers, gan.Discriminator.Layers = withoutDropout(gan.Generator.Layers), withoutDropout(gan.Discriminator.Layers)
	}
	a := gan.Recipe.Adam[arch.Generator]
	if s.GRate != 0 {
		a.Rate = s.GRate
	}
	if s.GBeta1 != 0 {
		a.Beta1 = s.GBeta1
	}
	gan.Recipe.Adam[arch.Generator] = a
	return gan, "", gan.Check()
}

// withoutDropout lets every value through, under the names of the layers.
func withoutDropout(layers arch.Layers) arch.Layers {
	layers = slices.Clone(layers)
	for i, l := range layers {
		if _, ok := l.(arch.Dropout); ok {
			layers[i] = arch.Dropout{}
		}
	}
	return layers
}
