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
	Image    Shape   // of an example: [channels, height, width], or [values] where it is no picture
	Min, Max float64 // the range that pixels are scaled to; both 0 where there are none
	Latent   Latent
	Classes  int `json:",omitempty"` // of the labels that its networks take; 0: none

	Generator     Network // from a latent vector to an example
	Discriminator Network // from an example to a logit or a probability

	Recipe  Recipe
	Grid    Grid
	Sources Sources `yaml:"-"`
}

// Latent describes the generator's input.
type Latent struct {
	Size         int
	Distribution string // as package latent names them: "normal", "uniform"
}

// Network is a stack of layers.
type Network struct {
	Input  Shape `yaml:"-"` // of one example, without the batch axis
	Layers Layers
	// Logit: the exported model gives what enters the sigmoid that ends the
	// network as well, as the output logit beside probability.
	Logit bool `json:",omitempty"`
}

// Shape is the shape of one example: [features] or [channels, height, width].
type Shape []int

// Picture reports whether examples of the shape are pictures.
func (s Shape) Picture() bool { return len(s) == 3 }

// Size is the number of values of a shape.
func (s Shape) Size() int {
	size := 1
	for _, d := range s {
		size *= d
	}
	return size
}

// Grid says which samples a run keeps. The last step has some in any case.
type Grid struct {
	Rows, Columns int  // as many samples where they are no pictures; down each column, the classes of a conditional generator take turns
	Inverted      bool // shown as ink on paper, as the document does
	Border        int  `json:",omitempty"` // pixels at each edge that are not shown
	Every         int  // epochs between two grids
	Steps         int  `json:",omitempty"` // steps between two grids, instead of Every
	Start         bool `json:",omitempty"` // whether there is one before the first step, and not after the first epoch
	Keep          bool // whether the checkpoint of that moment stays, as the document saves both networks
	Print         int  `json:",omitempty"` // steps between two lines of losses; 0: none
}

// Due reports whether a grid is made when that many steps are done.
func (g Grid) Due(step, perEpoch int) bool {
	switch {
	case step == 0:
		return g.Start
	case g.Steps > 0:
		return step%g.Steps == 0
	}
	epoch := step / perEpoch
	return step%perEpoch == 0 && (epoch%g.Every == 0 || epoch == 1 && !g.Start)
}

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
		if err == nil {
			err = checkParams(layer.Params(shape))
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

const (
	maxGrid       = 100     // rows and columns of a sample grid
	maxGridValues = 1 << 26 // of its samples: 256 MiB
)

// maxParams bounds the values of one array of weights.
const maxParams = 1 << 29

func checkParams(params []Param) error {
	for _, p := range params {
		size := 1
		for _, d := range p.Shape {
			if d > maxParams/size {
				return fmt.Errorf("its %s of %v holds more than %d values", p.Name, p.Shape, maxParams)
			}
			size *= d
		}
	}
	return nil
}

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
		if _, ends := rows[len(rows)-1].Layer.(Sigmoid); part.net.Logit && !ends {
			return fmt.Errorf("%s: %s: gives a logit beside its probability, but does not end in a sigmoid", g.Name, part.name)
		}
	}
	if err := g.checkClasses(); err != nil {
		return fmt.Errorf("%s: %w", g.Name, err)
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
	if err := g.checkRange(); err != nil {
		return fmt.Errorf("%s: %w", g.Name, err)
	}
	if err := g.Grid.check(g.Image); err != nil {
		return fmt.Errorf("%s: %w", g.Name, err)
	}
	if err := g.Recipe.check(); err != nil {
		return fmt.Errorf("%s: recipe: %w", g.Name, err)
	}
	return nil
}

func (g GAN) checkRange() error {
	switch picture := g.Image.Picture(); {
	case picture && !(g.Min < g.Max):
		return fmt.Errorf("value range [%g, %g] is empty", g.Min, g.Max)
	case !picture && (g.Min != 0 || g.Max != 0):
		return fmt.Errorf("value range [%g, %g], which only pictures have", g.Min, g.Max)
	}
	return nil
}

func (g Grid) check(image Shape) error {
	every, unit := g.Every, "epochs"
	if g.Steps != 0 {
		every, unit = g.Steps, "steps"
	}
	switch {
	case g.Rows < 1 || g.Columns < 1 || every < 1 || g.Rows > maxGrid || g.Columns > maxGrid:
		return fmt.Errorf("a grid of %dx%d samples every %d %s", g.Rows, g.Columns, every, unit)
	case g.Rows*g.Columns > maxGridValues/max(1, image.Size()):
		return fmt.Errorf("a grid of %dx%d samples of %v: want at most %d values in all", g.Rows, g.Columns, image, maxGridValues)
	case g.Border < 0 || g.Border > 0 && (!image.Picture() || 2*g.Border >= min(image[1], image[2])):
		return fmt.Errorf("a grid that leaves out %d pixels at each edge of %v", g.Border, image)
	case g.Print < 0:
		return fmt.Errorf("losses printed every %d steps", g.Print)
	}
	return nil
}
