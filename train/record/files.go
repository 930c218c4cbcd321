package record

import (
	"fmt"
	"io"
	"os"
)

// maxPicture bounds the bytes of a picture file that is taken into another.
const maxPicture = 16 << 20

// readPicture returns what a picture file holds.
func readPicture(path string) ([]byte, error) {
	info, err := os.Stat(path) // opening a pipe would wait for its writer
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxPicture {
		return nil, fmt.Errorf("record: %s: not a file, or one of more than %d bytes", path, maxPicture)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxPicture))
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	return content, nil
}
