package arch

import "slices"

// introMLP is the MLP GAN of "An introduction to GANs" 2022 for MNIST digits.
func introMLP() Published {
	leaky := LeakyReLU{Slope: 0.2}
	dense := func(units int) Dense { return Dense{Units: units, Init: Glorot} }
	adam := Adam{Rate: 2e-4, Beta1: 0.5, Beta2: 0.999, Epsilon: 1e-7}
	image := Shape{1, 28, 28}
	return Published{
		GAN: GAN{
			Name:    "intro-mlp",
			Title:   "An introduction to GANs, 2022, an MLP GAN for MNIST in Keras",
			Dataset: "mnist",
			Image:   image,
			Min:     -1, Max: 1,
			Latent: Latent{Size: 128, Distribution: "normal"},
			Generator: Network{Input: Shape{128}, Layers: Layers{
				dense(256), leaky,
				dense(512), leaky,
				dense(1024), leaky,
				BatchNorm{Momentum: 0.99, Epsilon: 1e-3},
				dense(784), Tanh{},
				Reshape{Shape: image},
			}},
			Discriminator: Network{Input: image, Layers: Layers{
				Flatten{},
				dense(512), leaky,
				dense(256), leaky,
				dense(1), Sigmoid{},
			}},
			Recipe: Recipe{
				Batch: 128, Steps: 20000, Sampling: Replacement,
				Updates: []Update{
					{Trains: Discriminator, Noise: 0, RealLabel: 1, FakeLabel: 0, Joined: true, Predicted: true},
					{Trains: Generator, Noise: 1, FakeLabel: 1},
				},
				Adam: map[Role]Adam{Discriminator: adam, Generator: adam},
			},
			Grid: Grid{Rows: 5, Columns: 5, Steps: 100, Print: 25},
			Sources: Sources{
				Networks:     {Listing, "with the batch normalisation that the text asks for and the listing has lost"},
				LatentSpace:  {Listing, "128 values, normal"},
				Loss:         {Listing, "labels 1 and 0, one mean over real and generated"},
				Order:        {Listing, "the discriminator on predicted images, then the generator with fresh noise"},
				Optimiser:    {Listing, "Adam 2e-4 with beta1 0.5 for all, the rest Keras' defaults"},
				Normalising:  {Choice, "once, before the generator's last layer, with Keras' defaults: the text doesn't say how often; variant nobn has none"},
				Initialisers: {Keras, "Glorot uniform, zero bias"},
				Batch:        {Listing, "128; that they are drawn with replacement is our choice"},
				Epochs:       {Listing, "20,000 steps; 30,000 stands under the results"},
				Samples:      {Listing, "5x5 every 100 steps, losses printed every 25"},
			},
		},
		Variants: []Variant{{
			Name: "nobn",
			Doc:  "the generator as the listing prints it, without batch normalisation",
			change: func(g *GAN) {
				g.Generator.Layers = slices.DeleteFunc(g.Generator.Layers, func(l Layer) bool { return l.Kind() == BatchNorm{}.Kind() })
				g.Sources[Networks] = Origin{Listing, ""}
				g.Sources[Normalising] = Origin{Listing, "none"}
			},
		}},
	}
}
