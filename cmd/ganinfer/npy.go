package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// NumPy's file format (numpy.lib.format): magic, version, length of the header,
// the header as a Python dictionary, then the numbers. Arrays are written and
// read a batch at a time, so that a million pictures need no memory; the npy
// packages for Go hold whole arrays and trust the header.

const (
	npyMagic     = "\x93NUMPY"
	npyMaxHeader = 1 << 16
)

// writeNpyHeader begins a file of float32 numbers in C order.
func writeNpyHeader(w io.Writer, shape ...int) error {
	sizes := strings.Trim(strings.ReplaceAll(fmt.Sprint(shape), " ", ", "), "[]")
	if len(shape) == 1 {
		sizes += ","
	}
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", sizes)
	const before = len(npyMagic) + 2 + 2 // version and length
	for (before+len(header)+1)%64 != 0 { // the format aligns the numbers
		header += " "
	}
	header += "\n"
	b := append([]byte(npyMagic), 1, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(header)))
	_, err := w.Write(append(b, header...))
	return err
}

// writeFloats writes the numbers that follow a header.
func writeFloats(w io.Writer, data []float32) error {
	return binary.Write(w, binary.LittleEndian, data)
}

// npyReader reads a matrix of numbers from a NumPy file, row by row.
type npyReader struct {
	path       string
	file       *os.File
	r          *bufio.Reader
	rows, cols int
	double     bool // float64 in the file
	row        int  // the next one
}

// openNpy opens a file that holds a float32 or float64 matrix [rows, cols] in C
// order. The file's size must be what its header says.
func openNpy(path string) (*npyReader, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	n := &npyReader{path: path, file: f, r: bufio.NewReaderSize(f, 1<<16)}
	if err := n.header(info.Size()); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return n, nil
}

func (n *npyReader) Close() error { return n.file.Close() }

var (
	npyDescr = regexp.MustCompile(`'descr': *'([^']*)'`)
	npyOrder = regexp.MustCompile(`'fortran_order': *(True|False)`)
	npyShape = regexp.MustCompile(`'shape': *\(([0-9, ]*)\)`)
)

// header reads up to the first number of a file of size bytes.
func (n *npyReader) header(size int64) error {
	start := make([]byte, len(npyMagic)+2)
	if _, err := io.ReadFull(n.r, start); err != nil || string(start[:len(npyMagic)]) != npyMagic {
		return errors.New("not a NumPy .npy file")
	}
	var length uint32       // two bytes in version 1, four since
	at := int64(len(start)) // where the header begins
	var err error
	switch major := start[len(npyMagic)]; major {
	case 1:
		var short uint16
		err = binary.Read(n.r, binary.LittleEndian, &short)
		length = uint32(short)
		at += 2
	case 2, 3:
		err = binary.Read(n.r, binary.LittleEndian, &length)
		at += 4
	default:
		return fmt.Errorf("NumPy format version %d, want 1 to 3", major)
	}
	if err != nil || length > npyMaxHeader {
		return errors.New("damaged NumPy header")
	}
	header := make([]byte, length)
	if _, err := io.ReadFull(n.r, header); err != nil {
		return errors.New("damaged NumPy header")
	}
	descr, order, shape := npyDescr.FindSubmatch(header), npyOrder.FindSubmatch(header), npyShape.FindSubmatch(header)
	if descr == nil || order == nil || shape == nil {
		return errors.New("damaged NumPy header, or an array of records")
	}
	width := int64(4)
	switch string(descr[1]) {
	case "<f4":
	case "<f8":
		n.double, width = true, 8
	default:
		return fmt.Errorf("numbers of type %s, want float32 (<f4) or float64 (<f8)", printable(string(descr[1])))
	}
	if string(order[1]) == "True" {
		return errors.New("an array in Fortran order: save numpy.ascontiguousarray of it")
	}
	if n.rows, n.cols, err = matrix(string(shape[1])); err != nil {
		return err
	}
	numbers := size - at - int64(length)
	if numbers%width != 0 || numbers/width/int64(n.cols) != int64(n.rows) || numbers/width%int64(n.cols) != 0 {
		return fmt.Errorf("%d bytes of numbers, not what shape (%s) takes", numbers, shape[1])
	}
	return nil
}

// matrix reads a shape "64, 100".
func matrix(s string) (rows, cols int, err error) {
	parts := strings.Split(s, ",")
	if len(parts) == 2 {
		rows, err = strconv.Atoi(strings.TrimSpace(parts[0]))
		if err == nil {
			cols, err = strconv.Atoi(strings.TrimSpace(parts[1]))
		}
	}
	if len(parts) != 2 || err != nil || rows < 1 || cols < 1 {
		return 0, 0, fmt.Errorf("an array of shape (%s), want a matrix (pictures, latent)", s)
	}
	return rows, cols, nil
}

// read fills dst with the next rows, as float32.
func (n *npyReader) read(dst []float32) error {
	var err error
	if n.double {
		wide := make([]float64, len(dst))
		err = binary.Read(n.r, binary.LittleEndian, wide)
		for i, v := range wide {
			dst[i] = float32(v)
		}
	} else {
		err = binary.Read(n.r, binary.LittleEndian, dst)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", n.path, err)
	}
	for i, v := range dst {
		if v != v || math.IsInf(float64(v), 0) {
			return fmt.Errorf("%s: the number at [%d, %d] is %g, want a finite float32", n.path, n.row+i/n.cols, i%n.cols, v)
		}
	}
	n.row += len(dst) / n.cols
	return nil
}
