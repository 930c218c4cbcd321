// Package arch holds the published GANs as data: layers, losses,
// hyper-parameters, and where each of them comes from. Nothing is computed
// here. What a layer does is package nn's business; a GAN of this package can
// be listed, printed and stored beside the weights trained with it.
package arch

import (
	"fmt"
	"slices"
)

// GAN is a generator, a discriminator, and the recipe that trains them.
type GAN struct {
	Name     string  // on the command line: "guo-mlp"
	Variant  string  `json:",omitempty"` // of the recipe; empty for the default
	Title    string  // of the document, with author and year
	Dataset  string  // that it was published with: "mnist"
	Image    Shape   // [channels, height, width]
	Min, Max float64 // the range that pixels are scaled to
	Latent   Latent
	Classes  int `json:",omitempty"` // of the labels that its networks take; 0: none

	Generator     Network // from a latent vector to an image
	Discriminator Network // from an image to a logit or a probability

	Recipe  Recipe
	Grid    Grid
	Sources Sources
}

// Latent describes the generator's input.
type Latent struct {
	Size         int
	Distribution string // as package latent names them: "normal", "uniform"
}

// Network is a stack of layers.
type Network struct {
	Input  Shape // of one example, without the batch axis
	Layers Layers
}

// Shape is the shape of one example: [features] or [channels, height, width].
type Shape []int

// Size is the number of values of a shape.
func (s Shape) Size() int {
	size := 1
	for _, d := range s {
		size *= d
	}
	return size
}

// Grid says which sample pictures a run keeps.
type Grid struct {
	Rows, Columns int  // down each column, the classes of a conditional generator take turns
	Inverted      bool // shown as ink on paper, as the document does
	Every         int  // epochs between two grids; the first epoch has one too
	Keep          bool // whether the checkpoint of that moment stays, as the document saves both networks
}

// Due reports whether a grid is made after that epoch, counted from 1.
func (g Grid) Due(epoch int) bool { return epoch == 1 || epoch%g.Every == 0 }

// Row is one layer of a network as it stands in a table.
type Row struct {
	Name   string // unique in its network: "deconv2"
	Layer  Layer
	Input  Shape
	Output Shape
	Params []Param
	Rows   []Row // of a condition: "condition1/embedding1"; Params has theirs
}

// Count is the number of values in the layer's parameters, statistics included.
func (r Row) Count() int {
	n := 0
	for _, p := range r.Params {
		n += p.Shape.Size()
	}
	return n
}

// Rows names the layers in order, each kind counted from 1, and follows the
// shapes through them. The error names the layer that does not fit.
func (n Network) Rows() ([]Row, error) {
	if err := n.Input.check(); err != nil {
		return nil, fmt.Errorf("input: %w", err)
	}
	return stack("", n.Input, n.Layers)
}

// stack is Rows for layers that stand upon each other, with a prefix for their
// names.
func stack(prefix string, shape Shape, layers Layers) ([]Row, error) {
	var rows []Row
	count := map[string]int{}
	for _, layer := range layers {
		count[layer.Kind()]++
		name := fmt.Sprint(prefix, layer.Kind(), count[layer.Kind()])
		out, err := layer.Output(shape)
		if err == nil {
			err = out.check()
		}
		if err != nil {
			return nil, fmt.Errorf("layer %s: %w", name, err)
		}
		r := Row{Name: name, Layer: layer, Input: shape, Output: out, Params: layer.Params(shape)}
		if l, ok := layer.(Condition); ok {
			r.Rows, _ = l.rows(name + "/") // Output had the error
		}
		rows = append(rows, r)
		shape = out
	}
	return rows, nil
}

// maxSize bounds the values of one example between two layers, and so what a
// stored architecture can make us allocate.
const maxSize = 1 << 26

// maxClasses bounds the labels of a GAN.
const maxClasses = 1 << 10

// maxGrid bounds the rows and columns of a sample grid.
const maxGrid = 100

func (s Shape) check() error {
	size := 1
	for _, d := range s {
		if d < 1 || d > maxSize/size {
			return fmt.Errorf("shape %v is empty or holds more than %d values", s, maxSize)
		}
		size *= d
	}
	if len(s) != 1 && len(s) != 3 {
		return fmt.Errorf("shape %v is neither [features] nor [channels height width]", s)
	}
	return nil
}

// Check reports the first thing that keeps the GAN from being built or trained.
func (g GAN) Check() error {
	for _, part := range []struct {
		name string
		net  Network
		want Shape
	}{{"generator", g.Generator, g.Image}, {"discriminator", g.Discriminator, Shape{1}}} {
		rows, err := part.net.Rows()
		if err != nil {
			return fmt.Errorf("%s: %s: %w", g.Name, part.name, err)
		}
		if len(rows) == 0 || !slices.Equal(rows[len(rows)-1].Output, part.want) {
			return fmt.Errorf("%s: %s: its layers must end in shape %v", g.Name, part.name, part.want)
		}
		if err := g.checkClasses(rows); err != nil {
			return fmt.Errorf("%s: %s: %w", g.Name, part.name, err)
		}
	}
	if g.Classes != 0 && !g.Generator.Conditional() && !g.Discriminator.Conditional() {
		return fmt.Errorf("%s: %d classes, and neither network takes labels", g.Name, g.Classes)
	}
	if !slices.Equal(g.Generator.Input, Shape{g.Latent.Size}) {
		return fmt.Errorf("%s: generator: takes %v, the latent size is %d", g.Name, g.Generator.Input, g.Latent.Size)
	}
	if d := g.Latent.Distribution; d != "normal" && d != "uniform" {
		return fmt.Errorf("%s: latent vectors are %q, want \"normal\" or \"uniform\"", g.Name, d)
	}
	if !slices.Equal(g.Discriminator.Input, g.Image) {
		return fmt.Errorf("%s: discriminator: takes %v, images are %v", g.Name, g.Discriminator.Input, g.Image)
	}
	if !(g.Min < g.Max) {
		return fmt.Errorf("%s: value range [%g, %g] is empty", g.Name, g.Min, g.Max)
	}
	if s := g.Grid; s.Rows < 1 || s.Columns < 1 || s.Every < 1 || s.Rows > maxGrid || s.Columns > maxGrid {
		return fmt.Errorf("%s: a grid of %dx%d samples every %d epochs", g.Name, s.Rows, s.Columns, s.Every)
	}
	if err := g.Recipe.check(); err != nil {
		return fmt.Errorf("%s: recipe: %w", g.Name, err)
	}
	return nil
}
