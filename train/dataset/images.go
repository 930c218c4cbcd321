// Package dataset holds the pictures or points that a GAN learns from, and says
// in which order they are seen.
//
// Pictures stay in memory as the bytes that they came as, a quarter of their
// size as float32, and are scaled when a batch is gathered. The order is a
// pure function of seed, stream and epoch (or step), so a run resumes from its
// step number alone.
package dataset

import (
	"crypto/sha256"
	"fmt"
)

// Images is a set of pictures of one size.
type Images struct {
	Name    string
	Licence string // empty when it isn't known, as for one's own data

	Channels, Height, Width int

	Pixels []byte // [N, C, H, W], 0 to 255
	Labels []byte // [N]; nil when the set has none

	Classes []string // what the labels stand for, where they have names
}

// Len is the number of pictures.
func (d *Images) Len() int { return len(d.Pixels) / d.pictureSize() }

// Shape is [C, H, W].
func (d *Images) Shape() []int { return []int{d.Channels, d.Height, d.Width} }

// Label is the class of a picture, or -1 when the set has no labels.
func (d *Images) Label(i int) int {
	if d.Labels == nil {
		return -1
	}
	return int(d.Labels[i])
}

// About is the name and the licence.
func (d *Images) About() (name, licence string) { return d.Name, d.Licence }

// Sum is the SHA-256 of the pixels.
func (d *Images) Sum() string { return fmt.Sprintf("%x", sha256.Sum256(d.Pixels)) }

// String is one line: name, count, size, classes.
func (d *Images) String() string {
	s := fmt.Sprintf("%s: %d pictures of %s", d.Name, d.Len(), times(d.Shape()))
	if len(d.Classes) > 0 {
		s += ", classes " + shorten(d.Classes)
	}
	return s
}

func (d *Images) pictureSize() int { return d.Channels * d.Height * d.Width }

// Scale gathers the pictures that index names into dst [len(index), C, H, W],
// in that order, and maps 0..255 to [lo, hi]. For [-1, 1] the result is
// (p-127.5)/127.5 to the last bit, as the Keras tutorials write it.
//
// dst must be exactly as long as the batch, and every index in [0, Len()).
func (d *Images) Scale(dst []float32, index []int, lo, hi float64) {
	size := d.pictureSize()
	dst = dst[: len(index)*size : len(index)*size]
	table := scaleTable(lo, hi)
	for i, n := range index {
		out := dst[i*size : (i+1)*size]
		for j, p := range d.Pixels[n*size : (n+1)*size] {
			out[j] = table[p]
		}
	}
}

// scaleTable is the value of each of the 256 bytes. Dividing in float64 and
// rounding once more to float32 gives what a float32 division gives: 53 bits
// are more than twice 24.
func scaleTable(lo, hi float64) *[256]float32 {
	middle, half := (lo+hi)/2, (hi-lo)/2
	var table [256]float32
	for p := range table {
		table[p] = float32(middle + half*((float64(p)-127.5)/127.5))
	}
	return &table
}
