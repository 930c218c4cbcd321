package onnxpb

import (
	"crypto/sha1" // of which ONNX wants it
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gantrain/gantrain/internal/safefile"
)

// Files reads what the tensors of a model keep in other files, which lie in the
// model's folder: neither a name nor a link leads out of it.
type Files struct {
	Folder string // "" for none
	root   *os.Root
	files  map[string]*dataFile
}

// dataFile is a file that holds tensors. Its bytes may be read once only, so
// that a small model can't ask for a large file again and again.
type dataFile struct {
	*os.File
	size, left int64
	sum        string // SHA-1 of its content, once it was wanted
}

// DataFiles are the files that a model names for its weights, each once.
func DataFiles(model *ModelProto) (locations []string) {
	for _, t := range model.GetGraph().GetInitializer() {
		for _, e := range t.ExternalData {
			if e.Key == "location" && !slices.Contains(locations, e.Value) {
				locations = append(locations, e.Value)
			}
		}
	}
	return locations
}

// Close closes the files.
func (f *Files) Close() {
	for _, d := range f.files {
		d.Close()
	}
	if f.root != nil {
		f.root.Close()
	}
}

// Read reads the size bytes of a tensor, for which room is made once they are
// known to be there.
func (f *Files) Read(t *TensorProto, size int64) ([]byte, error) {
	d, p, err := f.find(t, size)
	if err != nil {
		return nil, err
	}
	if p.length != size {
		return nil, fmt.Errorf("external data of %d bytes, want %d", p.length, size)
	}
	raw := make([]byte, size)
	if _, err := d.ReadAt(raw, p.offset); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("external data %.100q: %w", p.location, safefile.Reason(err))
	}
	return raw, nil
}

// Check tells whether the bytes of a tensor are there, wherever it says that it
// has them.
func (f *Files) Check(t *TensorProto) error {
	_, _, err := f.find(t, 0)
	return err
}

// place is where a tensor is kept.
type place struct {
	location       string
	offset, length int64
	checksum       string // "" where the model does not tell
}

// find opens the file that has a tensor, and takes its bytes from those that may
// still be read. The length is size where the tensor does not tell.
func (f *Files) find(t *TensorProto, size int64) (*dataFile, place, error) {
	p := place{length: size}
	for _, e := range t.ExternalData {
		var err error
		switch e.Key {
		case "location":
			p.location = e.Value
		case "offset":
			p.offset, err = strconv.ParseInt(e.Value, 10, 64)
		case "length":
			p.length, err = strconv.ParseInt(e.Value, 10, 64)
		case "checksum":
			p.checksum = e.Value
		}
		if err != nil {
			return nil, p, fmt.Errorf("external data with %s %.40q, want a number", e.Key, e.Value)
		}
	}
	d, err := f.open(filepath.FromSlash(p.location))
	if err != nil {
		return nil, p, err
	}
	if p.offset < 0 || p.offset > d.size || p.length < 0 || p.length > d.size-p.offset {
		return nil, p, fmt.Errorf("external data %.100q has %d bytes, want %d from %d on", p.location, d.size, p.length, p.offset)
	}
	if p.length > d.left {
		return nil, p, fmt.Errorf("external data %.100q is used twice", p.location)
	}
	d.left -= p.length
	if p.checksum != "" {
		if err := d.hash(); err != nil {
			return nil, p, fmt.Errorf("external data %.100q: %w", p.location, safefile.Reason(err))
		}
		if !strings.EqualFold(d.sum, p.checksum) {
			return nil, p, fmt.Errorf("external data %.100q has SHA-1 %s, want %.40q: it is damaged, or another model's", p.location, d.sum, p.checksum)
		}
	}
	return d, p, nil
}

// hash reads a file whole, once.
func (d *dataFile) hash() error {
	if d.sum != "" {
		return nil
	}
	h := sha1.New()
	_, err := io.Copy(h, io.NewSectionReader(d, 0, d.size))
	d.sum = hex.EncodeToString(h.Sum(nil))
	return err
}

// open opens a file of the model's folder, once.
func (f *Files) open(location string) (*dataFile, error) {
	if f.Folder == "" {
		return nil, fmt.Errorf("external data %.100q, but the model came without a folder", location)
	}
	if !filepath.IsLocal(location) {
		return nil, fmt.Errorf("external data %.100q is not in the model's folder", location)
	}
	name := filepath.Clean(location)
	if d, ok := f.files[name]; ok {
		return d, nil
	}
	if f.root == nil {
		root, err := os.OpenRoot(f.Folder)
		if err != nil {
			return nil, fmt.Errorf("the model's folder: %w", safefile.Reason(err))
		}
		f.root = root
	}
	// Looked at before it is opened, since opening a pipe waits for its writer.
	info, err := f.root.Stat(name)
	if err != nil {
		if link, err := f.root.Lstat(name); err == nil && link.Mode()&os.ModeSymlink != 0 {
			return nil, fmt.Errorf("external data %.100q is a link to nothing in the model's folder: copy the file there", location)
		}
		return nil, fmt.Errorf("external data %.100q: %w", location, safefile.Reason(err))
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("external data %.100q is not a regular file", location)
	}
	file, err := f.root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("external data %.100q: %w", location, safefile.Reason(err))
	}
	if f.files == nil {
		f.files = map[string]*dataFile{}
	}
	f.files[name] = &dataFile{File: file, size: info.Size(), left: info.Size()}
	return f.files[name], nil
}
