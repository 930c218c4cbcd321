package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	goruntime "runtime"
	"sync"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/runtime/latent"
	"github.com/gantrain/gantrain/runtime/modelinfo"
	"github.com/gantrain/gantrain/runtime/picture"
)

const (
	// defaultBatch is past the knee of the rate: a convolutional generator makes
	// no more pictures a second at 64 or 256, at which a short series has no
	// batch for each core.
	defaultBatch = 32
	// longSeries is from how many pictures on the runtime is told the batch. A
	// convolutional generator then makes three times as many a second, but opens
	// 0.1 s later, which is what 300 pictures save. Whole runs with --npy on two
	// cores (Intel, AVX-512), michelucci-dcgan, batch told and not told: 64
	// pictures 0.19, 0.08 s; 256: 0.22, 0.18; 512: 0.27, 0.33; 4096: 0.87, 2.18.
	// The numbers of a picture in a long series differ by rounding from those in
	// a short one.
	longSeries = 512
	maxLatent  = 1 << 20
	maxPlotted = 100_000
	maxFlight  = 1024 // pictures made at a time, beyond two batches
)

// generator is a model that turns noise [batch, latent] into pictures, or into
// points. Its
// info has the latent size and the distribution.
type generator struct {
	network
	output string
	points bool       // it makes points [batch, 2]
	bytes  bool       // its pictures are of bytes
	labels labels     // of the pictures; none where the model takes none
	lanes  int        // runs at a time
	turn   sync.Mutex // a GPU is given one run at a time, whose memory is scarce
}

// lanesOf returns how many batches are made side by side.
func lanesOf(count, batch int) int {
	return min(goruntime.GOMAXPROCS(0), (count+batch-1)/batch, max(2, maxFlight/batch))
}

// ownBatch is the one batch that a generator takes, 0 if it takes any, or is none:
// who opens it finds that out.
func ownBatch(path string) int {
	model, err := runtime.ReadFile(path)
	if err != nil {
		return 0
	}
	inputs, _, _, err := runtime.Describe(model)
	if err != nil || len(inputs) == 0 || len(inputs[0].Shape) == 0 {
		return 0
	}
	return int(min(max(0, inputs[0].Shape[0]), maxBatch))
}

// openGenerator loads a generator for that many pictures. latentSize is that of
// the noise to come, 0 if it is the model that decides; batch 0 means the
// model's own if it has one, else defaultBatch.
func openGenerator(ctx context.Context, path string, e engine, count, latentSize, batch int, stderr io.Writer) (*generator, error) {
	rows := batch
	if rows == 0 {
		rows = cmp.Or(ownBatch(path), defaultBatch)
	}
	lanes := lanesOf(count, rows)
	if lanes > 1 { // else ONNX Runtime knows how many threads are best
		e.Threads = goruntime.GOMAXPROCS(0) / lanes
	}
	e.Waiting = runtime.SpinDuringRun
	if count >= longSeries {
		e.Batch = rows
	}
	n, in, err := openNetwork(ctx, path, e, modelinfo.Generator, 2, stderr)
	if err != nil {
		return nil, err
	}
	g := &generator{network: n}
	if err := g.settle(in, latentSize, batch); err != nil {
		g.session.Close()
		return nil, err
	}
	g.lanes = lanes
	assumed := ""
	if g.info.Distribution == "" {
		g.info.Distribution = latent.Normal
		if latentSize == 0 {
			assumed = ", and normal noise"
		}
	}
	if !g.points { // which have no range
		lo, hi := -1.0, 1.0
		if g.bytes {
			lo, hi = 0, 255
		}
		defaults(&g.info, lo, hi, path, assumed, stderr)
	}
	return g, nil
}

// settle sets what the input, the outputs and the command line tell.
func (g *generator) settle(in runtime.Port, latentSize, batch int) error {
	out, err := exampleOutput(g.path, g.session)
	if err != nil {
		return err
	}
	g.output, g.points, g.bytes = out.Name, len(out.Shape) == 2, out.Dtype == tensor.Uint8
	if g.info.Latent, err = latentOf(g.path, in.Shape[1], g.info.Latent, latentSize); err != nil {
		return err
	}
	if g.batch, err = batchOf(g.path, in.Shape[0], batch); err != nil {
		return err
	}
	if err := g.fits(in, int64(g.info.Latent)); err != nil {
		return err
	}
	return g.fits(out, out.Shape[1:]...)
}

// makes names what it makes.
func (g *generator) makes() string {
	if g.points {
		return "points"
	}
	return "pictures"
}

// takes refuses what can't be written of so many that the model makes.
func (g *generator) takes(o *generateOptions, count int) error {
	switch {
	case g.points && o.out != "":
		return fmt.Errorf("%s makes points, --out takes pictures: want --grid, --csv or --npy", g.path)
	case !g.points && o.csv != "":
		return fmt.Errorf("%s makes pictures, --csv takes points: want --out, --grid or --npy", g.path)
	case g.points && o.grid != "" && count > maxPlotted:
		return fmt.Errorf("%s: %d points, want at most %d in a plot; --csv and --npy take any", o.grid, count, maxPlotted)
	}
	return nil
}

