package train

import "gorgonia.org/tensor"

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
