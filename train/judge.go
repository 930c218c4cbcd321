package train

import (
	"math"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/nn"
)

// judgedExamples is how many real and how many generated examples a histogram is
// made of, at least, and as many as the grid has.
const judgedExamples = 256

// judge returns the probabilities at which the discriminator, in inference mode,
// takes real and generated examples for real. It is shown equally many, in
// batches of the grid's size, or of madeAtOnce.
func (t *Trainer) judge() (real, fake []float64, err error) {
	if err := t.Store(); err != nil {
		return nil, nil, err
	}
	gan := t.Model.GAN
	grid := gan.Grid.Rows * gan.Grid.Columns
	size := min(grid, madeAtOnce)
	generator, err := nn.NewInference(arch.Generator, gan.Generator, t.Model.Weights(arch.Generator), size)
	if err != nil {
		return nil, nil, err
	}
	discriminator, err := nn.NewInference(arch.Discriminator, gan.Discriminator, t.Model.Weights(arch.Discriminator), size)
	if err != nil {
		return nil, nil, err
	}
	batches := (max(judgedExamples, grid) + size - 1) / size
	index := t.spacedOut(batches * size)
	examples := t.examples(index)
	z := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(size, gan.Latent.Size))
	for i := range batches {
		// Labels go to networks that take them.
		inTurn := func(j int) int { return (i*size + j) % gan.Classes }
		asked, same := t.labelled(gan.Generator, size, inTurn), t.labelled(gan.Discriminator, size, inTurn)
		theirs := t.labelled(gan.Discriminator, size, func(j int) int { return t.data.Label(index[i*size+j]) })
		x, err := examples.Slice(tensor.S(i*size, (i+1)*size))
		if err != nil {
			return nil, nil, err
		}
		fillNoise(floats(z), gan.Latent, t.Model.Seed, pictureStream, uint64(i*size))
		made, err := generator.Run(append([]*tensor.Dense{z}, asked...)...)
		if err != nil {
			return nil, nil, err
		}
		if real, err = probabilities(real, discriminator, append([]*tensor.Dense{x.Materialize().(*tensor.Dense)}, theirs...)); err != nil {
			return nil, nil, err
		}
		if fake, err = probabilities(fake, discriminator, append([]*tensor.Dense{made[0]}, same...)); err != nil {
			return nil, nil, err
		}
	}
	return real, fake, nil
}

// probabilities adds those that a discriminator gives to a batch.
func probabilities(to []float64, discriminator *nn.Inference, batch []*tensor.Dense) ([]float64, error) {
	out, err := discriminator.Run(batch...)
	if err != nil {
		return nil, err
	}
	last := len(out) - 1 // logit, probability, or both
	for _, v := range floats(out[last]) {
		p := float64(v)
		if discriminator.Outputs[last].Name == "logit" {
			p = 1 / (1 + math.Exp(-p))
		}
		to = append(to, p)
	}
	return to, nil
}

// labelled is the label input of a network that takes one, for n examples.
func (t *Trainer) labelled(net arch.Network, n int, class func(i int) int) []*tensor.Dense {
	if !net.Conditional() {
		return nil
	}
	label := tensor.New(tensor.Of(tensor.Int64), tensor.WithShape(n, 1))
	for i := range n {
		labels(label)[i] = int64(class(i))
	}
	return []*tensor.Dense{label}
}

// spacedOut numbers n examples of the data set that lie evenly in it, since it
// may be sorted, by class or by place.
func (t *Trainer) spacedOut(n int) []int {
	index := make([]int, n)
	for i := range index {
		index[i] = i * t.data.Len() / n
	}
	return index
}

// spaced returns so many of them.
func (t *Trainer) spaced(n int) *tensor.Dense { return t.examples(t.spacedOut(n)) }

// examples are those of some numbers, scaled as the networks see them.
func (t *Trainer) examples(index []int) *tensor.Dense {
	gan := t.Model.GAN
	x := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(append([]int{len(index)}, gan.Image...)...))
	t.data.Scale(floats(x), index, gan.Min, gan.Max)
	return x
}
