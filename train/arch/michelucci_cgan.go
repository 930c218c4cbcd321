package arch

// michelucciCGAN is the conditional GAN of Michelucci 2022, "An Introduction to
// Generative Adversarial Networks", section 3: both networks see the digit that
// is asked for as one more channel of the picture.
func michelucciCGAN() Published {
	leaky := LeakyReLU{Slope: 0.2}
	dense := func(units int) Dense { return Dense{Units: units, Init: Glorot} }
	// condition is the class as a picture of one channel.
	condition := func(side int) Condition {
		return Condition{Layers: Layers{
			Embedding{Classes: 10, Size: 50, Init: Uniform(0.05)},
			dense(side * side),
			Reshape{Shape: Shape{1, side, side}},
		}}
	}
	deconv := ConvTranspose2D{Filters: 128, Kernel: 4, Stride: 2, Init: Glorot}
	conv := Conv2D{Filters: 128, Kernel: 3, Stride: 2, Init: Glorot}
	usual := Adam{Rate: 2e-4, Beta1: 0.5, Beta2: 0.999, Epsilon: 1e-7}
	generator := Update{Trains: Generator, Noise: 1, FakeLabel: 1}
	image := Shape{1, 28, 28}
	return Published{
		GAN: GAN{
			Name:    "michelucci-cgan",
			Title:   "Michelucci 2022, An Introduction to Generative Adversarial Networks, section 3",
			Dataset: "mnist",
			Image:   image,
			Min:     -1, Max: 1,
			Latent:  Latent{Size: 100, Distribution: "normal"},
			Classes: 10,
			Generator: Network{Input: Shape{100}, Layers: Layers{
				dense(128 * 7 * 7), leaky,
				Reshape{Shape: Shape{128, 7, 7}},
				condition(7),
				deconv, leaky,
				deconv, leaky,
				Conv2D{Filters: 1, Kernel: 7, Stride: 1, Init: Glorot}, Tanh{},
			}},
			Discriminator: Network{Input: image, Layers: Layers{
				condition(28),
				conv, leaky,
				conv, leaky,
				Flatten{}, Dropout{Rate: 0.4},
				dense(1), Sigmoid{},
			}},
			Recipe: Recipe{
				Batch: 128, Epochs: 50, Sampling: Replacement,
				Updates: []Update{
					{Trains: Discriminator, RealLabel: 0.9, FakeLabel: 0},
					generator,
				},
				Adam: map[Role]Adam{Discriminator: usual, Generator: usual},
			},
			Grid: Grid{Rows: 10, Columns: 10, Every: 1},
			Sources: Sources{
				Networks:     {Listing, "listing 11 for the generator's first layers, figures 6 and 7 for the rest"},
				LatentSpace:  {Listing, "100 values; normal ones, and classes that are uniform for generated images, are our choice"},
				Loss:         {Choice, "the sum of two means, real images labelled 0.9; the document gives no recipe"},
				Order:        {Choice, "the discriminator, then the generator with fresh noise and classes"},
				Optimiser:    {Choice, "Adam 2e-4 with beta1 0.5 for both, as is usual for this network; after ten epochs of three seeds a classifier finds the digit asked for in 92.8%, 94.9% and 92.3% of 10,000 samples; with 1e-4 for the discriminator all are black after 300 steps, with 2e-5 one smudge"},
				Normalising:  {Listing, "none"},
				Initialisers: {Keras, "Glorot uniform, zero bias; embeddings uniform in ±0.05"},
				Batch:        {Choice, "128, drawn with replacement, as is usual for this network"},
				Epochs:       {Choice, "50"},
				Samples:      {Choice, "ten of each class, a row a class, every epoch"},
			},
		},
		Variants: []Variant{{
			Name: "half-batches",
			Doc:  "the recipe that is usual for this network: the discriminator on 64 real images, then on 64 generated ones; Keras itself collapses with it within an epoch",
			change: func(g *GAN) {
				g.Recipe.Updates = []Update{
					{Trains: Discriminator, Only: Real, Half: true, RealLabel: 1},
					{Trains: Discriminator, Only: Fake, Half: true, Predicted: true},
					generator,
				}
				g.Sources[Loss] = Origin{Choice, "real images labelled 1; the document gives no recipe"}
				g.Sources[Order] = Origin{Choice, "the discriminator on half a batch of real images, then on half a batch of generated ones, then the generator"}
			},
		}, {
			Name: "sum",
			Doc:  "one update of the discriminator on whole batches, real images labelled 1",
			change: func(g *GAN) {
				g.Recipe.Updates[0].RealLabel = 1
				g.Sources[Loss] = Origin{Choice, "the sum of two means, real images labelled 1; the document gives no recipe"}
			},
		}},
	}
}
