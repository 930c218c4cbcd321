package dataset

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// The IDX format (http://yann.lecun.com/exdb/mnist/): two zero bytes, one for
// the element type, one for the number of dimensions, each dimension as a
// big-endian uint32, then the elements, the last dimension fastest.
const (
	imageRank = 3 // [N, H, W], magic 0x00000803
	labelRank = 1 // [N], magic 0x00000801

	typeByte = 0x08
)

// elementTypes names the types that the format knows and this reader doesn't
// take: a picture's values are bytes.
var elementTypes = map[byte]string{
	0x09: "int8", 0x0b: "int16", 0x0c: "int32", 0x0d: "float32", 0x0e: "float64",
}

const (
	// maxElements bounds what is kept in memory; it fits an int of 32 bits.
	// MNIST has 47 million pixels.
	maxElements = 1<<31 - 1
	// deflateRatio is the most that deflate can expand a byte (zlib's technical
	// notes: 1032 to 1), so a header that claims more is a lie.
	deflateRatio = 1032
	// trust is how many times a file's size its header is given in memory before
	// any element was read; beyond it, memory grows with the data. MNIST takes 4.7
	// times its file.
	trust = 8
)

// readIDX reads a file of the given rank, gzip or plain.
func readIDX(path string, rank int) (dims []int, data []byte, err error) {
	f, size, err := openFile(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	dims, data, err = decodeIDX(f, size, rank)
	if err != nil {
		return nil, nil, fmt.Errorf("dataset: %s: %w", path, err)
	}
	return dims, data, nil
}

// openFile opens a file and tells its size. It refuses what isn't one before
// opening it, which for a pipe would wait for a writer.
func openFile(path string) (*os.File, int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, fmt.Errorf("dataset: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("dataset: %s: expected a file, found a %s", path, kindOf(info))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("dataset: %w", err)
	}
	return f, info.Size(), nil
}

func kindOf(info os.FileInfo) string {
	if info.IsDir() {
		return "folder"
	}
	return "special file"
}

// decodeIDX reads an IDX array of the given rank from a file of size bytes.
func decodeIDX(file io.Reader, size int64, rank int) (dims []int, data []byte, err error) {
	if size == 0 {
		return nil, nil, errors.New("the file is empty")
	}
	plain := bufio.NewReader(file)
	r := io.Reader(plain)
	most := size // elements that the file can hold
	start, _ := plain.Peek(2)
	compressed := bytes.Equal(start, []byte{0x1f, 0x8b})
	if compressed {
		z, err := gzip.NewReader(plain)
		if err != nil {
			return nil, nil, fmt.Errorf("corrupt gzip: %w", err)
		}
		r, most = z, size*deflateRatio
	}

	dims, count, err := readHeader(r, rank)
	if err != nil {
		return nil, nil, err
	}
	header := int64(4 + 4*rank)
	switch {
	case compressed && count > most:
		return nil, nil, fmt.Errorf("the header claims %s elements, more than %d bytes of gzip can hold", times(dims), size)
	case !compressed && header+count > size:
		return nil, nil, fmt.Errorf("truncated: the header claims %s elements, %d bytes in all, the file has %d", times(dims), header+count, size)
	case !compressed && header+count < size:
		return nil, nil, trailingError(dims)
	}
	data, err = readElements(r, int(count), size)
	if err != nil {
		return nil, nil, fmt.Errorf("%s elements expected: %w", times(dims), err)
	}
	// Reading on to the end is also what makes gzip compare its checksum.
	switch _, err := io.ReadFull(r, make([]byte, 1)); {
	case err == nil:
		return nil, nil, trailingError(dims)
	case err != io.EOF:
		return nil, nil, fmt.Errorf("corrupt gzip after the last element: %w", err)
	}
	return dims, data, nil
}

func trailingError(dims []int) error {
	return fmt.Errorf("trailing bytes: the file goes on after the %s elements of its header", times(dims))
}

// readHeader returns the dimensions and their product.
func readHeader(r io.Reader, rank int) (dims []int, count int64, err error) {
	header := make([]byte, 4+4*rank)
	n, err := io.ReadFull(r, header)
	if n >= 4 {
		if err := checkMagic(header[:n], rank); err != nil {
			return nil, 0, err
		}
	}
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return nil, 0, fmt.Errorf("truncated: the header has %d of %d bytes", n, len(header))
	case err != nil:
		return nil, 0, fmt.Errorf("reading the header: %w", err)
	}
	count = 1
	for i := range rank {
		d := int64(binary.BigEndian.Uint32(header[4+4*i:]))
		dims = append(dims, int(d))
		if d == 0 {
			return nil, 0, fmt.Errorf("dimension %d of the header is 0", i)
		}
		// No overflow: count is below 2^31 here, and d below 2^32.
		if count *= d; count > maxElements {
			return nil, 0, fmt.Errorf("the header claims %s... elements; at most %d are read", times(dims), int64(maxElements))
		}
	}
	return dims, count, nil
}

// readElements reads count bytes out of a file of size bytes, or of what it
// deflates to.
func readElements(r io.Reader, count int, size int64) ([]byte, error) {
	data := make([]byte, min(int64(count), trust*size))
	for read := 0; ; {
		n, err := io.ReadFull(r, data[read:])
		read += n
		switch {
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			return nil, fmt.Errorf("truncated after %d", read)
		case err != nil:
			return nil, fmt.Errorf("corrupt after %d: %w", read, err)
		case read == count:
			return data, nil
		}
		grown := make([]byte, min(2*len(data), count))
		copy(grown, data)
		data = grown
	}
}

// times prints [60000 28 28] as 60000x28x28.
func times(dims []int) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(dims), "[]"), " ", "x")
}
