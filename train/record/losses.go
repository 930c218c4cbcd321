// Package record keeps what a run leaves behind for people to look at: its
// losses as a table, as a plot and for TensorBoard, its pictures as grids and as
// an animation, what is wrong with it in a line, and all of it on one page.
// Nothing here depends on the clock, so the same run leaves the same files.
package record

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// stepColumn is the first column of every table.
const stepColumn = "step"

// Losses appends rows to a CSV file: a line of column names, "step" before
// them, then a line for each step. Rows gather in memory until Sync or Close
// or until a few kilobytes have come together. It is not safe for concurrent
// use.
type Losses struct {
	out     appender
	columns []string // without the step
	last    int      // step of the last row, -1 before the first
	line    []byte
}

// Create starts a table with these columns besides the step, for instance
// d_loss and g_loss. A file of that name must not exist.
func Create(path string, columns []string) (*Losses, error) {
	names := append([]string{stepColumn}, columns...)
	for i, name := range names {
		if name == "" || strings.ContainsAny(name, ",\"\r\n") || slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("record: %s: column name %q is empty, there twice, or holds a comma, quote or line end", path, name)
		}
	}
	out, err := newAppender(path, []byte(strings.Join(names, ",")+"\n"))
	if err != nil {
		return nil, err
	}
	return &Losses{out: out, columns: columns, last: -1}, nil
}

// Open goes on with a table, after its last row. What a stopped run may have
// left at its end is for Truncate to remove first.
func Open(path string) (*Losses, error) {
	l := &Losses{last: -1}
	var err error
	l.out, err = openAppender(path, func(r io.Reader) error {
		head, err := scan(r, func(r row) { l.last = r.step })
		if err == nil && head.torn {
			err = errors.New("the last line is torn: truncate the table first")
		}
		l.columns = head.columns
		return err
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// Columns names what is recorded of a step.
func (l *Losses) Columns() []string { return l.columns }

// Last is the step of the last row, -1 where there is none.
func (l *Losses) Last() int { return l.last }

// Append adds the row of a step, which must be after the last one's. A value
// is rounded to float32 and written with as many digits as it takes to read it
// back exactly; NaN, +Inf and -Inf are written so.
func (l *Losses) Append(step int, values ...float64) error {
	if len(values) != len(l.columns) {
		return fmt.Errorf("record: %s: step %d has %d values for %d columns", l.out.path, step, len(values), len(l.columns))
	}
	if step <= l.last {
		return fmt.Errorf("record: %s: step %d does not come after step %d", l.out.path, step, l.last)
	}
	l.line = strconv.AppendInt(l.line[:0], int64(step), 10)
	for _, v := range values {
		l.line = append(l.line, ',')
		l.line = strconv.AppendFloat(l.line, float64(float32(v)), 'g', -1, 32)
	}
	l.line = append(l.line, '\n')
	if err := l.out.write(l.line); err != nil {
		return err
	}
	l.last = step
	return nil
}

// Sync brings all rows to the disk. Call it before the checkpoint of the same
// step is written, so that a run that goes on from there finds them.
func (l *Losses) Sync() error { return l.out.sync() }

// Close writes what is left and closes the file.
func (l *Losses) Close() error { return l.out.close() }
