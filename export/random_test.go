package export_test

import (
	"flag"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/train/op"
)

var (
	randomSeed  = flag.Uint64("random-seed", 1, "the seed of the random graphs")
	randomCount = flag.Int("random-graphs", 200, "how many random graphs to export")
)

// known is a value of a random graph. An axis that has the batch is that many
// times as long as its size says.
type known struct {
	node  *gorgonia.Node
	sizes []int
	batch int // its axis, or -1
}

func (k known) shape(n int) tensor.Shape {
	s := slices.Clone(tensor.Shape(k.sizes))
	if k.batch >= 0 {
		s[k.batch] *= n
	}
	return s
}

// random builds a graph of some ten operators. Which, depends on the numbers
// drawn and on the sizes of single examples: for each n it is the same graph.
type random struct {
	*graph
	r      *rand.Rand
	n      int
	values []known
}

// step tries an operator, and tells whether it could be applied.
type step func(g *random, x known) (known, bool)

func randomGraph(t *testing.T, seed, number uint64, n int) (export.Model, *graph) {
	g := &random{newGraph(t, tensor.Float32), rand.New(rand.NewPCG(seed, number)), n, nil}
	for i := range 1 + g.r.IntN(2) {
		sizes := []int{1, 2 + g.r.IntN(3)}
		if g.r.IntN(2) == 0 {
			sizes = []int{1, 1 + g.r.IntN(3), 4 + g.r.IntN(3), 4 + g.r.IntN(3)}
		}
		k := known{sizes: sizes, batch: 0}
		k.node = g.in(fmt.Sprintf("x%d", i), k.shape(n)...)
		g.values = append(g.values, k)
	}
	for applied := 0; applied < 10; {
		x := g.values[g.r.IntN(len(g.values))]
		if g.r.IntN(3) > 0 {
			x = g.values[len(g.values)-1]
		}
		if y, ok := steps[g.r.IntN(len(steps))](g, x); ok && y.node.Op() != nil {
			g.values = append(g.values, y)
			applied++
		}
	}
	return g.model("batch", g.values[len(g.values)-1].node), g.graph
}

func (g *random) of(sizes []int, batch int, n *gorgonia.Node, err error) (known, bool) {
	if err != nil {
		g.t.Fatal(err)
	}
	k := known{n, sizes, batch}
	if s := k.shape(g.n); !slices.Equal(n.Shape(), s) {
		g.t.Fatalf("%v has shape %v, want %v", n, n.Shape(), s)
	}
	return k, true
}

// array is a weight of its own.
func (g *random) array(sizes ...int) *gorgonia.Node {
	return g.weight(fmt.Sprintf("w%d", len(g.builder.graph.AllNodes())), sizes...)
}

func (g *random) other(sizes []int, batch int) (known, bool) {
	var like []known
	for _, k := range g.values {
		if slices.Equal(k.sizes, sizes) && k.batch == batch {
			like = append(like, k)
		}
	}
	if len(like) == 0 {
		return known{}, false
	}
	return like[g.r.IntN(len(like))], true
}

func each(fs ...func(x *gorgonia.Node) (*gorgonia.Node, error)) step {
	return func(g *random, x known) (known, bool) {
		if len(x.sizes) == 0 {
			return x, false
		}
		y, err := fs[g.r.IntN(len(fs))](x.node)
		return g.of(x.sizes, x.batch, y, err)
	}
}

func picture(x known) bool { return len(x.sizes) == 4 && x.batch == 0 && x.sizes[0] == 1 }

