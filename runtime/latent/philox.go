package latent

import "math/bits"

// Multipliers of the two halves of a round, and the step of each half of the
// key from round to round (Salmon, Moraes, Dror and Shaw 2011, "Parallel random
// numbers: as easy as 1, 2, 3", table 2 and section 4).
const (
	mul0, mul1   = 0xD2E7470EE14C6C93, 0xCA5A826395121157
	step0, step1 = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B

	rounds = 10
)

// Philox returns one block of Philox4x64-10, four uniform 64-bit words: a pure
// function of its key and counter. Different counters of a key give independent
// blocks, as do different keys. numpy.random.Philox adds 1 to its counter
// before its first block.
func Philox(key [2]uint64, counter [4]uint64) [4]uint64 {
	var block [4]uint64
	Blocks(block[:], key, counter)
	return block
}

// Blocks fills dst, whose length is a multiple of 4, with successive blocks:
// that of the counter, then those whose first word is one higher each.
func Blocks(dst []uint64, key [2]uint64, counter [4]uint64) {
	for ; len(dst) >= 4; dst = dst[4:] {
		k0, k1 := key[0], key[1]
		c0, c1, c2, c3 := counter[0], counter[1], counter[2], counter[3]
		for range rounds {
			hi0, lo0 := bits.Mul64(mul0, c0)
			hi1, lo1 := bits.Mul64(mul1, c2)
			c0, c1, c2, c3 = hi1^c1^k0, lo1, hi0^c3^k1, lo0
			k0, k1 = k0+step0, k1+step1
		}
		dst[0], dst[1], dst[2], dst[3] = c0, c1, c2, c3
		counter[0]++
	}
}
