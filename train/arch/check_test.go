package arch

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// small is a GAN that fits together; each row of TestBroken breaks it.
func small() GAN {
	image := Shape{1, 8, 8}
	adam := Adam{Rate: 1e-3, Beta1: 0.5, Beta2: 0.999, Epsilon: 1e-7}
	return GAN{
		Name: "small", Image: image, Min: -1, Max: 1, Latent: Latent{4, "normal"},
		Generator: Network{Input: Shape{4}, Layers: Layers{
			Dense{Units: 32}, BatchNorm{0.9, 1e-3}, ReLU{}, Reshape{Shape{2, 4, 4}},
			ConvTranspose2D{Filters: 1, Kernel: 5, Stride: 2}, Tanh{},
		}},
		Discriminator: Network{Input: image, Layers: Layers{
			Conv2D{Filters: 3, Kernel: 3, Stride: 2}, LeakyReLU{0.3}, Dropout{0.3}, Flatten{}, Dense{Units: 1}, Sigmoid{},
		}},
		Recipe: Recipe{
			Batch: 4, Epochs: 1, Sampling: Shuffled,
			Updates: []Update{{Trains: Discriminator, RealLabel: 1}, {Trains: Generator, Noise: 1, FakeLabel: 1}},
			Adam:    map[Role]Adam{Generator: adam, Discriminator: adam},
		},
		Grid: Grid{Rows: 2, Columns: 2, Every: 1},
	}
}

