package ort

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	onnx "github.com/yalue/onnxruntime_go"
)

// LibraryEnv is the environment variable that names ONNX Runtime's shared
// library, for a build other than the bundled one.
const LibraryEnv = "ONNXRUNTIME_LIB"

// oldest is the first version that has the C interface that the binding asks
// for.
const oldest = "1.24"

// The binding keeps one library and one environment for the whole process.
var (
	loading = make(chan struct{}, 1) // a mutex that a context can give up on
	loaded  string                   // absolute path; guarded by loading
)

// Load loads ONNX Runtime unless it is loaded already. The library is the one
// named, else the one in $ONNXRUNTIME_LIB, else the bundled one, which is
// fetched at first use.
//
// A process holds one library for good: asking for another is an error, and an
// empty name means whichever is loaded.
func Load(ctx context.Context, library string) error {
	select {
	case loading <- struct{}{}:
		defer func() { <-loading }()
	case <-ctx.Done():
		return fmt.Errorf("ort: loading ONNX Runtime: %w", ctx.Err())
	}
	if loaded != "" {
		if library == "" || sameFile(library, loaded) {
			return nil
		}
		return fmt.Errorf("ort: %s cannot be loaded beside %s, which this process already uses", library, loaded)
	}

	path := cmp.Or(library, os.Getenv(LibraryEnv))
	if path == "" {
		var err error
		if path, err = fetchBundled(ctx, thisPlatform()); err != nil {
			return err
		}
	}
	path, err := libraryFile(path)
	if err != nil {
		return err
	}
	onnx.SetSharedLibraryPath(path)
	// ONNX Runtime prints its errors besides returning them; they are told once.
	if err := onnx.InitializeEnvironment(onnx.WithLogLevelFatal()); err != nil {
		return fmt.Errorf("ort: %s: %s; ONNX Runtime %s or newer, built for %s, is needed (see %s)",
			path, loadFailure(err, path), oldest, thisPlatform(), LibraryEnv)
	}
	loaded = path
	// Official Windows builds report usage; elsewhere there is nothing to turn off.
	_ = onnx.DisableTelemetry()
	return nil
}

// Version is the version of the library that is loaded, or empty.
func Version() string {
	loading <- struct{}{}
	defer func() { <-loading }()
	if loaded == "" {
		return ""
	}
	return onnx.GetVersion()
}

// libraryFile makes path absolute, without which the system's loader would look
// for a bare name in its own folders and not in the current one.
func libraryFile(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("ort: ONNX Runtime's library: %w", err)
	}
	info, err := os.Stat(abs)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", fmt.Errorf("ort: %s: no such file; it was to be ONNX Runtime's shared library (see %s)", abs, LibraryEnv)
	case err != nil:
		return "", fmt.Errorf("ort: ONNX Runtime's library: %w", err)
	case info.IsDir():
		return "", fmt.Errorf("ort: %s: a folder; expected ONNX Runtime's shared library itself (see %s)", abs, LibraryEnv)
	}
	return abs, nil
}

// loadFailure says in our words what the binding's error means.
func loadFailure(err error, path string) string {
	text := oneLine(err).Error()
	switch {
	case strings.Contains(text, "ORT API base: 2"):
		return "this ONNX Runtime is too old"
	case strings.Contains(text, "OrtGetApiBase"):
		return "a shared library, but not ONNX Runtime"
	case strings.Contains(text, "Error loading"):
		// The loader's own reason follows the path, which it may repeat.
		if i := strings.LastIndex(text, path); i >= 0 {
			text = text[i+len(path):]
		}
		return "not a shared library that can be loaded: " + strings.Trim(text, `": `)
	}
	return text
}

func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}
