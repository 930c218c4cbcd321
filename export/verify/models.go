package verify

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/runtime/latent"
	"github.com/gantrain/gantrain/runtime/modelinfo"
	"github.com/gantrain/gantrain/runtime/picture"
)

// maxNumbers is how many numbers an input may have: a model can claim any size.
const maxNumbers = 1 << 26

// Pair is how far one output of a model lies from the same output of another.
type Pair struct {
	Output string
	Batch  int
	// Max and Mean are of |a-b|, divided by the larger of 1 and the largest |b|.
	Max, Mean float64
	// Levels is the largest difference in levels of 255, of pictures.
	Levels float64
}

// Inputs draws a batch for each input of a model, from a seed: labels of its
// classes, other whole numbers 0 or 1, latent vectors as the model's notes
// say, and normal numbers for all else. A model's own batch size wins.
func Inputs(s *runtime.Session, batch int, seed uint64) (map[string]*tensor.Dense, error) {
	info, err := modelinfo.Parse(s.Metadata())
	if err != nil {
		return nil, err
	}
	in := map[string]*tensor.Dense{}
	for number, p := range s.Inputs() {
		if len(p.Shape) == 0 {
			return nil, fmt.Errorf("input %s: want a model that says how many axes it has, one at least", p)
		}
		shape, count := make(tensor.Shape, len(p.Shape)), int64(1)
		for axis, size := range p.Shape {
			switch {
			case size > 0:
				shape[axis] = int(size)
			case axis == 0:
				shape[axis] = batch
			default:
				return nil, fmt.Errorf("input %s: want a model whose first axis alone is open", p)
			}
			if int64(shape[axis]) > maxNumbers/count {
				return nil, fmt.Errorf("input %s: want %d numbers at most in %d examples", p, maxNumbers, batch)
			}
			count *= int64(shape[axis])
		}
		v := tensor.New(tensor.Of(p.Dtype), tensor.WithShape(shape...))
		r := rand.New(rand.NewPCG(seed, uint64(number)))
		switch data := v.Data().(type) {
		case []float32:
			for i := range data {
				data[i] = float32(draw(r, info.Distribution))
			}
		case []float64:
			for i := range data {
				data[i] = draw(r, info.Distribution)
			}
		case []int64:
			for i := range data {
				data[i] = r.Int64N(int64(max(info.Classes, 2)))
			}
		default:
			return nil, fmt.Errorf("input %s: want float32, float64 or int64", p)
		}
		in[p.Name] = v
	}
	return in, nil
}

func draw(r *rand.Rand, d latent.Distribution) float64 {
	if d == latent.Uniform {
		return 2*r.Float64() - 1
	}
	return r.NormFloat64()
}

// Pairs runs two models on the same inputs and compares the outputs that both
// have. A picture of bytes is held against one of numbers in the latter's range,
// as the model's notes tell it, and one with its channels last against one that
// has them first.
func Pairs(ctx context.Context, a, b *runtime.Session, in map[string]*tensor.Dense) ([]Pair, error) {
	got, err := a.Run(ctx, in)
	if err != nil {
		return nil, err
	}
	want, err := b.Run(ctx, in)
	if err != nil {
		return nil, err
	}
	lo, hi, err := ranges(a, b)
	if err != nil {
		return nil, err
	}
	var pairs []Pair
	for _, p := range b.Outputs() {
		have, ok := got[p.Name]
		if !ok {
			continue
		}
		pair, err := compareOutputs(have, want[p.Name], lo, hi)
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", p.Name, err)
		}
		pair.Output = p.Name
		pairs = append(pairs, pair)
	}
	if len(pairs) == 0 {
		return nil, errors.New("the models have no output of one name")
	}
	return pairs, nil
}

// ranges are the values of a picture's black and white in both models.
func ranges(sessions ...*runtime.Session) (lo, hi [2]float64, err error) {
	for i, s := range sessions {
		info, err := modelinfo.Parse(s.Metadata())
		if err != nil {
			return lo, hi, err
		}
		lo[i], hi[i] = info.Min, info.Max
	}
	return lo, hi, nil
}

func compareOutputs(a, b *tensor.Dense, lo, hi [2]float64) (Pair, error) {
	p := Pair{Batch: 1}
	if b.Dims() > 0 {
		p.Batch = b.Shape()[0]
	}
	x, err := numbers(a)
	if err != nil {
		return p, err
	}
	y, err := numbers(b)
	if err != nil {
		return p, err
	}
	switch s, t := a.Shape(), b.Shape(); {
	case slices.Equal(s, t):
	case len(s) != 4 || len(t) != 4:
		return p, fmt.Errorf("has shape %v, want %v", s, t)
	case slices.Equal(s, tensor.Shape{t[0], t[2], t[3], t[1]}):
		x = picture.ChannelsFirst(x, s)
	case slices.Equal(t, tensor.Shape{s[0], s[2], s[3], s[1]}):
		y = picture.ChannelsFirst(y, t)
	default:
		return p, fmt.Errorf("has shape %v, want %v", s, t)
	}
	picture := lo[1] < hi[1] && len(b.Shape()) == 4
	if a.Dtype() != b.Dtype() && (a.Dtype() == tensor.Uint8 || b.Dtype() == tensor.Uint8) {
		if !picture || !(lo[0] < hi[0]) {
			return p, fmt.Errorf("holds %v against %v, and the models do not say which range is black to white", a.Dtype(), b.Dtype())
		}
		for i := range x { // to the second's range
			x[i] = lo[1] + (x[i]-lo[0])*(hi[1]-lo[1])/(hi[0]-lo[0])
		}
	}
	largest, sum := 1.0, 0.0
	for i := range x {
		d := math.Abs(x[i] - y[i])
		if math.IsNaN(d) || math.IsInf(d, 0) {
			return p, errors.New("holds a value that is not finite")
		}
		p.Max, sum = math.Max(p.Max, d), sum+d
		largest = math.Max(largest, math.Abs(y[i]))
	}
	if picture {
		p.Levels = p.Max / (hi[1] - lo[1]) * 255
	}
	p.Max, p.Mean = p.Max/largest, sum/float64(max(1, len(x)))/largest
	return p, nil
}

func numbers(v *tensor.Dense) ([]float64, error) {
	data := reflect.ValueOf(v.Data())
	if data.Kind() != reflect.Slice { // of no axes
		data = reflect.Append(reflect.MakeSlice(reflect.SliceOf(data.Type()), 0, 1), data)
	}
	out := make([]float64, data.Len())
	for i := range out {
		switch x := data.Index(i); {
		case x.CanFloat():
			out[i] = x.Float()
		case x.CanInt():
			out[i] = float64(x.Int())
		case x.CanUint():
			out[i] = float64(x.Uint())
		default:
			return nil, fmt.Errorf("holds %v: want numbers", v.Dtype())
		}
	}
	return out, nil
}
