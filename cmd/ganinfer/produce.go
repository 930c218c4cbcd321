package main

import (
	"context"
	"fmt"
	"image"
	"io"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/gantrain/gantrain/cmd/internal/command"
	"github.com/gantrain/gantrain/internal/safefile"
	"github.com/gantrain/gantrain/runtime/picture"
	"github.com/gantrain/gantrain/train/record"
)

// produce runs the generator and writes what was asked for.
func produce(ctx context.Context, o *generateOptions, g *generator, noise *noise) error {
	done := 0
	var failed error // without the names of the files that are given up for it
	err := toFile(o.npy, func(npy io.Writer) error {
		return toFile(o.saveZ, func(saveZ io.Writer) error {
			return toFile(o.csv, func(csv io.Writer) error {
				p := &producer{o: o, g: g, noise: noise, npy: npy, saveZ: saveZ, csv: csv}
				done, failed = p.all(ctx)
				return failed
			})
		})
	})
	switch {
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("after %d of %d %s: %w", done, noise.count, g.makes(), ctx.Err())
	case failed != nil:
		return failed
	case err != nil:
		return err
	}
	var to []string
	for _, path := range []string{o.out, o.grid, o.csv, o.npy} {
		if path != "" {
			to = append(to, path)
		}
	}
	_, err = fmt.Fprintf(o.stdout, "%d %s: %s\n", noise.count, g.makes(), strings.Join(to, ", "))
	return err
}

// toFile is safefile.Write; without a path, write gets no writer.
func toFile(path string, write func(io.Writer) error) error {
	if path == "" {
		return write(nil)
	}
	return safefile.Write(path, write)
}

// producer runs batches side by side, one a lane: where every core has a batch
// and its pictures to itself, none waits for another at the end of each
// operator. With two lanes on two cores a convolutional generator makes a third
// more pictures than with two threads in one run.
type producer struct {
	o          *generateOptions
	g          *generator
	noise      *noise
	npy, saveZ io.Writer // nil: not wanted
	csv        io.Writer
	drawn      [][2]float64 // points of the plot
	shape      images       // of the first batch, without its data
	layout     layout       // of the grid
	scale      int          // of its pictures
	cells      []image.Image

	mu       sync.Mutex // guards what follows
	done     int        // pictures
	progress *command.Progress
}

// all makes every picture and returns how many were made.
func (p *producer) all(ctx context.Context) (int, error) {
	p.progress = command.NewProgress(p.o.stderr, 0, p.noise.count, p.g.makes())
	defer p.progress.Close()
	workers, ctx := errgroup.WithContext(ctx)
	workers.SetLimit(p.g.lanes) // Go waits for a free one: memory stays bounded
	err := p.batches(ctx, workers)
	// A worker's error is why the batches were cancelled.
	if workerErr := workers.Wait(); workerErr != nil {
		err = workerErr
	}
	if err != nil || p.o.grid == "" {
		return p.done, err
	}
	if p.g.points {
		return p.done, record.Scatter(p.o.grid, p.g.info.Architecture, nil, p.drawn)
	}
	return p.done, picture.WritePNG(p.o.grid, picture.Grid(p.layout.order(p.cells, p.g.labels), p.layout.columns, p.scale))
}

func (p *producer) batches(ctx context.Context, workers *errgroup.Group) error {
	size := p.g.info.Latent
	if p.saveZ != nil {
		if err := writeNpyHeader(p.saveZ, p.noise.count, size); err != nil {
			return err
		}
	}
	turn := make(chan struct{}) // of a batch; closed when its arrays may be written
	close(turn)
	for first := 0; first < p.noise.count; first += p.g.batch {
		if err := ctx.Err(); err != nil {
			return err
		}
		// Every run has the full batch: a kernel may round otherwise at another
		// size, and the last pictures would differ from those of a longer series.
		z := make([]float32, p.g.batch*size)
		if err := p.noise.fill(z, first, size, p.g.info.Distribution); err != nil {
			return err
		}
		mine, next := turn, make(chan struct{})
		workers.Go(func() error { return p.batch(ctx, first, z, mine, next) })
		turn = next
	}
	return nil
}

