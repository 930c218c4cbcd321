package record

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Table is what a file of losses holds.
type Table struct {
	Columns []string    // without the step
	Steps   []int       // increasing
	Values  [][]float64 // for each column, one value a step; NaN and infinities as written
}

// ReadLosses reads a table. A last line without its end, which a run that was
// killed or is still going may leave, is not part of it.
func ReadLosses(path string) (Table, error) {
	f, err := os.Open(path)
	if err != nil {
		return Table{}, fmt.Errorf("record: %w", err)
	}
	defer f.Close()
	var t Table
	head, err := scan(f, func(r row) {
		t.Steps = append(t.Steps, r.step)
		for i, v := range r.values {
			if i == len(t.Values) {
				t.Values = append(t.Values, nil)
			}
			t.Values[i] = append(t.Values[i], v)
		}
	})
	if err != nil {
		return Table{}, fmt.Errorf("record: %s: %w", path, err)
	}
	t.Columns = head.columns
	for len(t.Values) < len(t.Columns) { // no rows
		t.Values = append(t.Values, nil)
	}
	return t, nil
}

// Until is the table without the rows after a step.
func (t Table) Until(step int) Table {
	rows := sort.SearchInts(t.Steps, step+1)
	t.Steps, t.Values = t.Steps[:rows], slices.Clone(t.Values)
	for i, v := range t.Values {
		t.Values[i] = v[:min(rows, len(v))]
	}
	return t
}

// Truncate drops the rows after a step, and a torn last line, from a file that
// a resumed run will go on with; the bytes before stay as they are.
func Truncate(path string, afterStep int) error {
	return cut(path, func(r io.Reader) (int64, error) {
		var keep int64
		head, err := scan(r, func(r row) {
			if r.step <= afterStep {
				keep = r.end
			}
		})
		return max(keep, head.end), err
	})
}

// row is a line of the table; values is valid until the next one is read.
type row struct {
	step   int
	values []float64
	end    int64 // of the line in the file
}

const maxLine = 64 << 10

// heading is what scan learns besides the rows.
type heading struct {
	columns []string // without the step
	end     int64    // of the line of names
	torn    bool     // the rows are followed by text without a line end
}

// scan reads a table and calls each for its rows.
func scan(r io.Reader, each func(row)) (heading, error) {
	b := bufio.NewReaderSize(r, maxLine)
	var head heading
	current := row{step: -1}
	for number := 1; ; number++ {
		line, err := b.ReadSlice('\n')
		switch {
		case err == io.EOF && head.end == 0:
			return heading{}, errors.New("the line of column names is missing or torn")
		case err == io.EOF:
			head.torn = len(line) > 0
			return head, nil
		case errors.Is(err, bufio.ErrBufferFull):
			return heading{}, fmt.Errorf("line %d is longer than %d bytes", number, maxLine)
		case err != nil:
			return heading{}, err
		}
		current.end += int64(len(line))
		fields := strings.Split(strings.TrimRight(string(line), "\r\n"), ",")
		if head.end == 0 {
			if fields[0] != stepColumn {
				return heading{}, fmt.Errorf("the first line begins with %.40q, expected %q: not a table of losses", fields[0], stepColumn)
			}
			head.columns, head.end = fields[1:], current.end
			continue
		}
		before := current.step
		if err := current.parse(fields, len(head.columns)); err != nil {
			return heading{}, fmt.Errorf("line %d: %w", number, err)
		}
		if current.step <= before {
			return heading{}, fmt.Errorf("line %d: step %d does not come after step %d", number, current.step, before)
		}
		each(current)
	}
}

func (r *row) parse(fields []string, columns int) error {
	if len(fields) != columns+1 {
		return fmt.Errorf("%d fields, expected %d", len(fields), columns+1)
	}
	step, err := strconv.Atoi(fields[0])
	if err != nil {
		return fmt.Errorf("step %.40q is not a whole number", fields[0])
	}
	r.step, r.values = step, r.values[:0]
	for _, field := range fields[1:] {
		v, err := strconv.ParseFloat(field, 32)
		if err != nil {
			return fmt.Errorf("value %.40q is not a number that float32 can hold", field)
		}
		r.values = append(r.values, v)
	}
	return nil
}
