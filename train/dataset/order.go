package dataset

import (
	"math/bits"

	"github.com/gantrain/gantrain/runtime/latent"
)

// Permutation is a random order of 0..n-1, the same for the same arguments on
// any machine: epoch e of a run needs nothing but the number e. Every order is
// equally likely (Fisher and Yates, from the end). n must not be negative.
//
// Permutation and Draw read the same words where seed, stream and counter are
// equal; a run that uses both gives each a stream of its own.
func Permutation(n int, seed, stream, epoch uint64) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	w := newWords(seed, stream, epoch)
	for i := n - 1; i > 0; i-- {
		j := w.below(uint64(i + 1))
		order[i], order[j] = order[j], order[i]
	}
	return order
}

// Draw fills dst with numbers from 0..n-1, each equally likely and independent
// of the others (with replacement), the same for the same arguments on any
// machine. n must be at least 1.
func Draw(dst []int, n int, seed, stream, step uint64) {
	w := newWords(seed, stream, step)
	for i := range dst {
		dst[i] = int(w.below(uint64(n)))
	}
}

// words reads the blocks of the counter-based generator one 64-bit word at a
// time. NumPy gives the same ones as
//
//	Philox(key=[seed, stream], counter=[0, 0, counter, 1]).random_raw()
//
// The last word of the counter, 0 for latent vectors, keeps the two apart.
type words struct {
	key     [2]uint64
	counter [4]uint64
	block   [4]uint64
	used    int // of block
}

func newWords(seed, stream, counter uint64) *words {
	return &words{key: [2]uint64{seed, stream}, counter: [4]uint64{0, 0, counter, 1}, used: 4}
}

func (w *words) next() uint64 {
	if w.used == len(w.block) {
		w.counter[0]++
		w.block, w.used = latent.Philox(w.key, w.counter), 0
	}
	w.used++
	return w.block[w.used-1]
}

// below is uniform on 0..n-1: the high half of word*n, where the words whose
// low half falls in the first 2^64 mod n are drawn again, so that each result
// keeps the same number of words (Lemire 2019, "Fast random integer generation
// in an interval").
func (w *words) below(n uint64) uint64 {
	high, low := bits.Mul64(w.next(), n)
	if low < n {
		for reject := -n % n; low < reject; {
			high, low = bits.Mul64(w.next(), n)
		}
	}
	return high
}