// batch makes the pictures of noise z, the first of which has that number. The
// arrays are written when its turn has come, before it closes next.
func (p *producer) batch(ctx context.Context, first int, z []float32, turn <-chan struct{}, next chan<- struct{}) error {
	m, err := p.g.run(ctx, z, first)
	if err != nil {
		return err
	}
	select {
	case <-turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	n := min(p.g.batch, p.noise.count-first)
	if err := p.arrays(m, z, n); err != nil {
		return err
	}
	if p.g.points {
		if err := p.point(m, n); err != nil {
			return err
		}
	}
	close(next)
	if !p.g.points && (p.o.out != "" || p.o.grid != "") {
		for i := range n {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := p.picture(first+i, m, m.at(i)); err != nil {
				return err
			}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	p.progress.Set(p.done)
	return nil
}

// arrays writes the first n pictures of a batch and their noise as numbers.
func (p *producer) arrays(m images, z []float32, n int) error {
	if err := p.check(m); err != nil {
		return err
	}
	if p.saveZ != nil {
		if err := writeFloats(p.saveZ, z[:n*p.g.info.Latent]); err != nil {
			return unwritten(p.o.saveZ, err)
		}
	}
	if p.npy != nil {
		if err := writeFloats(p.npy, m.data[:n*m.size()]); err != nil {
			return unwritten(p.o.npy, err)
		}
	}
	return nil
}

// unwritten names the file that was asked for in an error that names a
// temporary one.
func unwritten(path string, err error) error {
	return fmt.Errorf("writing %s: %w", path, safefile.Reason(err))
}

// check settles at the first batch what depends on the pictures' size, and
// holds later ones to it.
func (p *producer) check(m images) error {
	if p.shape.c != 0 {
		if p.shape.c != m.c || p.shape.h != m.h || p.shape.w != m.w {
			return fmt.Errorf("%s: pictures change their size, from [%d, %d, %d] to [%d, %d, %d]",
				p.g.path, p.shape.c, p.shape.h, p.shape.w, m.c, m.h, m.w)
		}
		return nil
	}
	p.shape = images{c: m.c, h: m.h, w: m.w}
	if !p.g.points && (p.o.out != "" || p.o.grid != "") && m.c != 1 && m.c != 3 {
		return fmt.Errorf("%s: %d channels make no picture, only 1 and 3 do: --npy writes any", p.g.path, m.c)
	}
	if !p.g.points && p.o.grid != "" {
		var size image.Point
		p.layout = layoutOf(p.noise.count, p.g.labels)
		p.scale, size = p.layout.scale(m.w, m.h)
		if max(size.X, size.Y) > maxGridSide {
			return fmt.Errorf("%s: %d pictures of %dx%d make a grid of %dx%d pixels, want at most %dx%d",
				p.o.grid, p.noise.count, m.w, m.h, size.X, size.Y, maxGridSide, maxGridSide)
		}
		p.cells = make([]image.Image, p.noise.count)
	}
	if p.npy != nil {
		return writeNpyHeader(p.npy, append([]int{p.noise.count}, m.shape()...)...)
	}
	return nil
}

// point writes the first n points of a batch, and keeps them where they are
// plotted.
func (p *producer) point(m images, n int) error {
	var lines []byte
	for i := range n {
		x, y := m.at(i)[0], m.at(i)[1]
		lines = fmt.Appendf(lines, "%v,%v\n", x, y)
		if p.o.grid != "" {
			p.drawn = append(p.drawn, [2]float64{float64(x), float64(y)})
		}
	}
	if p.csv != nil {
		if _, err := p.csv.Write(lines); err != nil {
			return unwritten(p.o.csv, err)
		}
	}
	return nil
}

// picture writes one picture, and keeps it where there is a grid.
func (p *producer) picture(number int, m images, data []float32) error {
	img, err := picture.From(data, m.c, m.h, m.w, p.g.info.Min, p.g.info.Max)
	if err != nil {
		return fmt.Errorf("%s: picture %d: %w", p.g.path, number, err)
	}
	if p.o.grid != "" {
		p.cells[number] = img
	}
	if p.o.out == "" {
		return nil
	}
	return picture.WritePNG(filepath.Join(p.o.out, fmt.Sprintf("%06d.png", number)), img)
}
