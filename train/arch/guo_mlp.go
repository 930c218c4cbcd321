package arch

// guoMLP is the MLP GAN of Guo 2020: two stacks of fully connected layers on
// MNIST digits taken as vectors of 784 values.
func guoMLP() Published {
	leaky := LeakyReLU{Slope: 0.2}
	dense := func(units int) Dense { return Dense{Units: units, Init: Glorot} }
	adam := Adam{Rate: 2e-4, Beta1: 0.5, Beta2: 0.999, Epsilon: 1e-7}
	image := Shape{1, 28, 28}
	return Published{
		GAN: GAN{
			Name:    "guo-mlp",
			Title:   "Guo 2020, an MLP GAN for MNIST in Keras",
			Dataset: "mnist",
			Image:   image,
			Min:     -1, Max: 1,
			Latent: Latent{Size: 100, Distribution: "normal"},
			Generator: Network{Input: Shape{100}, Layers: Layers{
				dense(256), leaky,
				dense(512), leaky,
				dense(1024), leaky,
				dense(784), Tanh{},
				Reshape{Shape: image},
			}},
			Discriminator: Network{Input: image, Layers: Layers{
				Flatten{},
				dense(1024), leaky, Dropout{Rate: 0.3},
				dense(512), leaky, Dropout{Rate: 0.3},
				dense(256), leaky,
				dense(1), Sigmoid{},
			}},
			Recipe: Recipe{
				Batch: 128, Epochs: 200, Sampling: Replacement,
				Updates: []Update{
					{Trains: Discriminator, Noise: 0, RealLabel: 0.9, FakeLabel: 0, Joined: true, Predicted: true},
					{Trains: Generator, Noise: 1, FakeLabel: 1},
				},
				Adam: map[Role]Adam{Discriminator: adam, Generator: adam},
			},
			Grid: Grid{Rows: 10, Columns: 10, Inverted: true, Every: 25, Keep: true},
			Sources: Sources{
				Networks:     {Listing, ""},
				LatentSpace:  {Listing, "100 values, normal"},
				Loss:         {Listing, "real images labelled 0.9, one mean over real and generated"},
				Order:        {Listing, "the discriminator, then the generator with fresh noise; dropout stays active in both"},
				Optimiser:    {Listing, "Adam 2e-4 with beta1 0.5 for both, from the generator's own compile line, the rest Keras' defaults; the last compile line sets Keras' default Adam, with which Keras itself collapses: variant literal"},
				Normalising:  {Listing, "none"},
				Initialisers: {Keras, "Glorot uniform, zero bias"},
				Batch:        {Listing, "128, drawn with replacement"},
				Epochs:       {Listing, "200 of 468 steps"},
				Samples:      {Listing, "10x10 on inverted grey, at epoch 1 and every 25th"},
			},
		},
		Variants: []Variant{{
			Name: "literal",
			Doc:  "the generator trained by the listing's last compile line, Keras' default Adam (1e-3, beta1 0.9); it collapses to a few digits",
			change: func(g *GAN) {
				g.Recipe.Adam[Generator] = Adam{Rate: 1e-3, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7}
				g.Sources[Optimiser] = Origin{Listing, "the last compile line"}
			},
		}},
	}
}
