package train

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/dataset"
)

// An epoch of 10 images in batches of 4 ends with a batch of 2, shows every
// image once, and no two epochs are alike.
func TestShuffledEpochs(t *testing.T) {
	for name, gan := range map[string]arch.GAN{"alternating": tiny(), "simultaneous": tiny(simultaneous)} {
		trainer := tinyTrainer(t, gan, 10)
		if trainer.StepsPerEpoch() != 3 {
			t.Fatalf("%d steps an epoch, want 3", trainer.StepsPerEpoch())
		}
		var orders [][]int
		for epoch := range 3 {
			var order, sizes []int
			for range 3 {
				losses, err := trainer.Step()
				if err != nil {
					t.Fatal(err)
				}
				if len(losses) != 2 {
					t.Fatalf("losses %v, want two", losses)
				}
				order, sizes = append(order, trainer.images...), append(sizes, len(trainer.images))
			}
			if diff := cmp.Diff([]int{4, 4, 2}, sizes); diff != "" {
				t.Errorf("%s, epoch %d: batches (-want +got):\n%s", name, epoch, diff)
			}
			orders = append(orders, slices.Clone(order))
			slices.Sort(order)
			if diff := cmp.Diff([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, order); diff != "" {
				t.Errorf("%s, epoch %d: images (-want +got):\n%s", name, epoch, diff)
			}
		}
		if slices.Equal(orders[0], orders[1]) || slices.Equal(orders[1], orders[2]) {
			t.Errorf("%s: orders %v repeat", name, orders)
		}
	}
}

// Steps from the last batch of an epoch and from whole ones go on from each
// other's weights: both programs share the state.
func TestStepsOfBothSizesMoveOneState(t *testing.T) {
	trainer := tinyTrainer(t, tiny(), 6) // batches of 4 and 2
	before := trainer.Model.State.Clone()
	for step := range 4 {
		if _, err := trainer.Step(); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"generator/dense1/weight", "discriminator/dense1/weight", "discriminator/batchnorm1/mean"} {
			if slices.Equal(floats(before[name]), floats(trainer.Model.State[name])) {
				t.Errorf("step %d leaves %s as it was", step, name)
			}
		}
		before = trainer.Model.State.Clone()
	}
	if len(trainer.programs) != 2 {
		t.Errorf("%d programs compiled, want 2", len(trainer.programs))
	}
}

// A trainer made of a model goes on as the one that made the model would have.
func TestTrainingGoesOnFromAModel(t *testing.T) {
	for name, gan := range map[string]arch.GAN{
		"alternating": tiny(), "simultaneous": tiny(simultaneous),
		"with replacement": tiny(func(g *arch.GAN) { g.Recipe.Sampling = arch.Replacement }),
	} {
		steps := func(trainer *Trainer, n int) []float64 {
			var all []float64
			for range n {
				losses, err := trainer.Step()
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, losses...)
			}
			return all
		}
		whole := tinyTrainer(t, gan, 10)
		losses := steps(whole, 7)
		first := tinyTrainer(t, gan, 10)
		parts := steps(first, 4)
		copied := *first.Model
		copied.State = first.Model.State.Clone()
		second, err := NewTrainer(&copied, noiseImages(10), Options{Engine: Tape})
		if err != nil {
			t.Fatal(err)
		}
		closeAfter(t, second)
		parts = append(parts, steps(second, 3)...)
		if diff := cmp.Diff(losses, parts); diff != "" || !same(whole.Model.State, second.Model.State) {
			t.Errorf("%s: the second half goes another way; losses (-whole +parts):\n%s", name, diff)
		}
	}
}

func TestDivergence(t *testing.T) {
	for name, value := range map[string]float64{"NaN": math.NaN(), "infinity": math.Inf(1)} {
		trainer := tinyTrainer(t, tiny(), 8)
		if _, err := trainer.Step(); err != nil {
			t.Fatal(err)
		}
		floats(trainer.Model.State["discriminator/dense1/bias"])[0] = float32(value)
		_, err := trainer.Step()
		diverged, ok := errors.AsType[*Diverged](err)
		if !ok || diverged.Step != 2 || !strings.HasPrefix(err.Error(), "train: step 2: the losses are [") {
			t.Errorf("%s: error %v, want divergence at step 2", name, err)
		}
	}
}

func TestTrainerRefusals(t *testing.T) {
	coloured := noiseImages(9)
	coloured.Channels, coloured.Height = 3, 8
	tall := &dataset.Images{Name: "tall", Channels: 1, Height: 16, Width: 4, Pixels: make([]byte, 640)}
	replacement := func(g *arch.GAN) { g.Recipe.Sampling = arch.Replacement }
	for _, c := range []struct {
		gan  arch.GAN
		data *dataset.Images
		want string
	}{
		{tiny(), coloured, "train: noise: images are [3 8 8], tiny takes [1 8 8] [channels height width]"},
		{tiny(), tall, "train: tall: images are [1 16 4], tiny takes [1 8 8] [channels height width]"},
		{tiny(replacement), noiseImages(3), "train: noise: 3 images make no batch of 4"},
		{tiny(), noiseImages(0), "train: noise: 0 images make no batch of 4"},
		{tiny(func(g *arch.GAN) { g.Recipe.Batch = 0 }), noiseImages(3), "train: tiny: recipe: batch of 0, want 1 to 65536"},
	} {
		if _, err := NewTrainer(tinyModel(t, c.gan), c.data, Options{}); err == nil || err.Error() != c.want {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}

// Samples are what the exported generator makes of pictures 0, 1, ... of the
// seed, with the weights of the moment.
func TestSamplesFollowTheWeights(t *testing.T) {
	trainer := tinyTrainer(t, tiny(), 8)
	make := func() *tensor.Dense {
		images, err := trainer.Samples()
		if err != nil {
			t.Fatal(err)
		}
		return images
	}
	first := make()
	if diff := cmp.Diff([]int{4, 1, 8, 8}, []int(first.Shape())); diff != "" {
		t.Errorf("shape (-want +got):\n%s", diff)
	}
	if !slices.Equal(floats(first), floats(make())) {
		t.Error("the same weights give other samples")
	}
	if _, err := trainer.Step(); err != nil {
		t.Fatal(err)
	}
	if slices.Equal(floats(first), floats(make())) {
		t.Error("a step later the samples are the same")
	}
}