func TestBroken(t *testing.T) {
	if err := small().Check(); err != nil {
		t.Fatal(err)
	}
	nan := math.NaN()
	grow := ConvTranspose2D{Filters: 2, Kernel: 5, Stride: 1 << 10}
	generator := func(i int, l Layer) func(*GAN) { return func(g *GAN) { g.Generator.Layers[i] = l } }
	discriminator := func(i int, l Layer) func(*GAN) { return func(g *GAN) { g.Discriminator.Layers[i] = l } }
	recipe := func(change func(*Recipe)) func(*GAN) { return func(g *GAN) { change(&g.Recipe) } }
	adam := func(change func(*Adam)) func(*GAN) {
		return func(g *GAN) {
			a := g.Recipe.Adam[Generator]
			change(&a)
			g.Recipe.Adam[Generator] = a
		}
	}
	for want, change := range map[string]func(*GAN){
		"generator: layer dense1: 0 units":  generator(0, Dense{}),
		"generator: layer dense1: -3 units": generator(0, Dense{Units: -3}),
		"generator: layer dense1: shape [134217728] is empty or holds more than 67108864 values":   generator(0, Dense{Units: 1 << 27}),
		"generator: layer dense1: shape [9223372036854775807] is empty":                            generator(0, Dense{Units: math.MaxInt}),
		"generator: layer batchnorm1: momentum NaN is not in [0, 1)":                               generator(1, BatchNorm{nan, 1e-3}),
		"generator: layer batchnorm1: momentum 1 is not in [0, 1)":                                 generator(1, BatchNorm{1, 1e-3}),
		"generator: layer batchnorm1: epsilon 0 is not above 0":                                    generator(1, BatchNorm{0.9, 0}),
		"generator: layer batchnorm1: epsilon NaN is not above 0":                                  generator(1, BatchNorm{0.9, nan}),
		"generator: layer reshape1: makes [2 4 5] of [32]: 40 values of 32":                        generator(3, Reshape{Shape{2, 4, 5}}),
		"generator: layer reshape1: shape [2 -4 -4] is empty":                                      generator(3, Reshape{Shape{2, -4, -4}}),
		"generator: layer reshape1: shape [4294967296 4294967296 2] is empty or holds more":        generator(3, Reshape{Shape{1 << 32, 1 << 32, 2}}),
		"generator: layer reshape1: shape [4 8] is neither [features] nor [channels height width]": generator(3, Reshape{Shape{4, 8}}),
		"generator: layer deconv1: takes [channels height width], not [32]: reshape before it":     generator(3, Tanh{}),
		"generator: layer deconv1: 0 filters":                                                      generator(4, ConvTranspose2D{Kernel: 5, Stride: 2}),
		"generator: layer deconv1: shape [67108864 8 8] is empty or holds more than":               generator(4, ConvTranspose2D{Filters: 1 << 26, Kernel: 5, Stride: 2}),
		"generator: layer deconv2: shape [2 8192 8192] is empty or holds more":                     generator(5, grow),
		"generator: layer deconv1: kernel of 100000":                                               generator(4, ConvTranspose2D{Filters: 1, Kernel: 100000, Stride: 2}),
		"generator: its layers must end in shape [1 8 8]":                                          generator(4, ConvTranspose2D{Filters: 3, Kernel: 5, Stride: 2}),
		"discriminator: layer conv1: kernel of 0":                                                  discriminator(0, Conv2D{Filters: 3, Stride: 2}),
		"discriminator: layer conv1: stride of 0":                                                  discriminator(0, Conv2D{Filters: 3, Kernel: 3}),
		"discriminator: layer conv1: stride of -2":                                                 discriminator(0, Conv2D{Filters: 3, Kernel: 3, Stride: -2}),
		"discriminator: layer dropout1: rate NaN is not in [0, 1)":                                 discriminator(2, Dropout{nan}),
		"discriminator: layer dropout1: rate 1 is not in [0, 1)":                                   discriminator(2, Dropout{1}),
		"discriminator: layer dropout1: rate -0.1 is not in [0, 1)":                                discriminator(2, Dropout{-0.1}),
		"discriminator: layer dense1: takes a flat input, not [3 4 4]: flatten before it":          discriminator(3, Tanh{}),
		"discriminator: its layers must end in shape [1]":                                          discriminator(4, Dense{Units: 2}),
		"discriminator: input: shape [] is neither":                                                func(g *GAN) { g.Discriminator.Input = nil },
		"generator: its layers must end":                                                           func(g *GAN) { g.Generator.Layers = nil },
		"generator: takes [4], the latent size is 5":                                               func(g *GAN) { g.Latent.Size = 5 },
		`latent vectors are "gaussian", want "normal" or "uniform"`:                                func(g *GAN) { g.Latent.Distribution = "gaussian" },
		"value range [1, 1] is empty":                                                              func(g *GAN) { g.Min = 1 },
		"value range [NaN, 1] is empty":                                                            func(g *GAN) { g.Min = nan },
		"a grid of 0x2 samples":                                                                    func(g *GAN) { g.Grid.Rows = 0 },
		"a grid of 1000x2 samples":                                                                 func(g *GAN) { g.Grid.Rows = 1000 },
		"samples every 0 epochs":                                                                   func(g *GAN) { g.Grid.Every = 0 },
		"samples every -1 steps":                                                                   func(g *GAN) { g.Grid.Steps = -1 },
		"a grid that leaves out 4 pixels at each edge of [1 8 8]":                                  func(g *GAN) { g.Grid.Border = 4 },
		"losses printed every -1 steps":                                                            func(g *GAN) { g.Grid.Print = -1 },
		"generator: gives a logit beside its probability, but does not end in a sigmoid":           func(g *GAN) { g.Generator.Logit = true },
		"recipe: batch of 0, want 1 to 65536":                                                      recipe(func(r *Recipe) { r.Batch = 0 }),
		"recipe: batch of 1099511627776, want 1 to 65536":                                          recipe(func(r *Recipe) { r.Batch = 1 << 40 }),
		"recipe: 0 steps or -1 epochs, want at least 1":                                            recipe(func(r *Recipe) { r.Epochs = -1 }),
		"recipe: -1 steps or 1 epochs, want at least 1":                                            recipe(func(r *Recipe) { r.Steps = -1 }),
		`recipe: sampling "random", want "shuffled", "fixed" or "replacement"`:                     recipe(func(r *Recipe) { r.Sampling = "random" }),
		"recipe: update 2 trains the discriminator again in a simultaneous step": recipe(func(r *Recipe) {
			r.Simultaneous, r.Updates[1] = true, r.Updates[0]
		}),
		"recipe: update 2 sees half of a simultaneous step, which is one forward pass": recipe(func(r *Recipe) {
			r.Simultaneous, r.Updates[1].Half = true, true
		}),
		"recipe: no updates": recipe(func(r *Recipe) { r.Updates = nil }),
		`recipe: update 1 trains "", want "generator" or "discriminator"`:  recipe(func(r *Recipe) { r.Updates[0].Trains = "" }),
		`recipe: update 2 trains "generator", which has no optimiser`:      recipe(func(r *Recipe) { delete(r.Adam, Generator) }),
		"recipe: update 2 has noise 64, which is not in [0, 64)":           recipe(func(r *Recipe) { r.Updates[1].Noise = 64 }),
		"recipe: update 1 has noise -1, which is not in [0, 64)":           recipe(func(r *Recipe) { r.Updates[0].Noise = -1 }),
		"recipe: update 1 has labels 1.5 and 0":                            recipe(func(r *Recipe) { r.Updates[0].RealLabel = 1.5 }),
		"recipe: update 2 has labels 0 and NaN":                            recipe(func(r *Recipe) { r.Updates[1].FakeLabel = nan }),
		"recipe: update 2 has labels 0 and 1, epsilon -1":                  recipe(func(r *Recipe) { r.Updates[1].Epsilon = -1 }),
		"recipe: update 1 has real examples 64, which is not in [0, 64)":   recipe(func(r *Recipe) { r.Updates[0].Real = 64 }),
		"recipe: update 1 trains the discriminator by the generator's min": recipe(func(r *Recipe) { r.Updates[0].Minimax = true }),
		"recipe: phases of one network each in a simultaneous step":        recipe(func(r *Recipe) { r.Simultaneous, r.Phases = true, []Phase{{Generator, 1}} }),
		`recipe: phase 1 trains "both", which no update does`:              recipe(func(r *Recipe) { r.Phases = []Phase{{"both", 1}} }),
		"recipe: phase 2 has 0 steps, want 1 to 1048576":                   recipe(func(r *Recipe) { r.Phases = []Phase{{Generator, 1}, {Discriminator, 0}} }),
		"recipe: a running average that decays by 1, want [0, 1)":          recipe(func(r *Recipe) { r.EMA = 1 }),
		"recipe: a running average that decays by NaN, want [0, 1)":        recipe(func(r *Recipe) { r.EMA = nan }),
		"recipe: generator: learning rate 0 is not in (0, 1]":              adam(func(a *Adam) { a.Rate = 0 }),
		"recipe: generator: learning rate NaN is not in (0, 1]":            adam(func(a *Adam) { a.Rate = nan }),
		"recipe: generator: beta1 1 is not in [0, 1)":                      adam(func(a *Adam) { a.Beta1 = 1 }),
		"recipe: generator: beta2 NaN is not in [0, 1)":                    adam(func(a *Adam) { a.Beta2 = nan }),
		"recipe: generator: epsilon 0 is not above 0":                      adam(func(a *Adam) { a.Epsilon = 0 }),
		`recipe: update 1 has only "true" images, want "real" or "fake"`:   recipe(func(r *Recipe) { r.Updates[0].Only = "true" }),
		"recipe: update 2 has only fake images: it must train":             recipe(func(r *Recipe) { r.Updates[1].Only = Fake }),
		"recipe: update 1 has only real images: it must train":             recipe(func(r *Recipe) { r.Updates[0].Only, r.Updates[0].Joined = Real, true }),
	} {
		gan := small()
		change(&gan)
		if err := gan.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestRowsNameLayersAndShapes(t *testing.T) {
	rows, err := small().Generator.Rows()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows {
		got = append(got, fmt.Sprint(r.Name, r.Output))
	}
	want := []string{"dense1[32]", "batchnorm1[32]", "relu1[32]", "reshape1[2 4 4]", "deconv1[1 8 8]", "tanh1[1 8 8]"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestStepsPerEpochAndGrids(t *testing.T) {
	for _, c := range []struct {
		sampling      Sampling
		images, steps int
	}{
		{Shuffled, 12, 3}, {Shuffled, 13, 4}, {Shuffled, 1, 1}, {Shuffled, 0, 0},
		{Replacement, 12, 3}, {Replacement, 15, 3}, {Replacement, 3, 0}, {Fixed, 13, 4},
	} {
		r := Recipe{Batch: 4, Sampling: c.sampling}
		if got := r.StepsPerEpoch(c.images); got != c.steps {
			t.Errorf("%d images, %s: %d steps, want %d", c.images, c.sampling, got, c.steps)
		}
	}
	three := Recipe{Batch: 4, Sampling: Shuffled, Updates: []Update{{Real: 2}}}
	for images, steps := range map[int]int{12: 1, 14: 1, 15: 2, 24: 2, 2: 0} { // of 12 images, the last one of 3 at least
		if got := three.StepsPerEpoch(images); got != steps {
			t.Errorf("%d images, three batches a step: %d steps, want %d", images, got, steps)
		}
	}
	for _, c := range []struct {
		grid Grid
		due  []int // of steps 0 to 50, 5 an epoch
	}{
		{Grid{Every: 4}, []int{5, 20, 40}},
		{Grid{Every: 4, Start: true}, []int{0, 20, 40}},
		{Grid{Every: 1}, []int{5, 10, 15, 20, 25, 30, 35, 40, 45, 50}},
		{Grid{Steps: 12}, []int{12, 24, 36, 48}},
		{Grid{Steps: 20, Start: true}, []int{0, 20, 40}},
	} {
		var due []int
		for step := range 51 {
			if c.grid.Due(step, 5) {
				due = append(due, step)
			}
		}
		if diff := cmp.Diff(c.due, due); diff != "" {
			t.Errorf("%+v: grids are due after steps (-want +got):\n%s", c.grid, diff)
		}
	}
}
