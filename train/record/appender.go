package record

import (
	"bufio"
	"fmt"
	"io"
	"os"
)

// appender is a file that grows at its end. What is written gathers in memory
// until sync or close or until a few kilobytes have come together.
type appender struct {
	path   string
	file   *os.File
	buffer *bufio.Writer
}

// newAppender starts a file with a head, which reaches it at once, so that the
// file can always be opened again. A file of that name must not exist.
func newAppender(path string, head []byte) (appender, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return appender{}, fmt.Errorf("record: %w", err)
	}
	if _, err := f.Write(head); err != nil {
		f.Close()
		return appender{}, fmt.Errorf("record: %w", err)
	}
	return appender{path, f, bufio.NewWriter(f)}, nil
}

// openAppender goes on with a file, which check reads first.
func openAppender(path string, check func(io.Reader) error) (appender, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return appender{}, fmt.Errorf("record: %w", err)
	}
	if err := check(f); err != nil {
		f.Close()
		return appender{}, fmt.Errorf("record: %s: %w", path, err)
	}
	return appender{path, f, bufio.NewWriter(f)}, nil
}

func (a *appender) write(parts ...[]byte) error {
	for _, p := range parts {
		if _, err := a.buffer.Write(p); err != nil {
			return fmt.Errorf("record: %w", err)
		}
	}
	return nil
}

// sync brings all that was written to the disk.
func (a *appender) sync() error {
	err := a.buffer.Flush()
	if err == nil {
		err = a.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// close writes what is left and closes the file.
func (a *appender) close() error {
	err := a.buffer.Flush()
	if closing := a.file.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// cut shortens a file to what keep says after reading it, and brings that to
// the disk.
func cut(path string, keep func(io.Reader) (int64, error)) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	defer f.Close()
	end, err := keep(f)
	if err != nil {
		return fmt.Errorf("record: %s: %w", path, err)
	}
	if err := f.Truncate(end); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}