// exampleOutput finds the output that holds pictures: "image", or the only one
// with four axes; or the points of the plane, "points".
func exampleOutput(path string, s session) (runtime.Port, error) {
	var found []runtime.Port
	for _, p := range s.Outputs() {
		if p.Name == "points" && len(p.Shape) == 2 && p.Shape[1] == 2 && p.Dtype == tensor.Float32 {
			return p, nil
		}
		if len(p.Shape) != 4 || p.Dtype != tensor.Float32 && p.Dtype != tensor.Uint8 {
			continue
		}
		if p.Name == "image" {
			return p, nil
		}
		found = append(found, p)
	}
	if len(found) != 1 {
		return runtime.Port{}, fmt.Errorf("%s: outputs %s, want pictures [batch, channels, height, width] of float32, or of uint8, in one of them", path, names(s.Outputs()))
	}
	return found[0], nil
}

// latentOf settles the latent size by the model's input, its metadata, and the
// noise that was given; 0 or less means that one does not say.
func latentOf(path string, input int64, metadata, given int) (int, error) {
	size := 0
	for _, n := range []int64{input, int64(metadata), int64(given)} {
		switch {
		case n <= 0:
		case n > maxLatent:
			return 0, fmt.Errorf("%s: latent size %d, want at most %d", path, n, maxLatent)
		case size == 0:
			size = int(n)
		case size != int(n) && n == int64(given):
			return 0, fmt.Errorf("--z holds vectors of %d numbers, want %d for %s", given, size, path)
		case size != int(n):
			return 0, fmt.Errorf("%s: the input takes %d numbers, the metadata says %d", path, input, metadata)
		}
	}
	if size == 0 {
		return 0, fmt.Errorf("%s: neither the input nor the metadata tells the latent size: give the noise by --z", path)
	}
	return size, nil
}

// batchOf settles the rows of a run by the model's first axis and the flag.
func batchOf(path string, fixed int64, asked int) (int, error) {
	switch {
	case fixed <= 0 && asked == 0:
		return defaultBatch, nil
	case fixed <= 0:
		return asked, nil
	case fixed > maxBatch:
		return 0, fmt.Errorf("%s: a batch of %d, want at most %d", path, fixed, maxBatch)
	case asked != 0 && int64(asked) != fixed:
		return 0, fmt.Errorf("%s takes batches of %d only, not --batch %d", path, fixed, asked)
	}
	return int(fixed), nil
}

// images is what one run gave: pictures [n, C, H, W], or points [n, 2], which have
// no height and width.
type images struct {
	data    []float32
	c, h, w int
}

// shape is that of a picture or a point.
func (m images) shape() []int {
	if m.h == 0 {
		return []int{m.c}
	}
	return []int{m.c, m.h, m.w}
}

// size is how many numbers one has.
func (m images) size() int {
	size := 1
	for _, n := range m.shape() {
		size *= n
	}
	return size
}

// at returns picture or point i.
func (m images) at(i int) []float32 {
	size := m.size()
	return m.data[i*size:][:size]
}

// condition settles the classes of the pictures: those that are given, or each
// in turn.
func (g *generator) condition(classes []string) (err error) {
	if g.label != "" && classes == nil {
		g.labels, err = g.everyClass()
		return err
	}
	g.labels, err = g.labelsOf(classes)
	return err
}

// run makes the pictures of noise z [batch, latent], the first of which has that
// number.
func (g *generator) run(ctx context.Context, z []float32, first int) (images, error) {
	if g.gpu {
		g.turn.Lock()
		defer g.turn.Unlock()
	}
	in := tensor.New(tensor.WithShape(g.batch, g.info.Latent), tensor.WithBacking(z))
	outputs, err := g.session.Run(ctx, g.feed(in, g.labels, first))
	if err != nil {
		return images{}, err
	}
	data, shape, err := g.numbers(outputs)
	if err != nil {
		return images{}, err
	}
	if g.points {
		if len(shape) != 2 || shape[0] != g.batch || shape[1] != 2 {
			return images{}, fmt.Errorf("%s: output %s has shape %v for a batch of %d", g.path, g.output, shape, g.batch)
		}
		return images{data: data, c: 2}, nil
	}
	if len(shape) != 4 || shape[0] != g.batch || shape.TotalSize() != len(data) || len(data) == 0 {
		return images{}, fmt.Errorf("%s: output %s has shape %v for a batch of %d", g.path, g.output, shape, g.batch)
	}
	return images{data, shape[1], shape[2], shape[3]}, nil
}

// numbers are what the model made: [n, 2], or [n, C, H, W] also where it gives the
// channels last, as Keras does.
func (g *generator) numbers(outputs map[string]*tensor.Dense) ([]float32, tensor.Shape, error) {
	var out []float32
	var shape tensor.Shape
	if t := outputs[g.output]; t != nil && t.Dtype() == tensor.Uint8 {
		shape = t.Shape()
		levels := t.Data().([]uint8)
		out = make([]float32, len(levels))
		for i, v := range levels {
			out[i] = float32(v)
		}
	} else {
		var err error
		if out, shape, err = floats(g.path, g.output, outputs); err != nil {
			return nil, nil, err
		}
	}
	colours := func(n int) bool { return n == 1 || n == 3 }
	if len(shape) == 4 && colours(shape[3]) && !colours(shape[1]) {
		return picture.ChannelsFirst(out, shape), tensor.Shape{shape[0], shape[3], shape[1], shape[2]}, nil
	}
	return out, shape, nil
}
