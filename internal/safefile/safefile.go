// Package safefile writes files whole or not at all: the content goes to a
// temporary name in the same folder and takes the real name only once it is
// complete. A reader never sees half a file, and a failure to write leaves
// whatever stood there before.
package safefile

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
)

const bufferSize = 64 << 10

// buffers spares each of thousands of small files a buffer of its own.
var buffers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, bufferSize) }}

// Write gives path the content that write produces, replacing a file of that
// name. When it returns nil, the content and the name have reached the disk.
// The mode is 0644 less the umask. An error names path, and the temporary file
// is gone after it. The old file, if any, is then untouched, with one exception:
// where only the last step fails, to bring the new name to the disk, path has
// the new content already, but may lose it if the power fails.
func Write(path string, write func(io.Writer) error) error {
	return replace(path, write, true)
}

// WriteUnsynced is Write without waiting for the disk: right for pictures and
// other output that is cheap to make again, and many times faster for
// thousands of small files. After a loss of power the file may be empty.
func WriteUnsynced(path string, write func(io.Writer) error) error {
	return replace(path, write, false)
}

func replace(path string, write func(io.Writer) error, sync bool) (err error) {
	// A rename over a folder fails late and over a device or pipe succeeds,
	// replacing it: neither is wanted.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("writing %s: %s", path, kind(info.Mode()))
	}
	// The random part keeps two writers apart; O_EXCL makes sure of it.
	temp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+rand.Text()[:10]+".tmp")
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return failure(path, err)
	}
	done := false
	defer func() { // also after a panic in write
		if !done {
			f.Close()
			os.Remove(temp)
		}
	}()

	b := buffers.Get().(*bufio.Writer)
	defer buffers.Put(b)
	b.Reset(f)
	if err := write(b); err != nil {
		return failure(path, err)
	}
	if err := b.Flush(); err != nil {
		return failure(path, err)
	}
	if sync {
		if err := f.Sync(); err != nil {
			return failure(path, err)
		}
	}
	// Some file systems report a full disk only here.
	if err := f.Close(); err != nil {
		return failure(path, err)
	}
	if err := os.Rename(temp, path); err != nil {
		return failure(path, err)
	}
	done = true
	if sync {
		return syncDir(path)
	}
	return nil
}

// syncDir makes the new name of path durable. Windows has no such call.
func syncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return failure(path, err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return failure(path, err)
	}
	return nil
}

// failure names the file that was asked for: the operating system's error
// would name the temporary one.
func failure(path string, err error) error {
	return fmt.Errorf("writing %s: %w", path, Reason(err))
}

// Reason drops the paths from an error of the operating system, for who names
// the file otherwise.
func Reason(err error) error {
	var pathErr *fs.PathError
	var linkErr *os.LinkError
	switch {
	case errors.As(err, &pathErr):
		return pathErr.Err
	case errors.As(err, &linkErr):
		return linkErr.Err
	}
	return err
}

func kind(m fs.FileMode) string {
	if m.IsDir() {
		return "is a directory"
	}
	return "exists and is not a regular file"
}
