package keras

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/sbinet/npyio/npy"
)

// array is what NumPy stored, in C order. float64 holds every number of the
// types that are read.
type array struct {
	shape []int
	data  []float64
}

// npyHeader is the header of NumPy's format, version 1.0, as NumPy writes it.
var npyHeader = regexp.MustCompile(`^\{'descr': '([^']*)', 'fortran_order': (False|True), 'shape': \(([0-9, ]*)\), \} *\n$`)

// npyWidths are the bytes of a number of each type that is read.
var npyWidths = map[string]int{"<f4": 4, "<f8": 8, "<i4": 4, "<i8": 8, "|u1": 1}

// parseArray reads the bytes of a .npy file. npyio trusts its input: a header
// that has another form, or another size than the numbers that follow, does not
// get there.
func parseArray(file []byte) (array, error) {
	const before = 10 // magic, version, the header's length
	if len(file) < before || string(file[:8]) != "\x93NUMPY\x01\x00" {
		return array{}, errors.New("not an array in NumPy's format 1.0")
	}
	length := int(file[8]) | int(file[9])<<8
	if len(file) < before+length {
		return array{}, errors.New("its header is cut off")
	}
	header := npyHeader.FindSubmatch(file[before : before+length])
	if header == nil {
		return array{}, errors.New("its header is damaged, or it is an array of records")
	}
	kind, numbers := string(header[1]), len(file)-before-length
	width, ok := npyWidths[kind]
	if !ok {
		return array{}, fmt.Errorf("holds numbers of type %q, want <f4, <f8, <i4, <i8 or |u1", kind)
	}
	if string(header[2]) == "True" {
		return array{}, errors.New("is in Fortran order: save numpy.ascontiguousarray of it")
	}
	a := array{shape: []int{}}
	size := 1
	for _, field := range strings.FieldsFunc(string(header[3]), func(r rune) bool { return r == ',' || r == ' ' }) {
		n, err := strconv.Atoi(field)
		if err != nil || n < 1 || n > numbers/size {
			return array{}, fmt.Errorf("shape (%s) is not that of %d bytes of %s", header[3], numbers, kind)
		}
		size *= n
		a.shape = append(a.shape, n)
	}
	if size*width != numbers {
		return array{}, fmt.Errorf("shape (%s) is not that of %d bytes of %s", header[3], numbers, kind)
	}
	r := bytes.NewReader(file)
	var err error
	switch kind {
	case "<f8":
		err = npy.Read(r, &a.data)
	case "<f4":
		a.data, err = read[float32](r)
	case "<i4":
		a.data, err = read[int32](r)
	case "<i8":
		a.data, err = read[int64](r)
	case "|u1":
		a.data, err = read[uint8](r)
	}
	return a, err
}

func read[T float32 | int32 | int64 | uint8](r io.Reader) ([]float64, error) {
	var data []T
	err := npy.Read(r, &data)
	out := make([]float64, len(data))
	for i, v := range data {
		out[i] = float64(v)
	}
	return out, err
}

// archive is a .npz file. Its arrays are read when they are asked for.
type archive struct {
	path  string
	file  *os.File
	files map[string]*zip.File
}

const (
	maxArchive = 1 << 28 // bytes of all arrays together
	maxArrays  = 1 << 12
)

func openArchive(path string) (*archive, error) {
	info, err := os.Stat(path) // opening a pipe would wait for its writer
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxArchive {
		return nil, fmt.Errorf("%s: want a regular file of at most %d MB", path, maxArchive>>20)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	a := &archive{path: path, file: file, files: map[string]*zip.File{}}
	if err := a.list(info.Size()); err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return a, nil
}

// list finds the arrays and holds their sizes against what is taken.
func (a *archive) list(size int64) error {
	z, err := zip.NewReader(a.file, size)
	if err != nil {
		return fmt.Errorf("not a NumPy .npz file: %w", err)
	}
	if len(z.File) > maxArrays {
		return fmt.Errorf("holds %d arrays, want at most %d", len(z.File), maxArrays)
	}
	left := uint64(maxArchive)
	for _, f := range z.File {
		name := strings.TrimSuffix(f.Name, ".npy")
		if a.files[name] != nil {
			return fmt.Errorf("holds two arrays %q", name)
		}
		if f.UncompressedSize64 > left {
			return fmt.Errorf("its arrays take more than %d MB", maxArchive>>20)
		}
		left -= f.UncompressedSize64
		a.files[name] = f
	}
	return nil
}

func (a *archive) Close() error { return a.file.Close() }

// read returns an array of finite numbers.
func (a *archive) read(name string) (array, error) {
	f := a.files[name]
	if f == nil {
		return array{}, fmt.Errorf("%s: holds no array %q", a.path, name)
	}
	out, err := readFile(f)
	if err != nil {
		return array{}, fmt.Errorf("%s: array %q: %w", a.path, name, err)
	}
	for i, v := range out.data {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return array{}, fmt.Errorf("%s: array %q: number %d is %g, want a finite one", a.path, name, i, v)
		}
	}
	return out, nil
}

func readFile(f *zip.File) (array, error) {
	r, err := f.Open()
	if err != nil {
		return array{}, err
	}
	defer r.Close()
	// Memory is taken as bytes come, so that a size that lies takes none.
	data, err := io.ReadAll(io.LimitReader(r, int64(f.UncompressedSize64)+1))
	if err != nil {
		return array{}, err
	}
	return parseArray(data)
}
