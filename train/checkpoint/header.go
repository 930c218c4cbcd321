package checkpoint

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/nlpodyssey/safetensors"
)

// entry is a tensor as the header describes it.
type entry struct {
	name  string
	dtype safetensors.DType // F32 or F64
	shape []int
	count int // elements
	begin uint64
	end   uint64 // both count from the first byte of the data
}

// decodeHeader returns the metadata and the tensors in the order of their data.
// The tensors fill size bytes without gap or overlap.
func decodeHeader(header []byte, size uint64) (map[string]string, []entry, error) {
	var m safetensors.Metadata
	if err := json.Unmarshal(header, &m); err != nil {
		return nil, nil, fmt.Errorf("the header is not safetensors': %s", brief(err))
	}
	var entries []entry
	for name, info := range m.Tensors() {
		e, err := newEntry(name, info, size)
		if err != nil {
			return nil, nil, fmt.Errorf("tensor %s: %w", quote(name), err)
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end), cmp.Compare(a.name, b.name))
	})
	var end uint64
	for _, e := range entries {
		switch {
		case e.begin < end:
			return nil, nil, fmt.Errorf("tensor %s overlaps the one before: it begins at byte %d, that ends at %d", quote(e.name), e.begin, end)
		case e.begin > end:
			return nil, nil, fmt.Errorf("bytes %d to %d, before tensor %s, belong to no tensor", end, e.begin, quote(e.name))
		}
		end = e.end
	}
	if end < size {
		return nil, nil, fmt.Errorf("trailing bytes: the tensors end at byte %d of %d", end, size)
	}
	return m.Metadata(), entries, nil
}

// newEntry checks what can be told from one tensor's description alone.
func newEntry(name string, info *safetensors.TensorInfo, size uint64) (entry, error) {
	e := entry{name: name, dtype: info.DType, begin: info.DataOffsets[0], end: info.DataOffsets[1]}
	if e.dtype != safetensors.F32 && e.dtype != safetensors.F64 {
		return e, fmt.Errorf("its type is %v; F32 and F64 are read", e.dtype)
	}
	switch {
	case e.end < e.begin:
		return e, fmt.Errorf("it begins at byte %d and ends at %d", e.begin, e.end)
	case len(info.Shape) > maxRank:
		return e, fmt.Errorf("it has %d dimensions; at most %d are read", len(info.Shape), maxRank)
	case e.end > size:
		return e, fmt.Errorf("it ends at byte %d, but the file holds %d bytes of data: truncated, or a wrong header", e.end, size)
	}
	bytes := e.dtype.Size()
	for _, d := range info.Shape {
		// Dividing keeps the product from overflowing.
		if d == 0 || d > size/bytes {
			return e, fmt.Errorf("shape %v does not fit its %d bytes of %v", info.Shape, e.end-e.begin, e.dtype)
		}
		bytes *= d
		e.shape = append(e.shape, int(d))
	}
	if bytes != e.end-e.begin {
		return e, fmt.Errorf("shape %v of %v takes %d bytes, its offsets span %d", info.Shape, e.dtype, bytes, e.end-e.begin)
	}
	e.count = int(bytes / e.dtype.Size())
	return e, nil
}
