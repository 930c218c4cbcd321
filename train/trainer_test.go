package train

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/dataset"
	"github.com/gantrain/gantrain/train/engine"
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
			for place := range 3 {
				images := trainer.draw(3*epoch + place)
				order, sizes = append(order, images...), append(sizes, len(images))
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

// Fixed batches are those of a shuffled epoch, the same in every one.
func TestFixedBatches(t *testing.T) {
	trainer := tinyTrainer(t, tiny(func(g *arch.GAN) { g.Recipe.Sampling = arch.Fixed }), 10)
	shuffled := tinyTrainer(t, tiny(), 10)
	for step := range 9 {
		if diff := cmp.Diff(shuffled.draw(step%3), trainer.draw(step)); diff != "" {
			t.Errorf("step %d (-want +got):\n%s", step, diff)
		}
	}
}

// With the last of fixed batches there are as few latent vectors, and no vector
// is drawn for two steps.
func TestLatentsOfFixedBatches(t *testing.T) {
	gan, err := arch.Find("fredriksson-2d", "")
	if err != nil {
		t.Fatal(err)
	}
	var all []float32
	for step, size := range []int{32, 8, 32} {
		plan, err := NewPlan(gan, size, tensor.Float32)
		if err != nil {
			t.Fatal(err)
		}
		z := newFeeder(gan, points(40), 1, plan.Feeds, nil).fill(step, make([]int, size))["noise/0"]
		if diff := cmp.Diff([]int{size, 2}, []int(z.Shape())); diff != "" {
			t.Errorf("step %d: noise (-want +got):\n%s", step, diff)
		}
		all = append(all, z.Data().([]float32)...)
	}
	slices.Sort(all)
	if distinct := len(slices.Compact(all)); distinct != 144 {
		t.Errorf("%d values of 144 are distinct", distinct)
	}
}

// recorder keeps what a program is fed with, after the next feed was filled.
type recorder struct {
	engine.Program
	trainer *Trainer
	fed     []map[string]any
}

func (r *recorder) Run(feed engine.Feed) ([]float64, error) {
	if d := r.trainer.ahead; d != nil {
		<-d.done
	}
	r.fed = append(r.fed, contents(feed))
	return r.Program.Run(feed)
}

// contents copies what a feed holds.
func contents(feed engine.Feed) map[string]any {
	out := map[string]any{}
	for name, v := range feed {
		switch x := v.Data().(type) {
		case []float32:
			out[name] = slices.Clone(x)
		case []uint8:
			out[name] = slices.Clone(x)
		case []int64:
			out[name] = slices.Clone(x)
		default:
			out[name] = x
		}
	}
	return out
}

// Every step is fed with its own noise, masks, rates and images, whether they
// were filled ahead or not, over the ends of epochs, after steps that failed,
// and from a step in the middle.
func TestStepsAreFedTheirOwn(t *testing.T) {
	for name, gan := range map[string]arch.GAN{
		"shuffled": tiny(conditional), "with replacement": tiny(func(g *arch.GAN) { g.Recipe.Sampling = arch.Replacement }),
	} {
		trainer := tinyTrainer(t, gan, 10)
		trainer.Model.Step = 2 // a checkpoint's, whose batch is the short one
		records := map[int]*recorder{}
		for step := 2; step < 11; step++ {
			size := trainer.size(step)
			p, err := trainer.switchTo(t.Context(), trainer.kind(step))
			if err != nil {
				t.Fatal(err)
			}
			if records[size] == nil {
				records[size] = &recorder{Program: p.Program, trainer: trainer}
				p.Program = records[size]
			}
			if step == 7 { // the feed that lies ready is another step's
				trainer.wait()
				trainer.fillAhead(step + 2)
			}
			losses, err := trainer.Step()
			if err != nil || len(losses) != len(tinyColumns) {
				t.Fatalf("losses %v, error %v", losses, err)
			}
			plan, err := NewPlan(gan, size, tensor.Float32)
			if err != nil {
				t.Fatal(err)
			}
			images := tinyTrainer(t, gan, 10).draw(step)
			want := contents(newFeeder(gan, noiseImages(10), 1, plan.Feeds, nil).fill(step, images))
			if diff := cmp.Diff(want, records[size].fed[len(records[size].fed)-1]); diff != "" {
				t.Errorf("%s, step %d (-want +fed):\n%s", name, step, diff)
			}
			if trainer.ahead == nil && records[trainer.size(step+1)] != nil {
				t.Errorf("%s: nothing is filled ahead of step %d", name, step+1)
			}
		}
	}
}

func TestCloseWaitsForTheNextFeed(t *testing.T) {
	trainer := tinyTrainer(t, tiny(), 8)
	if _, err := trainer.Step(); err != nil {
		t.Fatal(err)
	}
	trainer.wait()
	slow := &draft{done: make(chan struct{})}
	trainer.ahead = slow
	time.AfterFunc(50*time.Millisecond, func() { close(slow.done) })
	if err := trainer.Close(); err != nil {
		t.Error(err)
	}
	select {
	case <-slow.done:
	default:
		t.Error("a goroutine is left behind")
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
		{tiny(), coloured, "train: noise: its examples are [3 8 8], tiny takes [1 8 8]"},
		{tiny(), tall, "train: tall: its examples are [1 16 4], tiny takes [1 8 8]"},
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
