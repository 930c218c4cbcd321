package checkpoint

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"os"

	"github.com/nlpodyssey/safetensors"
	"gorgonia.org/tensor"
)

// Read returns what a file holds, after checking all of it: its layout, and
// its checksum when it has one. Metadata and Tensors are never nil; the
// checksum is not among the metadata. No more memory is taken than the file is
// long, and some for its header. An error names the file and what is wrong.
func Read(path string) (Checkpoint, error) {
	info, err := os.Stat(path) // opening a pipe would wait for its writer
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w", err)
	}
	if !info.Mode().IsRegular() {
		return Checkpoint{}, fmt.Errorf("checkpoint: %s: is not a file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w", err)
	}
	defer f.Close()
	c, err := decode(bufio.NewReaderSize(f, chunk), uint64(info.Size()))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: %s: %w", path, err)
	}
	return c, nil
}

const chunk = 64 << 10 // bytes that are converted at a time

// decode reads a file of size bytes: the header's length as a little-endian
// uint64, the header, the tensors' data.
func decode(r io.Reader, size uint64) (Checkpoint, error) {
	length := make([]byte, 8)
	if _, err := io.ReadFull(r, length); err != nil {
		return Checkpoint{}, fmt.Errorf("truncated: %d bytes are no safetensors file", size)
	}
	n := binary.LittleEndian.Uint64(length)
	switch {
	case n > size-8:
		return Checkpoint{}, fmt.Errorf("truncated, or not a safetensors file: the header claims %d bytes, the file has %d more", n, size-8)
	case n > maxHeader:
		return Checkpoint{}, fmt.Errorf("the header has %d bytes; at most %d are read", n, maxHeader)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(r, header); err != nil {
		return Checkpoint{}, fmt.Errorf("reading the header: %w", err)
	}
	metadata, entries, err := decodeHeader(header, size-8-n)
	if err != nil {
		return Checkpoint{}, err
	}

	want, summed := metadata[sumKey]
	sum := sha256.New()
	if summed {
		sum.Write(length)
		sum.Write(bytes.Replace(header, []byte(want), []byte(blankSum), 1))
	}
	c := Checkpoint{Metadata: map[string]string{}, Tensors: make(map[string]*tensor.Dense, len(entries))}
	maps.Copy(c.Metadata, metadata)
	delete(c.Metadata, sumKey)
	for _, e := range entries {
		if c.Tensors[e.name], err = readTensor(r, e, sum); err != nil {
			return Checkpoint{}, fmt.Errorf("tensor %s: %w", quote(e.name), err)
		}
	}
	if got := hex.EncodeToString(sum.Sum(nil)); summed && got != want {
		return Checkpoint{}, errors.New("the checksum does not match: the file was damaged, or changed by another program")
	}
	return c, nil
}

func readTensor(r io.Reader, e entry, sum hash.Hash) (*tensor.Dense, error) {
	if e.dtype == safetensors.F64 {
		return readDense[float64](r, e, sum)
	}
	return readDense[float32](r, e, sum)
}

func readDense[T float32 | float64](r io.Reader, e entry, sum hash.Hash) (*tensor.Dense, error) {
	data := make([]T, e.count)
	if err := readElements(r, data, sum); err != nil {
		return nil, err
	}
	if len(e.shape) == 0 {
		return tensor.New(tensor.FromScalar(data[0])), nil
	}
	return tensor.New(tensor.WithShape(e.shape...), tensor.WithBacking(data)), nil
}

func readElements[T float32 | float64](r io.Reader, dst []T, sum hash.Hash) error {
	buffer := make([]byte, chunk)
	per := chunk / binary.Size(T(0))
	for len(dst) > 0 {
		part := dst[:min(per, len(dst))]
		raw := buffer[:binary.Size(part)]
		if _, err := io.ReadFull(r, raw); err != nil {
			return fmt.Errorf("reading its data: %w", err)
		}
		sum.Write(raw)
		if _, err := binary.Decode(raw, binary.LittleEndian, part); err != nil {
			return err
		}
		dst = dst[len(part):]
	}
	return nil
}
