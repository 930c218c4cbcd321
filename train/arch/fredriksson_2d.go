package arch

// fredriksson2D is the GAN of Fredriksson that learns a parabola in the plane:
// its examples are points, not pictures.
func fredriksson2D() Published {
	leaky := LeakyReLU{Slope: 0.2}
	dense := func(units int) Dense { return Dense{Units: units, Init: Glorot} }
	adam := Adam{Rate: 1e-3, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}
	point := Shape{2}
	return Published{GAN: GAN{
		Name:    "fredriksson-2d",
		Title:   "Fredriksson, a GAN for points on a parabola in TensorFlow",
		Dataset: "points",
		Image:   point,
		Latent:  Latent{Size: 2, Distribution: "normal"},
		Generator: Network{Input: Shape{2}, Layers: Layers{
			dense(10), leaky,
			dense(10), leaky,
			dense(2),
		}},
		Discriminator: Network{Input: point, Layers: Layers{
			dense(10), leaky,
			dense(10), leaky,
			dense(1), Sigmoid{},
		}},
		Recipe: Recipe{
			Batch: 32, Epochs: 5000, Sampling: Fixed,
			Updates: []Update{
				{Trains: Discriminator, RealLabel: 1, FakeLabel: 0, Epsilon: 1e-12},
				{Trains: Generator, FakeLabel: 1, Epsilon: 1e-12},
			},
			Adam: map[Role]Adam{Discriminator: adam, Generator: adam},
		},
		Grid: Grid{Rows: 25, Columns: 40, Every: 250, Start: true},
		Sources: Sources{
			Networks:     {Listing, "10 and 10 units in both, the generator's output linear"},
			LatentSpace:  {Choice, "2 values; their distribution is not given: normal"},
			Loss:         {Listing, "-log(p + 1e-12), the sum of two means for the discriminator"},
			Order:        {Listing, "the discriminator, then the generator with the same noise"},
			Optimiser:    {Listing, "Adam 1e-3 for both; betas and epsilon 1e-8 are TensorFlow's defaults"},
			Normalising:  {Listing, "none"},
			Initialisers: {Keras, "Glorot uniform, zero bias"},
			Batch:        {Listing, "32; 1000 points shuffled and cut once, the last batch has 8, and 8 latent vectors"},
			Epochs:       {Listing, "5000"},
			Samples:      {Listing, "before training, every 250 epochs, and at the end; how many is our choice: as many as there are points"},
		},
	}}
}
