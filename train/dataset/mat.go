package dataset

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// MATLAB's format, version 5 (MathWorks, "MAT-File Format"): a header of 128
// bytes, then an element for each variable. An element is a tag, its type and
// size as uint32, then so many bytes and zeros up to a multiple of 8; up to four
// bytes stand in the tag itself, behind type and size as uint16. A variable is
// an element of type matrix, in which stand elements for flags, dimensions, name
// and values, the first dimension fastest; MATLAB deflates it into an element of
// type compressed.
const (
	matUint8      = 2
	matMatrix     = 14
	matCompressed = 15

	matHeader = 128 // bytes; the last four are version and byte order

	// maxFields bounds flags, dimensions and name, each: MATLAB's names have at
	// most 63 bytes.
	maxFields = 256
	// maxVariables bounds how often a decompressor is set up.
	maxVariables = 64
)

// matArray is a variable of unsigned bytes.
type matArray struct {
	dims []int // the first one is the fastest
	data []byte
}

// decodeMAT reads the variables of these names from a file of size bytes, and
// passes over others.
func decodeMAT(file io.Reader, size int64, names ...string) (map[string]matArray, error) {
	r := &io.LimitedReader{R: bufio.NewReader(file), N: size}
	if err := checkMATHeader(r); err != nil {
		return nil, err
	}
	arrays := map[string]matArray{}
	for n := 1; r.N > 0; n++ {
		if n > maxVariables {
			return nil, fmt.Errorf("more than %d variables", maxVariables)
		}
		name, a, err := readVariable(r, names, size)
		if err != nil {
			return nil, fmt.Errorf("variable %d: %w", n, err)
		}
		if a.data == nil {
			continue
		}
		if _, twice := arrays[name]; twice {
			return nil, fmt.Errorf("variable %d: a second %s", n, name)
		}
		arrays[name] = a
	}
	for _, name := range names {
		if _, ok := arrays[name]; !ok {
			return nil, fmt.Errorf("no variable %s", name)
		}
	}
	return arrays, nil
}

func checkMATHeader(r io.Reader) error {
	header := make([]byte, matHeader)
	n, err := io.ReadFull(r, header)
	order := string(header[126:])
	switch {
	case bytes.HasPrefix(header, []byte("MATLAB 7.3")):
		return errors.New("a MATLAB file of version 7.3, which is HDF5; save it as version 7")
	case err != nil:
		return fmt.Errorf("not a MATLAB file: %s", cmp.Or(foreignKind(header[:n]), fmt.Sprintf("%d bytes, expected a header of %d", n, matHeader)))
	case order == "MI":
		return errors.New("a big-endian MATLAB file; only little-endian ones are read")
	case order != "IM" || header[125] != 1:
		return fmt.Errorf("not a MATLAB file of version 5: %s", cmp.Or(foreignKind(header), "its header ends in other bytes"))
	}
	return nil
}

// readVariable reads the next variable, or passes over it and returns no data
// when names doesn't have its name.
func readVariable(r *io.LimitedReader, names []string, size int64) (name string, a matArray, err error) {
	kind, outer, err := readTag(r)
	if err != nil {
		return "", a, err
	}
	matrix := outer
	var inflater io.Reader
	if kind == matCompressed {
		most := outer.N * deflateRatio
		if inflater, err = zlib.NewReader(outer); err != nil {
			return "", a, damage(err)
		}
		if kind, matrix, err = readTag(&io.LimitedReader{R: inflater, N: most}); err != nil {
			return "", a, err
		}
	}
	if kind != matMatrix {
		return "", a, fmt.Errorf("an element of type %d, expected a matrix (%d) or a compressed one (%d)", kind, matMatrix, matCompressed)
	}
	name, a.dims, err = readFields(matrix)
	if err != nil {
		return "", a, err
	}
	if slices.Contains(names, name) {
		if a.data, err = readData(matrix, a.dims, size); err != nil {
			return "", a, fmt.Errorf("%s: %w", name, err)
		}
		// Reading on to the end also makes zlib compare its checksum.
		if inflater != nil {
			switch n, err := io.ReadFull(inflater, make([]byte, 1)); {
			case n > 0:
				return "", a, fmt.Errorf("%s: bytes behind its matrix", name)
			case err != io.EOF:
				return "", a, fmt.Errorf("%s: %w", name, damage(err))
			}
		}
	}
	if _, err := io.Copy(io.Discard, outer); err != nil {
		return "", a, damage(err)
	}
	return name, a, nil
}

