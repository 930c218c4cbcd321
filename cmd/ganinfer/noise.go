package main

import (
	"fmt"

	"github.com/gantrain/gantrain/runtime/latent"
)

const defaultCount = 64

// noise gives the latent vectors of the pictures in order: from a file, or
// drawn by seed.
type noise struct {
	file  *npyReader // nil: by seed
	seed  uint64
	count int // pictures
}

func openNoise(o *generateOptions) (*noise, error) {
	n := &noise{seed: o.seed, count: o.count}
	if o.z == "" {
		if n.count == 0 {
			n.count = defaultCount
		}
		return n, nil
	}
	file, err := openNpy(o.z)
	if err != nil {
		return nil, err
	}
	n.file = file
	switch {
	case o.count > file.rows:
		n.Close()
		return nil, fmt.Errorf("%s holds %d vectors, not the %d of -n", o.z, file.rows, o.count)
	case file.cols > maxLatent || file.rows > maxCount:
		n.Close()
		return nil, fmt.Errorf("%s: %d vectors of %d numbers, want at most %d of %d", o.z, file.rows, file.cols, maxCount, maxLatent)
	case o.count == 0:
		n.count = file.rows
	}
	return n, nil
}

func (n *noise) Close() {
	if n.file != nil {
		n.file.Close()
	}
}

// size returns the numbers of a vector in the file, 0 if vectors are drawn.
func (n *noise) size() int {
	if n.file == nil {
		return 0
	}
	return n.file.cols
}

// fill sets z [rows, size] to the vectors of the pictures from first on. Rows
// beyond the last picture become 0.
func (n *noise) fill(z []float32, first, size int, d latent.Distribution) error {
	used := z[:min(len(z), (n.count-first)*size)]
	clear(z[len(used):])
	if n.file != nil {
		return n.file.read(used)
	}
	for i := 0; len(used) > 0; i++ {
		latent.Fill(used[:size], d, n.seed, 0, uint64(first+i))
		used = used[size:]
	}
	return nil
}
