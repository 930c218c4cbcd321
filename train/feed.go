package train

import (
	"encoding/binary"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/runtime/latent"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/engine"
	"github.com/gantrain/gantrain/train/op"
)

// feeder fills what a plan wants, into two sets of buffers that take turns: an
// engine reads one while the other is filled.
type feeder struct {
	gan   arch.GAN
	data  Examples // nil leaves real examples as they are
	seed  uint64
	specs []FeedSpec
	feeds [2]engine.Feed
	turn  int              // of the set that is filled next
	rows  map[string][]int // masks that the engine wants as [features, batch]
}

// newFeeder makes a feeder for a program, which says by rows how it wants its
// masks (see [engine.Program]); nil takes all as the plan has them.
func newFeeder(gan arch.GAN, data Examples, seed uint64, specs []FeedSpec, rows func(input string) []int) *feeder {
	f := &feeder{gan: gan, data: data, seed: seed, specs: specs, rows: map[string][]int{}}
	for i := range f.feeds {
		f.feeds[i] = engine.Feed{}
		for _, s := range specs {
			switch s.Kind {
			case LearningRate, AverageShare: // a new scalar at each step
			case DropoutMask:
				shape := s.Shape
				if rows != nil {
					f.rows[s.Name] = rows(s.Name)
				}
				if f.rows[s.Name] != nil {
					shape = tensor.Shape{shape[1:].TotalSize(), shape[0]}
				}
				f.feeds[i][s.Name] = tensor.New(tensor.Of(tensor.Uint8), tensor.WithShape(shape...))
			default:
				f.feeds[i][s.Name] = tensor.New(tensor.Of(s.Kind.dtype(tensor.Float32)), tensor.WithShape(s.Shape...))
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
	size := len(images) / f.gan.Recipe.Reals()
	for _, s := range f.specs {
		switch s.Kind {
		case RealImages:
			if f.data != nil {
				f.data.Scale(floats(feed[s.Name]), images[s.Real*size:][:s.Shape[0]], f.gan.Min, f.gan.Max)
			}
		case RealLabels:
			if f.data != nil {
				for i, image := range images[s.Real*size:][:s.Shape[0]] {
					labels(feed[s.Name])[i] = int64(f.data.Label(image))
				}
			}
		case FakeLabels:
			drawLabels(labels(feed[s.Name]), f.gan.Classes, f.seed, labelStream+uint64(s.Noise), uint64(step))
		case Noise:
			fillNoise(floats(feed[s.Name]), f.gan.Latent, f.seed, noiseStream+uint64(s.Noise), uint64(step)*uint64(f.gan.Recipe.Batch))
		case DropoutMask:
			dst := feed[s.Name].Data().([]uint8)
			m := maskDraw{rate: s.Rate, seed: f.seed, stream: maskStream + mask, step: uint64(step), batch: s.Shape[0]}
			if rows := f.rows[s.Name]; rows != nil {
				m.fillRows(dst, rows)
			} else {
				m.fill(dst)
			}
			mask++
		case LearningRate:
			feed[s.Name] = gorgonia.NewF32(float32(Rate(f.gan.Recipe, s.Update, step)))
		case AverageShare:
			feed[s.Name] = gorgonia.NewF32(float32(f.share(s.Update, step)))
		}
	}
	return feed
}

func floats(v gorgonia.Value) []float32 { return v.Data().([]float32) }

// Rate is what a plan's input of kind [LearningRate] holds in a step, counted
// from 0: the learning rate of an update, corrected for the number of updates
// that its network has had by then.
func Rate(r arch.Recipe, update, step int) float64 {
	a := r.Adam[r.Updates[update].Trains]
	return op.AdamRate(a.Rate, a.Beta1, a.Beta2, count(r, update, step))
}

// count is the number of updates that the network of an update has had after it.
func count(r arch.Recipe, update, step int) int {
	perStep, number := turns(r, update)
	return r.Trained(r.Updates[update].Trains, step)*perStep + number
}

// share is what new weights get of their running average. It warms up: after t
// updates it decays by (1 + t)/(10 + t) at most, so that it spans the last ninth
// of a young run, as tf.train.ExponentialMovingAverage does given num_updates.
func (f *feeder) share(update, step int) float64 {
	t := float64(count(f.gan.Recipe, update, step) - 1)
	return 1 - min(f.gan.Recipe.EMA, (1+t)/(10+t))
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

// maskDraw draws a dropout mask: 0 with probability rate and 1 else. The
// decisions for a feature of all examples come from a generator of its own, so
// that features can be drawn in any order.
type maskDraw struct {
	rate               float64
	seed, stream, step uint64
	batch              int
}

// fill fills a mask of shape [batch, features...].
func (m maskDraw) fill(dst []uint8) {
	features := len(dst) / m.batch
	row := make([]uint8, m.batch)
	for f := range features {
		m.feature(row, f)
		for b, kept := range row {
			dst[b*features+f] = kept
		}
	}
}

// fillRows fills one of shape [features, batch], in an order of the features.
func (m maskDraw) fillRows(dst []uint8, order []int) {
	for i, f := range order {
		m.feature(dst[i*m.batch:(i+1)*m.batch], f)
	}
}

// feature decides for a feature of all examples, 64 at a time.
func (m maskDraw) feature(dst []uint8, f int) {
	random := splitMix(latent.Philox([2]uint64{m.seed, m.stream}, [4]uint64{uint64(f), 0, m.step, 1})[0])
	dropped := uint64(m.rate * (1 << 64))
	for len(dst) > 0 {
		var kept [64]uint8
		drop := random.below(dropped)
		for i := range 8 {
			binary.LittleEndian.PutUint64(kept[8*i:], keep[uint8(drop>>(8*i))])
		}
		dst = dst[copy(dst, kept[:]):]
	}
}

// keep spreads the bits of a byte over the bytes of a word, the other way round:
// byte i is 1 where bit i is 0.
var keep = func() (table [256]uint64) {
	for bits := range table {
		for i := range 8 {
			table[bits] |= uint64(1-bits>>i&1) << (8 * i)
		}
	}
	return table
}()

// splitMix is the state of a SplitMix64 generator: a third of Philox' cost for
// each word, and a step of a DCGAN wants ten million decisions.
// Steele, Lea, Flood 2014, https://doi.org/10.1145/2660193.2660195
type splitMix uint64

func (s *splitMix) next() uint64 {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below compares 64 random numbers with a limit, both parts of 2^64: bit i is
// set if number i is below it. A word of the generator holds one bit of each
// number, the highest first; after eight or so all are decided.
func (s *splitMix) below(limit uint64) (below uint64) {
	for open := ^uint64(0); open != 0 && limit != 0; limit <<= 1 {
		bits := s.next()
		fits := uint64(int64(limit) >> 63) // all ones where the limit's bit is 1
		below |= open & fits &^ bits
		open &= ^(bits ^ fits)
	}
	return below
}
