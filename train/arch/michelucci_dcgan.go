package arch

// michelucciDCGAN is the convolutional GAN of Michelucci 2022, "An Introduction
// to Generative Adversarial Networks", section 2, for MNIST digits.
func michelucciDCGAN() Published {
	leaky := LeakyReLU{Slope: 0.3} // Keras' default
	norm := BatchNorm{Momentum: 0.99, Epsilon: 1e-3}
	adam := Adam{Rate: 1e-4, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7}
	deconv := func(filters, stride int) ConvTranspose2D {
		return ConvTranspose2D{Filters: filters, Kernel: 5, Stride: stride, NoBias: true, Init: Glorot}
	}
	conv := func(filters int) Conv2D { return Conv2D{Filters: filters, Kernel: 5, Stride: 2, Init: Glorot} }
	image := Shape{1, 28, 28}
	return Published{GAN: GAN{
		Name:    "michelucci-dcgan",
		Title:   "Michelucci 2022, An Introduction to Generative Adversarial Networks, section 2",
		Dataset: "mnist",
		Image:   image,
		Min:     -1, Max: 1,
		Latent: Latent{Size: 100, Distribution: "normal"},
		Generator: Network{Input: Shape{100}, Layers: Layers{
			Dense{Units: 256 * 7 * 7, NoBias: true, Init: Glorot}, norm, leaky,
			Reshape{Shape: Shape{256, 7, 7}},
			deconv(128, 1), norm, leaky,
			deconv(64, 2), norm, leaky,
			deconv(1, 2), Tanh{},
		}},
		Discriminator: Network{Input: image, Layers: Layers{
			conv(64), leaky, Dropout{Rate: 0.3},
			conv(128), leaky, Dropout{Rate: 0.3},
			Flatten{},
			Dense{Units: 1, Init: Glorot},
		}},
		Recipe: Recipe{
			Batch: 256, Epochs: 50, Sampling: Shuffled,
			Updates: []Update{
				{Trains: Discriminator, RealLabel: 1, FakeLabel: 0},
				{Trains: Generator, FakeLabel: 1},
			},
			Simultaneous: true,
			Adam:         map[Role]Adam{Discriminator: adam, Generator: adam},
		},
		Grid: Grid{Rows: 4, Columns: 4, Every: 1},
		Sources: Sources{
			Networks:     {Listing, "listings 1 and 2"},
			LatentSpace:  {Listing, "100 values, normal"},
			Loss:         {Listing, "cross-entropy on logits; the text speaks of a probability"},
			Order:        {Listing, "one forward pass, both gradients, then both updates; the text describes them one after the other"},
			Optimiser:    {Listing, "Adam 1e-4 for both, the rest Keras' defaults"},
			Normalising:  {Keras, "momentum 0.99, epsilon 1e-3, biased variance"},
			Initialisers: {Keras, "Glorot uniform, zero bias"},
			Batch:        {Choice, "256; each epoch shuffled, the last batch has 96 real images and 256 latent vectors"},
			Epochs:       {Choice, "50"},
			Samples:      {Listing, "16 digits from fixed noise; when is our choice: every epoch"},
		},
	}}
}
