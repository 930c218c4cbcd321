package picture

import (
	"bufio"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // Read takes both
	"image/png"
	"io"
	"os"
	"sync"

	"github.com/gantrain/gantrain/internal/safefile"
)

// MaxSide is the greatest width and height, in pixels, of a picture that this
// package reads or makes of an array.
const MaxSide = 4096

// WritePNG writes the picture as a PNG file, whole or not at all, replacing a
// file of that name. An error names path. It is safe for concurrent use.
func WritePNG(path string, img image.Image) error {
	encoder := &deflating
	if size := img.Bounds().Size(); size.X*size.Y <= maxStored {
		encoder = &storing
	}
	return safefile.WriteUnsynced(path, func(w io.Writer) error { return encoder.Encode(w, img) })
}

// maxStored is how many pixels fit a block of a file system, 4 kB, in colour
// too. To compress them takes most of the time of writing them and saves no disk.
const maxStored = 32 * 32

// The encoders prefer speed: thousands of small pictures are written as fast as
// a generator makes them, and the pools save each its 800 kB of working memory.
var (
	deflating = png.Encoder{CompressionLevel: png.BestSpeed, BufferPool: &bufferPool{}}
	storing   = png.Encoder{CompressionLevel: png.NoCompression, BufferPool: &bufferPool{}}
)

type bufferPool struct{ sync.Pool }

func (p *bufferPool) Get() *png.EncoderBuffer {
	b, _ := p.Pool.Get().(*png.EncoderBuffer)
	return b // nil makes the encoder allocate one
}

func (p *bufferPool) Put(b *png.EncoderBuffer) { p.Pool.Put(b) }

// Read decodes a PNG or JPEG file of at most MaxSide by MaxSide pixels; the
// size is checked before the pixels are allocated. An error names path.
func Read(path string) (image.Image, error) {
	// Opening a pipe would wait for its writer.
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("picture: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("picture: %s: not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("picture: %w", err)
	}
	defer f.Close()

	config, _, err := image.DecodeConfig(bufio.NewReader(f))
	if err != nil {
		return nil, undecodable(path, err)
	}
	if config.Width > MaxSide || config.Height > MaxSide {
		return nil, fmt.Errorf("picture: %s: %dx%d pixels, want at most %dx%d", path, config.Width, config.Height, MaxSide, MaxSide)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("picture: %w", err)
	}
	img, _, err := image.Decode(bufio.NewReader(f))
	if err != nil {
		return nil, undecodable(path, err)
	}
	return img, nil
}

func undecodable(path string, err error) error {
	if errors.Is(err, image.ErrFormat) {
		return fmt.Errorf("picture: %s: neither PNG nor JPEG", path)
	}
	return fmt.Errorf("picture: %s: %w", path, err)
}