// readFields reads what comes before a matrix' values.
func readFields(r *io.LimitedReader) (name string, dims []int, err error) {
	var fields [3][]byte // flags, dimensions, name
	for i := range fields {
		_, body, err := readTag(r)
		if err != nil {
			return "", nil, err
		}
		if body.N > maxFields {
			return "", nil, fmt.Errorf("%d bytes of flags, dimensions or name; at most %d are read", body.N, maxFields)
		}
		fields[i] = make([]byte, body.N)
		_, err = io.ReadFull(body, fields[i])
		if inTag := body.R != r; err == nil && !inTag { // what stands in the tag has no padding
			_, err = io.CopyN(io.Discard, r, -int64(len(fields[i]))&7)
		}
		if err != nil {
			return "", nil, damage(err)
		}
	}
	for d := fields[1]; len(d) >= 4; d = d[4:] {
		dims = append(dims, int(int32(binary.LittleEndian.Uint32(d))))
	}
	return string(fields[2]), dims, nil
}

// readData reads a matrix' values, and nothing but padding may be behind them.
func readData(r *io.LimitedReader, dims []int, size int64) ([]byte, error) {
	count := int64(1)
	for _, d := range dims {
		if d < 1 {
			return nil, fmt.Errorf("a dimension of %s is below 1", times(dims))
		}
		if count *= int64(d); count > maxElements {
			return nil, fmt.Errorf("the header claims %s elements; at most %d are read", times(dims), int64(maxElements))
		}
	}
	kind, body, err := readTag(r)
	switch {
	case err != nil:
		return nil, err
	case kind != matUint8:
		return nil, fmt.Errorf("its values are stored as type %d, expected unsigned bytes (%d)", kind, matUint8)
	case body.N != count:
		return nil, fmt.Errorf("%d bytes of values, expected %s", body.N, times(dims))
	}
	data, err := readElements(body, int(count), size)
	if err != nil {
		return nil, fmt.Errorf("%s elements expected: %w", times(dims), err)
	}
	if r.N >= 8 {
		return nil, fmt.Errorf("%d bytes behind its values", r.N)
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return nil, damage(err)
	}
	return data, nil
}

// readTag reads the tag of an element within r, and returns a reader of the
// bytes that it announces, of which r holds as many.
func readTag(r *io.LimitedReader) (kind uint32, body *io.LimitedReader, err error) {
	var tag [8]byte
	if _, err := io.ReadFull(r, tag[:]); err != nil {
		return 0, nil, damage(err)
	}
	kind, size := binary.LittleEndian.Uint32(tag[:]), int64(binary.LittleEndian.Uint32(tag[4:]))
	if small := kind >> 16; small > 0 {
		if small > 4 {
			return 0, nil, fmt.Errorf("%d bytes in a tag, which has place for 4", small)
		}
		return kind & 0xffff, &io.LimitedReader{R: bytes.NewReader(tag[4:]), N: int64(small)}, nil
	}
	if size > r.N {
		return 0, nil, fmt.Errorf("truncated: an element claims %d bytes, there are at most %d", size, r.N)
	}
	return kind, &io.LimitedReader{R: r, N: size}, nil
}

// damage is what a failure to read says about a file.
func damage(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("truncated")
	}
	return fmt.Errorf("corrupt: %w", err)
}
