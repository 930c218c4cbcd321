package main

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// FuzzInspect gives any bytes as a model: it is described or refused in one line,
// without a panic and in memory that its size accounts for.
func FuzzInspect(f *testing.F) {
	dir := f.TempDir()
	if err := writeModels(dir); err != nil {
		f.Fatal(err)
	}
	models, err := filepath.Glob(filepath.Join(dir, "*.onnx"))
	if err != nil || len(models) == 0 {
		f.Fatalf("%d models, %v", len(models), err)
	}
	for _, m := range models {
		b, err := os.ReadFile(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	path := filepath.Join(dir, "fuzz")
	f.Fuzz(func(t *testing.T, file []byte) {
		if err := os.WriteFile(path, file, 0o644); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := inspect(io.Discard, path)
		runtime.ReadMemStats(&after)
		if err != nil && (strings.ContainsAny(err.Error(), "\n\r") || len(err.Error()) > 4000) {
			t.Errorf("an error of several lines or endless: %q", err)
		}
		// A message of two bytes takes some hundred when decoded.
		if took, most := after.TotalAlloc-before.TotalAlloc, uint64(1<<20+400*len(file)); took > most {
			t.Errorf("%d bytes allocated for a file of %d, want at most %d", took, len(file), most)
		}
	})
}
