package train

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/gantrain/gantrain/train/record"
)

// runFiles are the names that a run writes into its folder. run.json is the
// last: until it is gone, the folder is known as a run's. The checkpoints are the
// first: without them nothing is trained.
var runFiles = []string{
	"checkpoints", "samples", "losses.csv", "losses.png", record.EventsFile, "histogram.png", "report.html", "generator.onnx", "generator-plain.onnx", "discriminator.onnx", "run.json",
}

// runPatterns are the files within the folders of a run.
var runPatterns = []string{
	lockFile, "checkpoints/step-*.safetensors", "checkpoints/step-*.safetensors.damaged",
	"samples/step-*.png", "samples/real.png", "samples/samples.gif",
	"checkpoints/.step-*.tmp", "samples/.*.tmp", // of a process that was killed as it wrote
}

// aside is where the files of a run lie while another takes their place. The
// process that sees to it holds the lock there.
const (
	aside     = ".replaced"
	asideLock = ".lock"
)

// SetAside makes place for a new run in a folder. The files of the run that it
// holds are kept until the new one has started: discard then removes them,
// restore puts them back; after a process that does neither, [Recover] does. Files
// that no run has written are left where they are, and in the way they are an
// error, as is a process that still writes the run.
func SetAside(folder string) (discard, restore func() error, err error) {
	for _, ready := range []func(string) error{unlocked, Recover, onlyRunFiles} {
		if err := ready(folder); err != nil {
			return nil, nil, err
		}
	}
	keep := filepath.Join(folder, aside)
	if err := os.Mkdir(keep, 0o755); err != nil {
		return nil, nil, fmt.Errorf("train: %w", err)
	}
	l, err := take(filepath.Join(keep, asideLock), folder)
	if err != nil {
		return nil, nil, err
	}
	discard = func() error { return errors.Join(l.Close(), removeAside(keep)) }
	restore = func() error {
		if err := putBack(keep, folder); err != nil {
			return errors.Join(err, l.Close()) // what is still aside stays there
		}
		return discard()
	}
	err = moveRun(folder, keep, runFiles)
	if err == nil {
		err = unlocked(keep) // no process has begun to write it meanwhile
	}
	if err != nil {
		return nil, nil, errors.Join(err, restore())
	}
	return discard, restore, nil
}

// Recover clears up after a process that was killed while it replaced the run in a
// folder: the run is put back, unless the new one came to its first checkpoint.
func Recover(folder string) error {
	keep := filepath.Join(folder, aside)
	if _, err := os.ReadDir(keep); errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil // nothing lies aside, or there is no folder at all
	}
	l, err := take(filepath.Join(keep, asideLock), folder)
	if err != nil {
		return err
	}
	_, noReport := ReadReport(folder)
	_, noCheckpoint := Checkpoints(folder)
	if noReport != nil || noCheckpoint != nil {
		// run.json is the last to be set aside and the first to be put back: where
		// it lies, all of the run does, and what is in the folder is the new one's.
		if _, absent := os.Stat(filepath.Join(keep, "run.json")); absent == nil {
			err = removeRun(folder)
		}
		err = errors.Join(err, putBack(keep, folder))
	}
	if err := errors.Join(err, l.Close()); err != nil {
		return err
	}
	return removeAside(keep)
}

// onlyRunFiles checks that what has the name of a run's file is a run's.
func onlyRunFiles(folder string) error {
	known := map[string]bool{}
	for _, pattern := range runPatterns {
		found, err := fs.Glob(os.DirFS(folder), pattern)
		if err != nil {
			return fmt.Errorf("train: %s: %w", folder, err)
		}
		for _, name := range found {
			known[name] = true
		}
	}
	_, noRun := ReadReport(folder)
	for _, name := range runFiles {
		if _, err := os.Lstat(filepath.Join(folder, name)); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if noRun != nil {
			return fmt.Errorf("train: %s is in the way, and not part of a run", filepath.Join(folder, name))
		}
		entries, _ := os.ReadDir(filepath.Join(folder, name)) // none in a file
		for _, e := range entries {
			if !known[name+"/"+e.Name()] {
				return fmt.Errorf("train: %s is in the way, and not part of the run", filepath.Join(folder, name, e.Name()))
			}
		}
	}
	return nil
}

// putBack undoes moveRun(folder, keep, runFiles), from the last file to the first.
func putBack(keep, folder string) error {
	names := slices.Clone(runFiles)
	slices.Reverse(names)
	return moveRun(keep, folder, names)
}

func moveRun(from, to string, names []string) error {
	for _, name := range names {
		err := os.Rename(filepath.Join(from, name), filepath.Join(to, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("train: %w", err)
		}
	}
	return nil
}

// removeAside removes what was set aside, and nothing else.
func removeAside(keep string) error {
	if err := removeRun(keep); err != nil {
		return err
	}
	return errors.Join(os.Remove(filepath.Join(keep, asideLock)), os.Remove(keep))
}

// removeRun removes what a run has written into its folder.
func removeRun(folder string) error {
	for _, name := range runFiles {
		if err := os.RemoveAll(filepath.Join(folder, name)); err != nil {
			return fmt.Errorf("train: %w", err)
		}
	}
	return nil
}
