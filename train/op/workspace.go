package op

import (
	"slices"
	"sync"
)

// workspace is the working memory of kernels. A training step has dozens of
// operators that need tens of megabytes each, but only one at a time, so they
// share it.
var workspace struct {
	sync.Mutex
	blocks []any // []float32 or []float64, lent to nobody
}

// borrow returns n elements of undefined content, to be given back.
func borrow[F float](n int) []F {
	workspace.Lock()
	defer workspace.Unlock()
	best, size := -1, 0
	for i, b := range workspace.blocks {
		block, ok := b.([]F)
		if !ok {
			continue
		}
		// The smallest that is large enough; else the largest, to be replaced.
		if enough := cap(block) >= n; best < 0 || (size < n && cap(block) > size) || (enough && cap(block) < size) {
			best, size = i, cap(block)
		}
	}
	if best < 0 {
		return make([]F, n)
	}
	block := workspace.blocks[best].([]F)
	workspace.blocks = slices.Delete(workspace.blocks, best, best+1)
	if size < n {
		return make([]F, n)
	}
	return block[:n]
}

func borrowMatrix[F float](rows, cols int) matrix[F] {
	return matrix[F]{rows: rows, cols: cols, data: borrow[F](rows * cols)}
}

func giveBack[F float](block []F) {
	workspace.Lock()
	defer workspace.Unlock()
	workspace.blocks = append(workspace.blocks, block)
}