var steps = []step{
	each(gorgonia.Tanh, gorgonia.Sigmoid, gorgonia.Softplus, gorgonia.Neg, gorgonia.Abs, gorgonia.Sin, gorgonia.Cos,
		op.Tanh, op.Sigmoid, op.ReLU, gorgonia.Rectify),
	each(func(x *gorgonia.Node) (*gorgonia.Node, error) { return gorgonia.LeakyRelu(x, 0.1) },
		func(x *gorgonia.Node) (*gorgonia.Node, error) { return op.LeakyReLU(x, 0.3) }),
	func(g *random, x known) (known, bool) { // of bounded size
		y, ok := g.other(x.sizes, x.batch)
		if !ok || len(x.sizes) == 0 {
			return x, false
		}
		f := []func(a, b *gorgonia.Node) (*gorgonia.Node, error){
			gorgonia.Add, gorgonia.Sub, gorgonia.HadamardProd, gorgonia.MinBetween, gorgonia.MaxBetween,
		}[g.r.IntN(5)]
		z := g.do(f(x.node, y.node))
		z, err := gorgonia.Tanh(z)
		return g.of(x.sizes, x.batch, z, err)
	},
	func(g *random, x known) (known, bool) { // a constant
		c := gorgonia.NewConstant(float32(0.5 + float64(g.r.IntN(5))/4))
		f := []func(a, b *gorgonia.Node) (*gorgonia.Node, error){gorgonia.Add, gorgonia.Sub, gorgonia.Mul, gorgonia.Div}[g.r.IntN(4)]
		if len(x.sizes) == 0 {
			return x, false
		}
		y, err := f(x.node, c)
		return g.of(x.sizes, x.batch, y, err)
	},
	func(g *random, x known) (known, bool) { // a row, a column or a number for each channel
		if len(x.sizes) < 2 || len(x.sizes) > 4 {
			return x, false
		}
		sizes := slices.Clone(x.sizes)
		var pattern []byte
		for axis := range sizes {
			if axis == x.batch || g.r.IntN(2) == 0 {
				sizes[axis] = 1
				pattern = append(pattern, byte(axis))
			}
		}
		if len(pattern) == 0 || len(pattern) == len(sizes) {
			return x, false
		}
		f := []func(a, b *gorgonia.Node, l, r []byte) (*gorgonia.Node, error){
			gorgonia.BroadcastAdd, gorgonia.BroadcastSub, gorgonia.BroadcastHadamardProd,
		}[g.r.IntN(3)]
		y, err := f(x.node, g.array(sizes...), nil, pattern)
		return g.of(x.sizes, x.batch, y, err)
	},
	func(g *random, x known) (known, bool) { // a matrix product
		if len(x.sizes) != 2 || x.batch == 1 {
			return x, false
		}
		to := 1 + g.r.IntN(4)
		w := g.array(x.sizes[1], to)
		if g.r.IntN(2) == 0 {
			y, err := op.Dense(x.node, w, g.array(to))
			return g.of([]int{x.sizes[0], to}, x.batch, y, err)
		}
		y, err := gorgonia.Mul(x.node, w)
		return g.of([]int{x.sizes[0], to}, x.batch, y, err)
	},
	func(g *random, x known) (known, bool) { // axes exchanged
		if len(x.sizes) < 2 {
			return x, false
		}
		perm := g.r.Perm(len(x.sizes))
		if slices.IsSorted(perm) {
			return x, false
		}
		sizes := make([]int, len(perm))
		for to, from := range perm {
			sizes[to] = x.sizes[from]
		}
		y, err := gorgonia.Transpose(x.node, perm...)
		return g.of(sizes, slices.Index(perm, x.batch), y, err)
	},
	func(g *random, x known) (known, bool) { // two axes read as one
		if len(x.sizes) < 2 {
			return x, false
		}
		axis := g.r.IntN(len(x.sizes) - 1)
		sizes, batch := slices.Clone(x.sizes), x.batch
		sizes[axis] *= sizes[axis+1]
		sizes = slices.Delete(sizes, axis+1, axis+2)
		if batch > axis {
			batch--
		}
		k := known{sizes: sizes, batch: batch}
		y, err := gorgonia.Reshape(x.node, k.shape(g.n))
		return g.of(sizes, batch, y, err)
	},
	func(g *random, x known) (known, bool) { // one axis read as two
		axis := g.r.IntN(max(len(x.sizes), 1))
		if len(x.sizes) == 0 || len(x.sizes) > 3 || x.sizes[axis]%2 != 0 {
			return x, false
		}
		sizes, batch := slices.Insert(slices.Clone(x.sizes), axis+1, 2), x.batch
		sizes[axis] /= 2
		if batch > axis {
			batch++
		}
		k := known{sizes: sizes, batch: batch}
		y, err := gorgonia.Reshape(x.node, k.shape(g.n))
		return g.of(sizes, batch, y, err)
	},
	func(g *random, x known) (known, bool) { // gathered along an axis
		if len(x.sizes) < 3 {
			return x, false
		}
		axis := g.r.IntN(len(x.sizes))
		f := []func(*gorgonia.Node, ...int) (*gorgonia.Node, error){gorgonia.Sum, gorgonia.Mean, gorgonia.Max}[g.r.IntN(3)]
		batch := x.batch
		switch {
		case axis == batch:
			batch = -1
		case axis < batch:
			batch--
		}
		y, err := f(x.node, axis)
		return g.of(slices.Delete(slices.Clone(x.sizes), axis, axis+1), batch, y, err)
	},
	func(g *random, x known) (known, bool) { // softmax
		if len(x.sizes) != 2 {
			return x, false
		}
		y, err := gorgonia.SoftMax(x.node, g.r.IntN(2))
		return g.of(x.sizes, x.batch, y, err)
	},
	func(g *random, x known) (known, bool) { // joined
		y, ok := g.other(x.sizes, x.batch)
		if !ok || len(x.sizes) < 2 {
			return x, false
		}
		axis := g.r.IntN(len(x.sizes))
		sizes := slices.Clone(x.sizes)
		sizes[axis] *= 2
		z, err := gorgonia.Concat(axis, x.node, y.node)
		return g.of(sizes, x.batch, z, err)
	},
	func(g *random, x known) (known, bool) { // a part
		if len(x.sizes) < 2 {
			return x, false
		}
		axis := g.r.IntN(len(x.sizes))
		if x.sizes[axis] < 3 {
			return x, false
		}
		sizes := slices.Clone(x.sizes)
		sizes[axis] = 2
		k := known{sizes: sizes, batch: x.batch}
		ranges := make([]tensor.Slice, axis+1)
		ranges[axis] = gorgonia.S(0, k.shape(g.n)[axis])
		y, err := gorgonia.Slice(x.node, ranges...)
		return g.of(sizes, x.batch, y, err)
	},
	func(g *random, x known) (known, bool) { // a convolution
		if !picture(x) || x.sizes[2] < 3 || x.sizes[3] < 3 {
			return x, false
		}
		to := 1 + g.r.IntN(3)
		if g.r.IntN(2) == 0 {
			geometry := op.Same(x.sizes[2], x.sizes[3], [2]int{3, 3}, [2]int{1, 1})
			y, err := op.Conv2D(x.node, g.array(to, x.sizes[1], 3, 3), g.array(to), geometry)
			return g.of([]int{1, to, x.sizes[2], x.sizes[3]}, 0, y, err)
		}
		y, err := gorgonia.Conv2d(x.node, g.array(to, x.sizes[1], 3, 3), tensor.Shape{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1})
		return g.of([]int{1, to, x.sizes[2], x.sizes[3]}, 0, y, err)
	},
	func(g *random, x known) (known, bool) { // a transposed one
		if !picture(x) || x.sizes[2] > 6 {
			return x, false
		}
		h, w := 2*x.sizes[2], 2*x.sizes[3]
		y, err := op.ConvTranspose2D(x.node, g.array(x.sizes[1], 2, 3, 3), g.array(2), op.Same(h, w, [2]int{3, 3}, [2]int{2, 2}), h, w)
		return g.of([]int{1, 2, h, w}, 0, y, err)
	},
	func(g *random, x known) (known, bool) { // pooled
		if !picture(x) || x.sizes[2]%2 != 0 || x.sizes[3]%2 != 0 {
			return x, false
		}
		y, err := gorgonia.MaxPool2D(x.node, tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2})
		return g.of([]int{1, x.sizes[1], x.sizes[2] / 2, x.sizes[3] / 2}, 0, y, err)
	},
	func(g *random, x known) (known, bool) { // enlarged
		if !picture(x) || x.sizes[2] > 6 {
			return x, false
		}
		y, err := gorgonia.Upsample2D(x.node, 2)
		return g.of([]int{1, x.sizes[1], x.sizes[2] * 2, x.sizes[3] * 2}, 0, y, err)
	},
}

