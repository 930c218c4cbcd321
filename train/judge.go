package train

import (
	"math"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/nn"
)

// judgedExamples is how many real and how many generated examples a histogram is
// made of, at least.
const judgedExamples = 256

// judge returns the probabilities at which the discriminator, in inference mode,
// takes real and generated examples for real. It is shown equally many, in
// batches of the grid's size, which fits into memory.
func (t *Trainer) judge() (real, fake []float64, err error) {
	if err := t.Store(); err != nil {
		return nil, nil, err
	}
	gan := t.Model.GAN
	size := gan.Grid.Rows * gan.Grid.Columns
	generator, err := nn.NewInference(arch.Generator, gan.Generator, t.Model.weights(arch.Generator), size)
	if err != nil {
		return nil, nil, err
	}
	discriminator, err := nn.NewInference(arch.Discriminator, gan.Discriminator, t.Model.weights(arch.Discriminator), size)
	if err != nil {
		return nil, nil, err
	}
	batches := (judgedExamples + size - 1) / size
	examples := t.spaced(batches * size)
	z := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(size, gan.Latent.Size))
	for i := range batches {
		x, err := examples.Slice(tensor.S(i*size, (i+1)*size))
		if err != nil {
			return nil, nil, err
		}
		fillNoise(floats(z), gan.Latent, t.Model.Seed, pictureStream, uint64(i*size))
		made, err := generator.Run(z)
		if err != nil {
			return nil, nil, err
		}
		if real, err = probabilities(real, discriminator, x.Materialize().(*tensor.Dense)); err != nil {
			return nil, nil, err
		}
		if fake, err = probabilities(fake, discriminator, made[0]); err != nil {
			return nil, nil, err
		}
	}
	return real, fake, nil
}

// probabilities adds those that a discriminator gives to a batch.
func probabilities(to []float64, discriminator *nn.Inference, batch *tensor.Dense) ([]float64, error) {
	out, err := discriminator.Run(batch)
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

// spaced returns n examples of the data set, scaled as the networks see them. They
// lie evenly in it, since it may be sorted, by class or by place.
func (t *Trainer) spaced(n int) *tensor.Dense {
	gan := t.Model.GAN
	index := make([]int, n)
	for i := range index {
		index[i] = i * t.data.Len() / n
	}
	x := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(append([]int{n}, gan.Image...)...))
	t.data.Scale(floats(x), index, gan.Min, gan.Max)
	return x
}
