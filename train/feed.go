package train

import (
	"sync"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/runtime/latent"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/dataset"
	"github.com/gantrain/gantrain/train/engine"
	"github.com/gantrain/gantrain/train/op"
)

// feeder fills what a plan wants, into buffers that it keeps.
type feeder struct {
	gan   arch.GAN
	data  *dataset.Images
	seed  uint64
	specs []FeedSpec
	feed  engine.Feed
}

func newFeeder(gan arch.GAN, data *dataset.Images, seed uint64, specs []FeedSpec) *feeder {
	f := &feeder{gan: gan, data: data, seed: seed, specs: specs, feed: engine.Feed{}}
	for _, s := range specs {
		switch s.Kind {
		case LearningRate: // a new scalar at each step
		case DropoutMask:
			f.feed[s.Name] = tensor.New(tensor.Of(tensor.Uint8), tensor.WithShape(s.Shape...))
		default:
			f.feed[s.Name] = tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(s.Shape...))
		}
	}
	return f
}

// fill makes the inputs of a step, counted from 0, with the given real images.
// They are valid until the next call.
func (f *feeder) fill(step int, images []int) engine.Feed {
	mask := uint64(0)
	for _, s := range f.specs {
		switch s.Kind {
		case RealImages:
			f.data.Scale(floats(f.feed[s.Name]), images, f.gan.Min, f.gan.Max)
		case Noise:
			fillNoise(floats(f.feed[s.Name]), f.gan.Latent, f.seed, noiseStream+uint64(s.Noise), uint64(step)*uint64(s.Shape[0]))
		case DropoutMask:
			fillMask(f.feed[s.Name].Data().([]uint8), s.Rate, f.seed, maskStream+mask, uint64(step))
			mask++
		case LearningRate:
			f.feed[s.Name] = gorgonia.NewF32(float32(f.rate(s.Update, step)))
		}
	}
	return f.feed
}

func floats(v gorgonia.Value) []float32 { return v.Data().([]float32) }

// rate is the learning rate of an update, corrected for the number of updates
// that its network has had by then.
func (f *feeder) rate(update, step int) float64 {
	r := f.gan.Recipe
	role := r.Updates[update].Trains
	perStep, before := 0, 0
	for i, u := range r.Updates {
		if u.Trains == role {
			perStep++
			if i < update {
				before++
			}
		}
	}
	a := r.Adam[role]
	return op.AdamRate(a.Rate, a.Beta1, a.Beta2, step*perStep+before+1)
}

// fillNoise fills dst with the latent vectors of pictures first, first+1, ...
func fillNoise(dst []float32, l arch.Latent, seed, stream, first uint64) {
	for i := 0; len(dst) > 0; i++ {
		latent.Fill(dst[:l.Size], latent.Distribution(l.Distribution), seed, stream, first+uint64(i))
		dst = dst[l.Size:]
	}
}

// fillMask writes 0 with probability rate, to the nearest 2^-16, and 1 else:
// four decisions from each random word, 16 from a block of the counter.
func fillMask(dst []uint8, rate float64, seed, stream, step uint64) {
	const perBlock, chunk = 16, 1 << 14
	threshold := uint64(rate*(1<<16) + 0.5)
	key := [2]uint64{seed, stream}
	var wg sync.WaitGroup
	for from := 0; from < len(dst); from += chunk {
		wg.Go(func() {
			part := dst[from:min(from+chunk, len(dst))]
			for i := 0; i < len(part); i += perBlock {
				words := latent.Philox(key, [4]uint64{uint64((from+i)/perBlock) + 1, 0, step, 1})
				for j := range part[i:min(i+perBlock, len(part))] {
					part[i+j] = 1
					if words[j/4]>>(16*(j%4))&0xffff < threshold {
						part[i+j] = 0
					}
				}
			}
		})
	}
	wg.Wait()
}
