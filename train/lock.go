package train

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// lockFile is locked by the process that writes a run. The lock ends with the
// process, however that ends; the file stays.
const lockFile = "checkpoints/.lock"

// lock takes a run's folder for this process.
func lock(folder string) (*flock.Flock, error) { return take(filepath.Join(folder, lockFile), folder) }

// take locks a file on which the run in a folder depends.
func take(file, folder string) (*flock.Flock, error) {
	l := flock.New(file)
	ok, err := l.TryLock()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("train: %s is no run folder: it has no checkpoints", folder)
	case err != nil:
		return nil, fmt.Errorf("train: %w", err)
	case !ok:
		return nil, fmt.Errorf("train: %s is being written by another process: wait for it or end it", folder)
	}
	return l, nil
}

// unlocked is an error while another process writes a run in the folder.
func unlocked(folder string) error {
	if _, err := os.Stat(filepath.Join(folder, lockFile)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	l, err := lock(folder)
	if err != nil {
		return err
	}
	return l.Close()
}
