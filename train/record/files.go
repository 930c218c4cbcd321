package record

import (
	"fmt"
	"io"
	"os"
)

// maxPicture bounds the bytes of a picture file that is taken into another. The
// largest that Grid makes, in colours that can't be compressed, has 50 MB.
const maxPicture = 64 << 20

// readPicture returns what a picture file holds. An error names it.
func readPicture(path string) ([]byte, error) {
	info, err := os.Stat(path) // opening a pipe would wait for its writer
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxPicture {
		return nil, fmt.Errorf("%s: not a file, or one of more than %d bytes", path, maxPicture)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxPicture))
	if err != nil {
		return nil, err
	}
	return content, nil
}
