package arch

// silvaDCGAN is the convolutional GAN of Silva 2018 for the house numbers of
// SVHN.
func silvaDCGAN() Published {
	start := Normal(0.02)
	leaky := LeakyReLU{Slope: 0.2}
	norm := BatchNorm{Momentum: 0.9, Epsilon: 1e-5}
	adam := Adam{Rate: 2e-4, Beta1: 0.5, Beta2: 0.999, Epsilon: 1e-8}
	deconv := func(filters int) ConvTranspose2D {
		return ConvTranspose2D{Filters: filters, Kernel: 5, Stride: 2, Init: start}
	}
	conv := func(filters int) Conv2D { return Conv2D{Filters: filters, Kernel: 5, Stride: 2, Init: start} }
	generator := func(channels int) Network {
		return Network{Input: Shape{100}, Layers: Layers{
			Dense{Units: 512 * 4 * 4, Init: start},
			Reshape{Shape: Shape{512, 4, 4}}, norm, ReLU{},
			deconv(256), norm, ReLU{},
			deconv(128), norm, ReLU{},
			deconv(channels), Tanh{},
		}}
	}
	image := Shape{3, 32, 32}
	return Published{
		GAN: GAN{
			Name:    "silva-dcgan",
			Title:   "Silva 2018, a DCGAN for SVHN in TensorFlow",
			Dataset: "svhn",
			Image:   image,
			Min:     -1, Max: 1,
			Latent:    Latent{Size: 100, Distribution: "uniform"},
			Generator: generator(3),
			Discriminator: Network{Input: image, Layers: Layers{
				conv(64), leaky,
				conv(128), norm, leaky,
				conv(256), norm, leaky,
				Flatten{},
				Dense{Units: 1, Init: start}, Sigmoid{},
			}, Logit: true},
			Recipe: Recipe{
				Batch: 128, Epochs: 5, Sampling: Shuffled,
				Updates: []Update{
					{Trains: Discriminator, RealLabel: 0.9, FakeLabel: 0},
					{Trains: Generator, FakeLabel: 1},
					{Trains: Generator, FakeLabel: 1},
				},
				Adam: map[Role]Adam{Discriminator: adam, Generator: adam},
			},
			Grid: Grid{Rows: 6, Columns: 6, Steps: 100},
			Sources: Sources{
				Networks:     {Listing, "batch normalisation follows the reshape; the discriminator returns a probability and its logit"},
				LatentSpace:  {AuthorCode, "100 values, uniform in [-1, 1]; the article's text calls them normal"},
				Loss:         {Listing, "cross-entropy on logits, real images labelled 0.9"},
				Order:        {AuthorCode, "the discriminator, then the generator twice, all with the same noise"},
				Optimiser:    {AuthorCode, "Adam 2e-4 with beta1 0.5 for both; beta2 0.999 and epsilon 1e-8 are TensorFlow's defaults"},
				Normalising:  {AuthorCode, "momentum 0.9, epsilon 1e-5, one gamma for each channel"},
				Initialisers: {Listing, "N(0, 0.02), zero bias"},
				Batch:        {AuthorCode, "128; each epoch shuffled, 128 latent vectors with the last batch too"},
				Epochs:       {Choice, "5"},
				Samples:      {AuthorCode, "6x6 every 100 steps"},
			},
		},
		Variants: []Variant{{
			Name: "mnist",
			Doc:  "one channel instead of three, for MNIST padded to 32x32, as the article does; its text says that MNIST's pictures are 28x28, its code makes 32x32. Samples are shown without the padding",
			change: func(g *GAN) {
				g.Dataset, g.Image = "mnist", Shape{1, 32, 32}
				g.Generator, g.Discriminator.Input = generator(1), g.Image
				g.Grid.Border = 2
			},
		}},
	}
}
