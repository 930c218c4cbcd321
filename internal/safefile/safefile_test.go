package safefile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// writers are the two ways to write; every test holds for both.
var writers = map[string]func(string, func(io.Writer) error) error{
	"Write":         Write,
	"WriteUnsynced": WriteUnsynced,
}

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

// folder returns the names and contents of the files in dir.
func folder(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got[e.Name()] = string(b)
	}
	return got
}

func TestReplaces(t *testing.T) {
	for name, write := range writers {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "a")
			long := strings.Repeat("x", 3*bufferSize+1)
			for _, content := range []string{"old", "", long} {
				if err := write(path, text(content)); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(map[string]string{"a": content}, folder(t, dir)); diff != "" {
					t.Errorf("folder (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestFailureLeavesTheOldFile(t *testing.T) {
	broken := errors.New("broken")
	failures := map[string]func(io.Writer) error{
		"at once":      func(io.Writer) error { return broken },
		"half-way":     func(w io.Writer) error { fmt.Fprint(w, strings.Repeat("y", 2*bufferSize)); return broken },
		"full disk":    func(io.Writer) error { return &os.PathError{Op: "write", Path: "temp", Err: syscall.ENOSPC} },
		"in buffering": func(w io.Writer) error { fmt.Fprint(w, "y"); return broken },
	}
	for name, write := range writers {
		for kind, callback := range failures {
			t.Run(name+"/"+kind, func(t *testing.T) {
				dir := t.TempDir()
				path := filepath.Join(dir, "a")
				if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
					t.Fatal(err)
				}
				err := write(path, callback)
				if !errors.Is(err, broken) && !errors.Is(err, syscall.ENOSPC) {
					t.Errorf("error %v does not hold the callback's", err)
				}
				if err == nil || !strings.Contains(err.Error(), path) {
					t.Errorf("error %v does not name %s", err, path)
				}
				if diff := cmp.Diff(map[string]string{"a": "old"}, folder(t, dir)); diff != "" {
					t.Errorf("folder (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestPanicLeavesNoTemporaryFile(t *testing.T) {
	dir := t.TempDir()
	func() {
		defer func() { _ = recover() }()
		_ = Write(filepath.Join(dir, "a"), func(io.Writer) error { panic("broken") })
	}()
	if got := folder(t, dir); len(got) != 0 {
		t.Errorf("files left: %v", got)
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		dir:                              "is a directory",
		filepath.Join(dir, "no", "such"): "no such file or directory",
		filepath.Join(plain, "below"):    "not a directory",
		os.DevNull:                       "not a regular file",
	} {
		for name, write := range writers {
			err := write(path, text("new"))
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s(%s): error %v, want one that names the path and says %q", name, path, err, want)
			}
			if err != nil && strings.Contains(err.Error(), ".tmp") {
				t.Errorf("%s(%s): error %v names the temporary file", name, path, err)
			}
		}
	}
}

func TestReadOnlyFolder(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("skipped: root may write everywhere")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "a")
	if err := Write(path, text("new")); !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v, want permission denied for %s", err, path)
	}
}

func TestMode(t *testing.T) {
	dir := t.TempDir()
	plain, safe := filepath.Join(dir, "plain"), filepath.Join(dir, "safe")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Write(safe, text("")); err != nil {
		t.Fatal(err)
	}
	want, err := os.Stat(plain)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.Stat(safe)
	if err != nil {
		t.Fatal(err)
	}
	if got.Mode() != want.Mode() {
		t.Errorf("mode %v, want %v as os.WriteFile gives 0644", got.Mode(), want.Mode())
	}
}
