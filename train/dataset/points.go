package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/gantrain/gantrain/runtime/latent"
)

// Points is a set of points of the plane.
type Points struct {
	Name    string
	Licence string // empty when it isn't known, as for one's own data

	X []float32 // [N, 2]
}

// Parabola is the data of Fredriksson's article: n points with x = 10(u-0.5)
// and y = x^2+5, u uniform between 0 and 1. The points of a seed and stream are
// the same on any machine; fewer of them are the first ones of more. Point i
// takes word i of latent.Fill, which must not be read for anything else: give
// it a stream of its own. n must not be negative.
func Parabola(n int, seed, stream uint64) *Points {
	words := make([]float32, n)
	latent.Fill(words, latent.Uniform, seed, stream, 0) // 2u-1
	d := &Points{Name: "parabola", X: make([]float32, 0, 2*n)}
	for _, w := range words {
		x := 5 * float64(w)
		d.X = append(d.X, float32(x), float32(x*x+5))
	}
	return d
}

// Len is the number of points.
func (d *Points) Len() int { return len(d.X) / 2 }

// Shape is [2].
func (d *Points) Shape() []int { return []int{2} }

// Scale gathers the points that index names into dst [len(index), 2], in that
// order, as they are: the range, which is for pictures, isn't used.
//
// dst must be exactly as long as the batch, and every index in [0, Len()).
func (d *Points) Scale(dst []float32, index []int, _, _ float64) {
	dst = dst[: 2*len(index) : 2*len(index)]
	for i, n := range index {
		copy(dst[2*i:2*i+2], d.X[2*n:])
	}
}

// Label is -1: points have no classes.
func (d *Points) Label(int) int { return -1 }

// About is the name and the licence.
func (d *Points) About() (name, licence string) { return d.Name, d.Licence }

// Sum is the SHA-256 of the coordinates as little-endian float32.
func (d *Points) Sum() string {
	h := sha256.New()
	var b [4]byte
	for _, v := range d.X {
		binary.LittleEndian.PutUint32(b[:], math.Float32bits(v))
		h.Write(b[:])
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// String is one line: name and count.
func (d *Points) String() string { return fmt.Sprintf("%s: %d points", d.Name, d.Len()) }
