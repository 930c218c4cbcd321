// Package checkpoint keeps named arrays and a few words about them in one
// file, in the safetensors format
// (https://huggingface.co/docs/safetensors/index#format), which Python, Rust
// and C++ read too.
//
// A file of ours carries a checksum of itself: under "sha256" in its metadata
// stands the SHA-256 of the whole file, taken with these 64 digits as zeros. So
// a bit that flips on the disk is noticed, in a weight as in its name, and the
// file is still plain safetensors. Files without a checksum are read as well.
//
// github.com/nlpodyssey/safetensors writes the format and decodes its header.
// Around it, this package bounds the header (the library allows 100 MB, which
// decode to gigabytes), checks how the tensors lie, with errors that name them,
// and reads them one at a time, where the library wants the file in memory.
package checkpoint

import (
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/tensor"
)

// Checkpoint is what a file holds. All strings are UTF-8.
type Checkpoint struct {
	Metadata map[string]string        // "sha256" is taken
	Tensors  map[string]*tensor.Dense // float32 or float64, row-major; NaN and infinities are kept
}

const (
	metadataKey = "__metadata__" // safetensors' own; no tensor has this name
	sumKey      = "sha256"

	// maxHeader allows some 40000 tensors. A decoded header takes about
	// twenty times its size.
	maxHeader = 4 << 20

	maxRank = 16
)

// blankSum stands for the checksum while the checksum is taken.
var blankSum = strings.Repeat("0", 64)

// brief makes one short line of an error that may quote a foreign file.
func brief(err error) string {
	const most = 200
	line := []rune(strings.Join(strings.Fields(err.Error()), " "))
	if len(line) > most {
		line = append(slices.Clip(line[:most]), '…')
	}
	return string(line)
}

// quote prints a name that may be long, or no text at all.
func quote(name string) string {
	const most = 80
	if len(name) > most {
		return fmt.Sprintf("%q…", name[:most])
	}
	return fmt.Sprintf("%q", name)
}