var shape = regexp.MustCompile(`\([0-9, ]+\)`)

// TestRandomGraphs exports random graphs and holds them against Gorgonia's own
// machine at several batch sizes. What does not hold for any batch is refused, and
// exported again for the one that it was built with.
func TestRandomGraphs(t *testing.T) {
	const built = 3
	refusals := map[string]int{}
	anyBatch, wholly, machine := 0, 0, 0
	for number := range uint64(*randomCount) {
		m, _ := randomGraph(t, *randomSeed, number, built)
		sizes := []int{built, 2, 5}
		p, err := export.Graph(m)
		if err != nil {
			for e := range strings.SplitSeq(err.Error(), "; ") {
				refusals[shape.ReplaceAllString(e[strings.LastIndex(e, ": ")+2:], "SHAPE")]++
			}
			sizes, m.BatchAxis = sizes[:1], ""
			if p, err = export.Graph(m); err != nil {
				if !strings.Contains(err.Error(), "adds up the wrong numbers") {
					t.Errorf("graph %d: %v", number, err)
				}
				wholly++
				continue
			}
		} else {
			anyBatch++
		}
		session := load(t, p)
		for _, n := range sizes {
			at, g := randomGraph(t, *randomSeed, number, n)
			in := g.values(-0.5)
			got := run(t, session, in)["y"]
			want := byItself(t, at, in)["y"]
			if err := near(got, want, 2e-5); err != nil {
				t.Errorf("graph %d at batch %d: %v", number, n, err)
			}
			if near(onTape(t, at, in)["y"], want, 2e-5) != nil {
				machine++
			}
		}
		session.Close()
	}
	t.Logf("%d graphs, %d of them for any batch, %d refused; Gorgonia's machine departs from its own operators %d times", *randomCount, anyBatch, wholly, machine)
	for _, why := range slices.Sorted(maps.Keys(refusals)) {
		t.Logf("refused %d times: %s", refusals[why], why)
	}
}

// near compares within a share of the largest number, or of 1.
func near(got, want *tensor.Dense, tolerance float64) error {
	if !slices.Equal(got.Shape(), want.Shape()) {
		return fmt.Errorf("shape %v, want %v", got.Shape(), want.Shape())
	}
	worst, largest := 0.0, 1.0
	for i := range want.DataSize() {
		worst, largest = max(worst, math.Abs(number(got, i)-number(want, i))), max(largest, math.Abs(number(want, i)))
	}
	if !(worst <= tolerance*largest) {
		return fmt.Errorf("differs by %.2g of %.2g", worst, largest)
	}
	return nil
}
