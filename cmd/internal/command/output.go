package command

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// NewFile returns an error where a file of that name must not or cannot be
// written: it exists and force is false, it is a folder, a device or anything
// else but a regular file, or its folder is missing. It writes nothing.
func NewFile(path string, force bool) error {
	info, err := os.Lstat(path)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if target, err := os.Stat(path); err == nil { // else the link leads nowhere, and stays
			info = target
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return parent(path)
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a folder, want a file", path)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", path)
	case !force:
		return fmt.Errorf("%s exists: --force overwrites it", path)
	}
	return nil
}

func parent(path string) error {
	dir := filepath.Dir(path)
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s cannot be written: folder %s does not exist", path, dir)
	case err != nil:
		return fmt.Errorf("%s cannot be written: %w", path, err)
	case !info.IsDir():
		return fmt.Errorf("%s cannot be written: %s is not a folder", path, dir)
	}
	return nil
}

// NewFolder makes the folder with its parents, or takes one that is empty or,
// with force, any. It says whether the folder is new.
func NewFolder(path string, force bool) (created bool, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, os.MkdirAll(path, 0o755)
	case err != nil:
		return false, err
	case !info.IsDir():
		return false, fmt.Errorf("%s is a file, want a folder", path)
	case force:
		return false, nil
	}
	dir, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer dir.Close()
	switch _, err := dir.Readdirnames(1); {
	case err == nil:
		return false, fmt.Errorf("%s is not empty: --force writes into it", path)
	case err != io.EOF: // what an empty folder gives
		return false, err
	}
	return false, nil
}

// resolved returns one name for all names of a file.
func resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return path
}

// Same finds the first of the paths that names the file of an earlier one, and
// returns the numbers of both. An empty path names none.
func Same(paths ...string) (earlier, later int, same bool) {
	seen := map[string]int{}
	for i, path := range paths {
		if path == "" {
			continue
		}
		path = resolved(path)
		if first, ok := seen[path]; ok {
			return first, i, true
		}
		seen[path] = i
	}
	return 0, 0, false
}
