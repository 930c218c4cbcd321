package train

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/runtime/latent"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/dataset"
	"github.com/gantrain/gantrain/train/op"
)

// Alternating updates have noise and masks of their own; simultaneous ones
// share one forward pass, so noise and masks too.
func TestFeedsOfThePublishedSteps(t *testing.T) {
	shape := func(n ...int) tensor.Shape { return n }
	mask := func(owner, pass, layer string, update int, n ...int) FeedSpec {
		return FeedSpec{
			Name: "mask/" + owner + "/" + pass + "/" + layer, Kind: DropoutMask, Rate: 0.3,
			Layer: layer, Pass: pass, Update: update, Shape: n,
		}
	}
	for _, c := range []struct {
		name string
		real int
		want []FeedSpec
	}{
		{"guo-mlp", 128, []FeedSpec{
			{Name: "noise/0", Kind: Noise, Noise: 0, Shape: shape(128, 100)},
			{Name: "real", Kind: RealImages, Shape: shape(128, 1, 28, 28)},
			mask("0", "joined", "dropout1", 0, 256, 1024), mask("0", "joined", "dropout2", 0, 256, 512),
			{Name: "rate/0", Kind: LearningRate, Update: 0},
			{Name: "noise/1", Kind: Noise, Noise: 1, Shape: shape(128, 100)},
			mask("1", "fake", "dropout1", 1, 128, 1024), mask("1", "fake", "dropout2", 1, 128, 512),
			{Name: "rate/1", Kind: LearningRate, Update: 1},
		}},
		{"michelucci-dcgan", 96, []FeedSpec{ // the last batch of an epoch
			{Name: "noise/0", Kind: Noise, Noise: 0, Shape: shape(256, 100)},
			{Name: "real", Kind: RealImages, Shape: shape(96, 1, 28, 28)},
			mask("all", "real", "dropout1", 0, 96, 64, 14, 14), mask("all", "real", "dropout2", 0, 96, 128, 7, 7),
			mask("all", "fake", "dropout1", 0, 256, 64, 14, 14), mask("all", "fake", "dropout2", 0, 256, 128, 7, 7),
			{Name: "rate/0", Kind: LearningRate, Update: 0},
			{Name: "rate/1", Kind: LearningRate, Update: 1},
		}},
	} {
		gan, err := arch.Find(c.name, "")
		if err != nil {
			t.Fatal(err)
		}
		plan, err := NewPlan(gan, c.real, tensor.Float32)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, plan.Feeds); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// filled gives the masks, noise and rates of a step.
func filled(t *testing.T, gan arch.GAN, step int) map[string]any {
	t.Helper()
	plan, err := NewPlan(gan, 4, tensor.Float32)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	for name, v := range newFeeder(gan, noiseImages(8), 9, plan.Feeds, nil).fill(step, []int{5, 0, 0, 7}) {
		out[name] = v.Data()
	}
	return out
}

func TestNoiseIsThatOfItsCounters(t *testing.T) {
	for _, distribution := range []latent.Distribution{latent.Normal, latent.Uniform} {
		gan := tiny(func(g *arch.GAN) { g.Latent.Distribution = string(distribution) })
		for _, step := range []int{0, 3} {
			got := filled(t, gan, step)
			for number := range 2 {
				var want []float32
				for i := range 4 { // picture 4·step + i of stream 64 + number
					z := make([]float32, 4)
					latent.Fill(z, distribution, 9, 64+uint64(number), uint64(4*step+i))
					want = append(want, z...)
				}
				if diff := cmp.Diff(want, got[fmt.Sprint("noise/", number)]); diff != "" {
					t.Errorf("%s, step %d, noise %d (-want +got):\n%s", distribution, step, number, diff)
				}
			}
		}
	}
}

func TestRealImagesAreThoseAskedFor(t *testing.T) {
	want := make([]float32, 4*64)
	for i, image := range []int{5, 0, 0, 7} {
		for j, p := range noiseImages(8).Pixels[image*64 : (image+1)*64] {
			want[i*64+j] = float32((float64(p) - 127.5) / 127.5)
		}
	}
	if diff := cmp.Diff(want, filled(t, tiny(), 0)["real"]); diff != "" {
		t.Errorf("real images (-want +got):\n%s", diff)
	}
}

// A feature's decisions, 64 at a time, compare binary fractions with the rate,
// digit by digit: number i's digits are bit i of successive random words, which
// are asked for until every number is told from the rate.
func TestMaskIsThatOfItsNumbers(t *testing.T) {
	for _, rate := range []float64{0, 0.3, 0.5, 0.999999} {
		got := make([]uint8, 1003)
		maskDraw{rate, 9, 130, 7, len(got)}.fill(got)
		random := splitMix(latent.Philox([2]uint64{9, 130}, [4]uint64{0, 0, 7, 1})[0])
		want := make([]uint8, 0, 16*64)
		for range 16 {
			var decided [64]bool
			var kept [64]uint8
			left := 64
			rest := rate
			for left > 0 && rest > 0 { // all digits of the rate behind these are 0: none is below
				word := random.next()
				rest *= 2
				digit := uint64(rest)
				rest -= float64(digit)
				for i := range kept {
					if bit := word >> i & 1; !decided[i] && bit != digit {
						decided[i] = true
						kept[i] = uint8(bit)
						left--
					}
				}
			}
			for i := range kept {
				if !decided[i] { // equal to the rate, so not below it
					kept[i] = 1
				}
			}
			want = append(want, kept[:]...)
		}
		if diff := cmp.Diff(want[:len(got)], got); diff != "" {
			t.Errorf("rate %g (-want +got):\n%s", rate, diff)
		}
	}
}

// The numbers that Vigna's reference implementation gives for the seed 1234567.
// https://prng.di.unimi.it/splitmix64.c
func TestSplitMix(t *testing.T) {
	s := splitMix(1234567)
	for _, want := range []uint64{6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821} {
		if got := s.next(); got != want {
			t.Errorf("%d, want %d", got, want)
		}
	}
}

// A mask is the same whichever way it is laid out, and a feature's decisions
// are the same however many features there are.
func TestMaskLayouts(t *testing.T) {
	const batch, features = 70, 6
	draw := maskDraw{0.5, 9, 130, 7, batch}
	first := make([]uint8, batch*features)
	draw.fill(first)
	order := []int{4, 0, 5, 1, 3, 2}
	last := make([]uint8, len(first))
	draw.fillRows(last, order)
	for i, f := range order {
		alone := make([]uint8, batch)
		draw.fillRows(alone, []int{f})
		for b, want := range alone {
			if last[i*batch+b] != want || first[b*features+f] != want {
				t.Fatalf("feature %d of example %d: %d with the batch last, %d with it first, want %d",
					f, b, last[i*batch+b], first[b*features+f], want)
			}
		}
		if i > 0 && bytes.Equal(alone, last[:batch]) {
			t.Errorf("features %d and %d have the same decisions", f, order[0])
		}
	}
}

// Masks of 0 and 1, dropping their layer's share, each its own, new at each
// step.
func TestMasks(t *testing.T) {
	const n = 3<<14 + 5 // no 64 at the end
	seen := map[string]bool{}
	for _, rate := range []float64{0.3, 0.5, 0.01} {
		for _, place := range [][2]uint64{{128, 0}, {128, 1}, {129, 0}} {
			mask := make([]uint8, n)
			maskDraw{rate, 9, place[0], place[1], n}.fill(mask)
			dropped := bytes.Count(mask, []byte{0})
			if kept := bytes.Count(mask, []byte{1}); kept+dropped != n {
				t.Fatalf("a mask holds bytes other than 0 and 1")
			}
			deviation := math.Sqrt(rate * (1 - rate) / n)
			if share := float64(dropped) / n; math.Abs(share-rate) > 5*deviation {
				t.Errorf("rate %g drops %g of the values", rate, share)
			}
			again := make([]uint8, n)
			maskDraw{rate, 9, place[0], place[1], n}.fill(again)
			if !bytes.Equal(mask, again) {
				t.Error("the same counters give another mask")
			}
			if seen[string(mask)] {
				t.Errorf("rate %g: stream %d at step %d repeats a mask", rate, place[0], place[1])
			}
			seen[string(mask)] = true
		}
	}
}

// The decisions are independent: neighbours are both dropped as often as
// chance has it, whether they come from the same random words or not.
func TestMaskDecisionsAreIndependent(t *testing.T) {
	const n, rate = 1 << 16, 0.3
	mask := make([]uint8, n)
	maskDraw{rate, 1, 128, 0, n}.fill(mask)
	for _, distance := range []int{1, 3, 16, 64} {
		both := 0
		for i := range n - distance {
			if mask[i]+mask[i+distance] == 0 {
				both++
			}
		}
		got, want := float64(both)/n, rate*rate
		if math.Abs(got-want) > 6*math.Sqrt(want*(1-want)/n) { // pairs overlap: six standard errors of independent ones
			t.Errorf("values %d apart are both dropped with %g, want %g", distance, got, want)
		}
	}
}

func TestMasksOfAStepDiffer(t *testing.T) {
	first, second := filled(t, tiny(), 0), filled(t, tiny(), 1)
	var all [][]uint8
	for name, v := range first {
		if mask, ok := v.([]uint8); ok {
			all = append(all, mask, second[name].([]uint8))
		}
	}
	if len(all) != 2*5 { // per step: real and fake in D's update, fake in G's, and one of G's own in each
		t.Fatalf("%d masks in two steps", len(all))
	}
	for i := range all {
		for j := range i {
			n := min(len(all[i]), len(all[j]))
			if slices.Equal(all[i][:n], all[j][:n]) {
				t.Errorf("masks %d and %d begin alike", i, j)
			}
		}
	}
}

// The correction counts a network's updates, not the steps.
func TestRateCountsUpdates(t *testing.T) {
	gan := tiny(func(g *arch.GAN) {
		g.Recipe.Updates = []arch.Update{
			{Trains: arch.Generator, FakeLabel: 1},
			{Trains: arch.Discriminator, RealLabel: 1},
			{Trains: arch.Generator, Noise: 1, FakeLabel: 1},
		}
		g.Recipe.Adam[arch.Generator] = arch.Adam{Rate: 3e-4, Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-7}
	})
	for step := range 3 {
		got := filled(t, gan, step)
		for update, count := range []int{2*step + 1, step + 1, 2*step + 2} {
			a := gan.Recipe.Adam[gan.Recipe.Updates[update].Trains]
			want := float32(op.AdamRate(a.Rate, a.Beta1, a.Beta2, count))
			if got := got[fmt.Sprint("rate/", update)]; got != want {
				t.Errorf("step %d, update %d: rate %v, want %v", step, update, got, want)
			}
		}
	}
}

func TestDrawWithReplacementIsTheCounters(t *testing.T) {
	trainer := tinyTrainer(t, tiny(func(g *arch.GAN) { g.Recipe.Sampling = arch.Replacement }), 9)
	if trainer.StepsPerEpoch() != 2 {
		t.Errorf("%d steps an epoch, want 2", trainer.StepsPerEpoch())
	}
	for step := range 3 {
		want := make([]int, 4)
		dataset.Draw(want, 9, 1, 3, uint64(step))
		if diff := cmp.Diff(want, trainer.draw(step)); diff != "" {
			t.Errorf("step %d (-want +got):\n%s", step, diff)
		}
	}
}
