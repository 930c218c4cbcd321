package train

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gantrain/gantrain/train/record"
)

// runFiles are the names that a run writes into its folder. run.json is the
// last: until it is gone, the folder is known as a run's.
var runFiles = []string{
	"checkpoints", "samples", "losses.csv", "losses.png", record.EventsFile, "histogram.png", "report.html", "generator.onnx", "generator-plain.onnx", "discriminator.onnx", "run.json",
}

// runPatterns are the files within the folders of a run.
var runPatterns = []string{
	lockFile, "checkpoints/step-*.safetensors", "checkpoints/step-*.safetensors.damaged",
	"samples/step-*.png", "samples/real.png", "samples/samples.gif",
	"checkpoints/.step-*.tmp", "samples/.*.tmp", // of a process that was killed as it wrote
}

// aside is where the files of a run lie while another takes their place.
const aside = ".replaced"

// SetAside makes place for a new run in a folder. The files of the run that it
// holds are kept until the new one has started: discard then removes them,
// restore puts them back. Files that no run has written are left where they
// are, and in the way they are an error, as is a process that still writes the
// run.
func SetAside(folder string) (discard, restore func() error, err error) {
	if err := errors.Join(unlocked(folder), onlyRunFiles(folder)); err != nil {
		return nil, nil, err
	}
	keep := filepath.Join(folder, aside)
	err = os.Mkdir(keep, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return nil, nil, fmt.Errorf("train: %s has the files of the run before one that is just starting, or was killed as it did: if none is, move them elsewhere or remove them", keep)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("train: %w", err)
	}
	restore = func() error { return errors.Join(moveRun(keep, folder), os.Remove(keep)) }
	if err := moveRun(folder, keep); err != nil {
		return nil, nil, errors.Join(err, restore())
	}
	return func() error { return os.RemoveAll(keep) }, restore, nil
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

func moveRun(from, to string) error {
	for _, name := range runFiles {
		err := os.Rename(filepath.Join(from, name), filepath.Join(to, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("train: %w", err)
		}
	}
	return nil
}

// removeRun removes what a run that could not start has written.
func removeRun(folder string) error {
	for _, name := range runFiles {
		if err := os.RemoveAll(filepath.Join(folder, name)); err != nil {
			return fmt.Errorf("train: %w", err)
		}
	}
	return nil
}
