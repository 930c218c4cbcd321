package dataset

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// CSV reads points of one's own: two columns of finite numbers, separated by
// commas, below a heading line or none. An error names the file and the line.
func CSV(path string) (*Points, error) {
	f, _, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	x, err := decodeCSV(f)
	if err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", path, err)
	}
	return &Points{Name: stem(path), X: x}, nil
}

// stem is the name of a file without its ending.
func stem(path string) string {
	return strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
}

// byteOrderMark is how spreadsheets begin a file.
const byteOrderMark = "\ufeff"

// decodeCSV needs no bound on what it reads: a point takes at least the four
// bytes "1,2\n" of a file, and eight in memory.
func decodeCSV(file io.Reader) ([]float32, error) {
	text := bufio.NewReader(file)
	if start, _ := text.Peek(len(byteOrderMark)); string(start) == byteOrderMark {
		_, _ = text.Discard(len(start)) // it is in the buffer
	}
	r := csv.NewReader(text)
	r.FieldsPerRecord = 2
	r.ReuseRecord = true
	r.TrimLeadingSpace = true
	var points []float32
	for first := true; ; first = false {
		fields, err := r.Read()
		switch parse, ok := errors.AsType[*csv.ParseError](err); {
		case err == io.EOF && len(points) == 0:
			return nil, errors.New("no points: two columns of numbers are expected")
		case err == io.EOF:
			return slices.Clip(points), nil
		case errors.Is(err, csv.ErrFieldCount):
			return nil, fmt.Errorf("line %d: %d columns, expected 2 separated by a comma", parse.Line, len(fields))
		case ok:
			return nil, fmt.Errorf("line %d: %w", parse.Line, parse.Err)
		case err != nil:
			return nil, err
		}
		x, errX := number(fields[0])
		y, errY := number(fields[1])
		if first && !numeric(fields[0]) && !numeric(fields[1]) {
			continue // a heading
		}
		if err := cmp.Or(errX, errY); err != nil {
			line, _ := r.FieldPos(0)
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		points = append(points, x, y)
	}
}

// numeric tells a number of any kind, NaN and what is too large among them, from a
// word.
func numeric(field string) bool {
	_, err := strconv.ParseFloat(strings.TrimSpace(field), 64)
	return err == nil || errors.Is(err, strconv.ErrRange)
}

func number(field string) (float32, error) {
	v, err := strconv.ParseFloat(strings.TrimSpace(field), 32)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%.40q is no finite number", field)
	}
	return float32(v), nil
}
