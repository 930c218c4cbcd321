package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gantrain/gantrain/train"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/dataset"
)

// source is a published data set.
type source struct {
	name  string     // of its command, and in GAN.Dataset
	title string     // its own, which run.json holds
	like  string     // the GAN.Dataset that has its size
	shape arch.Shape // of an example
	gan   string     // that its command trains
	load  func(ctx context.Context, seed uint64) (dataset.Set, error)
}

const parabolaPoints = 1000 // as many as Fredriksson has

var sources = []source{
	{"mnist", "MNIST", "mnist", arch.Shape{1, 28, 28}, "guo-mlp", func(ctx context.Context, _ uint64) (dataset.Set, error) {
		return dataset.MNIST(ctx)
	}},
	{"fashion-mnist", "Fashion-MNIST", "mnist", arch.Shape{1, 28, 28}, "guo-mlp", func(ctx context.Context, _ uint64) (dataset.Set, error) {
		return dataset.FashionMNIST(ctx)
	}},
	{"svhn", "SVHN", "svhn", arch.Shape{3, 32, 32}, "silva-dcgan", func(ctx context.Context, _ uint64) (dataset.Set, error) {
		return dataset.SVHN(ctx)
	}},
	{"points", "parabola", "points", arch.Shape{2}, "fredriksson-2d", func(_ context.Context, seed uint64) (dataset.Set, error) {
		return dataset.Parabola(parabolaPoints, seed, train.DataStream), nil
	}},
}

// sourceOf finds a data set by its name or its title; nil where it is none.
func sourceOf(name string) *source {
	if i := slices.IndexFunc(sources, func(s source) bool { return s.name == name || s.title == name }); i >= 0 {
		return &sources[i]
	}
	return nil
}

// variant is that of a GAN which is made for the data set, empty where the
// usual one is or none.
func (s *source) variant(gan string) string {
	for _, p := range arch.All() {
		if p.Name != gan || p.Dataset == s.like {
			continue
		}
		for _, v := range p.Variants {
			if g, err := arch.Find(gan, v.Name); err == nil && g.Dataset == s.like {
				return v.Name
			}
		}
	}
	return ""
}

// openData opens one's own data at path, or else a published data set, as a GAN
// takes it.
func openData(ctx context.Context, s *source, path string, gan arch.GAN, seed uint64) (dataset.Set, error) {
	open := func() (dataset.Set, error) { return dataset.Open(ctx, path, gan.Image) }
	if path == "" {
		open = func() (dataset.Set, error) { return s.load(ctx, seed) }
	}
	data, err := open()
	if err != nil {
		return nil, err
	}
	if !fits(gan, data.Shape()) {
		name, _ := data.About()
		return nil, misfit(gan, name, data.Shape())
	}
	if images, ok := data.(*dataset.Images); ok && !slices.Equal(images.Shape(), gan.Image) {
		return images.Padded(gan.Image[1])
	}
	return data, nil
}

// fits tells whether a GAN takes examples of a shape, padded by the border that
// its samples are shown without.
func fits(gan arch.GAN, shape arch.Shape) bool {
	if border := gan.Grid.Border; border > 0 && shape.Picture() && gan.Image[1] == gan.Image[2] {
		padded := arch.Shape{shape[0], shape[1] + 2*border, shape[2] + 2*border}
		if slices.Equal(padded, gan.Image) {
			return true
		}
	}
	return slices.Equal(shape, gan.Image)
}

// misfit says which data and which GANs would fit.
func misfit(gan arch.GAN, name string, shape arch.Shape) error {
	var commands, gans []string
	for _, s := range sources {
		if fits(gan, s.shape) {
			commands = append(commands, "'gantrain "+s.name+"'")
		}
	}
	for _, p := range arch.All() {
		for _, v := range append([]arch.Variant{{}}, p.Variants...) {
			if g, err := arch.Find(p.Name, v.Name); err == nil && fits(g, shape) {
				gans = append(gans, p.Name)
				break
			}
		}
	}
	if gans == nil {
		gans = []string{"one of your own, by 'gantrain train'"}
	}
	if commands == nil {
		commands = []string{"your own, by --data"}
	}
	return fmt.Errorf("%s learns from %s, %s holds %s; data for the GAN: %s; GANs for the data: %s",
		gan.Name, examples(gan.Image), name, examples(shape), strings.Join(commands, ", "), strings.Join(gans, ", "))
}

func examples(s arch.Shape) string {
	if s.Picture() {
		return "pictures of " + size(s)
	}
	return fmt.Sprintf("points of %d values", s.Size())
}
