// Package latent makes the noise that a generator turns into pictures.
//
// The noise of a picture comes from a counter, not from a stream: it depends on
// the seed and the picture's number and on nothing else, so that picture 7 of a
// seed is the same alone and among a million, at any batch size. Any language
// can make it again; in Python, with d the latent size:
//
//	w = numpy.random.Philox(key=[seed, stream], counter=[0, 0, image, 0]).random_raw(d)
//	u = ((w >> numpy.uint64(12)) + 0.5) * 2.0**-52
//	normal = scipy.special.ndtri(u).astype("float32")
//	uniform = (2*u - 1).astype("float32")
package latent

import (
	"fmt"

	"gonum.org/v1/gonum/mathext"
)

// A Distribution says how the components of a latent vector are drawn, each
// independent of the others.
type Distribution string

const (
	Normal  Distribution = "normal"  // mean 0, deviation 1
	Uniform Distribution = "uniform" // from -1 to 1
)

// Parse returns the distribution of that name.
func Parse(name string) (Distribution, error) {
	switch d := Distribution(name); d {
	case Normal, Uniform:
		return d, nil
	}
	return "", fmt.Errorf("latent: unknown distribution %q: want %q or %q", name, Normal, Uniform)
}

// Fill fills dst with the latent vector of one picture: component i is word
// i%4 of block i/4 of the counter-based generator Philox, keyed by seed and
// stream and counted by image. Streams of one seed are independent: 0 is for
// pictures. A shorter dst gets the beginning of a longer one's values. Any
// distribution but Uniform is taken as Normal.
func Fill(dst []float32, d Distribution, seed, stream, image uint64) {
	key, counter := [2]uint64{seed, stream}, [4]uint64{1, 0, image, 0} // NumPy counts before its first block
	var words [batch]uint64
	for len(dst) > 0 {
		n := min(len(dst), batch)
		Blocks(words[:(n+3)/4*4], key, counter)
		if d == Uniform {
			for i, w := range words[:n] {
				dst[i] = float32(2*open01(w) - 1)
			}
		} else {
			for i, w := range words[:n] {
				dst[i] = float32(mathext.NormalQuantile(open01(w)))
			}
		}
		dst = dst[n:]
		counter[0] += batch / 4
	}
}

// batch is how many words are made at once: blocks that follow one another
// overlap in the processor. A normal number takes 22 ns so, in place of 36, a
// uniform one 6 in place of 15 (Sapphire Rapids).
const batch = 128

// open01 maps a random word to the middle of one of 2^52 equal parts of (0, 1).
// Of 53 bits the largest would round to 1, whose normal quantile is infinite.
func open01(w uint64) float64 {
	return (float64(w>>12) + 0.5) * 0x1p-52
}
