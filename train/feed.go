package train

import (
	"encoding/binary"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/runtime/latent"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/dataset"
	"github.com/gantrain/gantrain/train/engine"
	"github.com/gantrain/gantrain/train/op"
)

// feeder fills what a plan wants, into two sets of buffers that take turns: an
// engine reads one while the other is filled.
type feeder struct {
	gan   arch.GAN
	data  *dataset.Images
	seed  uint64
	specs []FeedSpec
	feeds [2]engine.Feed
	turn  int // of the set that is filled next
}

func newFeeder(gan arch.GAN, data *dataset.Images, seed uint64, specs []FeedSpec) *feeder {
	f := &feeder{gan: gan, data: data, seed: seed, specs: specs}
	for i := range f.feeds {
		f.feeds[i] = engine.Feed{}
		for _, s := range specs {
			switch s.Kind {
			case LearningRate: // a new scalar at each step
			case DropoutMask:
				f.feeds[i][s.Name] = tensor.New(tensor.Of(tensor.Uint8), tensor.WithShape(s.Shape...))
			default:
				f.feeds[i][s.Name] = tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(s.Shape...))
			}
		}
	}
	return f
}

// fill makes the inputs of a step, counted from 0, with the given real images.
// They are valid until the call after the next.
func (f *feeder) fill(step int, images []int) engine.Feed {
	feed := f.feeds[f.turn]
	f.turn = 1 - f.turn
	mask := uint64(0)
	for _, s := range f.specs {
		switch s.Kind {
		case RealImages:
			f.data.Scale(floats(feed[s.Name]), images, f.gan.Min, f.gan.Max)
		case Noise:
			fillNoise(floats(feed[s.Name]), f.gan.Latent, f.seed, noiseStream+uint64(s.Noise), uint64(step)*uint64(s.Shape[0]))
		case DropoutMask:
			fillMask(feed[s.Name].Data().([]uint8), s.Rate, f.seed, maskStream+mask, uint64(step))
			mask++
		case LearningRate:
			feed[s.Name] = gorgonia.NewF32(float32(f.rate(s.Update, step)))
		}
	}
	return feed
}

func floats(v gorgonia.Value) []float32 { return v.Data().([]float32) }

// rate is the learning rate of an update, corrected for the number of updates
// that its network has had by then.
func (f *feeder) rate(update, step int) float64 {
	r := f.gan.Recipe
	a := r.Adam[r.Updates[update].Trains]
	perStep, number := turns(r, update)
	return op.AdamRate(a.Rate, a.Beta1, a.Beta2, step*perStep+number)
}

// turns gives the number of updates that the network of an update has in a
// step, and which of them it is, counted from 1.
func turns(r arch.Recipe, update int) (perStep, number int) {
	for i, u := range r.Updates {
		if u.Trains == r.Updates[update].Trains {
			perStep++
			if i <= update {
				number++
			}
		}
	}
	return perStep, number
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
	const blocks = 16 // at a time
	var words [4 * blocks]uint64
	var kept [4 * len(words)]uint8
	dropped := uint64(rate*(1<<16) + 0.5)
	for block := uint64(1); len(dst) > 0; block += blocks {
		latent.Blocks(words[:], [2]uint64{seed, stream}, [4]uint64{block, 0, step, 1})
		for i, w := range words {
			binary.LittleEndian.PutUint32(kept[4*i:], decide(w, dropped))
		}
		dst = dst[copy(dst, kept[:]):]
	}
}

// decide compares the four 16-bit parts of a random word with the number of
// their values that drop, 0 to 2^16, without a branch: byte i is 1 if part i is
// not below it. Every other part in a lane of 32 bits, the sum of a part and
// 2^16-dropped carries into bit 16 just then.
func decide(word, dropped uint64) uint32 {
	const lanes = 1<<32 | 1
	add := (1<<16 - dropped) * lanes
	even := (word&(0xffff*lanes) + add) >> 16 & lanes
	odd := (word>>16&(0xffff*lanes) + add) >> 16 & lanes
	bytes := even | odd<<8 // at bits 0, 8, 32 and 40
	return uint32(bytes | bytes>>16)
}
