package gomodule

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
)

// install copies src to dst, whole or not at all, and checks it on the way.
func (f File) install(src, dst string) (err error) {
	in, err := os.Open(src)
	if err != nil {
		return err
	}
	defer in.Close()
	tmp, err := os.CreateTemp(filepath.Dir(dst), ".partial-*")
	if err != nil {
		return cacheError(err)
	}
	defer func() {
		tmp.Close()
		if err != nil {
			os.Remove(tmp.Name())
		}
	}()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(tmp, sum), io.LimitReader(in, f.Size+1))
	if err != nil {
		return err
	}
	if err := f.check(n, sum); err != nil {
		return err
	}
	// Others than the user who made it may be given the cache to read.
	if err := tmp.Chmod(0o644); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	info, err := tmp.Stat()
	if err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), dst); err != nil {
		// Windows replaces no file that is in use; it may be another
		// process's copy, just finished.
		if f.verified(dst) {
			os.Remove(tmp.Name())
			return nil
		}
		return cacheError(err)
	}
	f.stamp(dst, info)
	return nil
}

func cacheError(err error) error {
	return fmt.Errorf("cannot keep a copy in the user's cache ($XDG_CACHE_HOME): %w", err)
}

// check compares a length and a hash with the pinned ones.
func (f File) check(n int64, sum hash.Hash) error {
	if n != f.Size {
		return fmt.Errorf("the module's file is not of the expected %d bytes", f.Size)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.SHA256 {
		return fmt.Errorf("the module's file has SHA-256 %s, expected %s", got, f.SHA256)
	}
	return nil
}

// verified tells whether path holds the pinned content.
//
// Hashing a shared library of 25 MB takes as long as loading it. So the stamp
// beside it says what was hashed, and only a file that differs from its stamp,
// or has none because it was put there by hand, is read.
func (f File) verified(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() != f.Size {
		return false
	}
	if old, err := os.ReadFile(stampPath(path)); err == nil && string(old) == f.stampText(info) {
		return true
	}
	in, err := os.Open(path)
	if err != nil {
		return false
	}
	defer in.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, io.LimitReader(in, f.Size+1))
	if err != nil || f.check(n, sum) != nil {
		return false
	}
	f.stamp(path, info)
	return true
}

// stamp notes that path has been hashed. info is from before the hash, so that
// a later change shows. A stamp that cannot be written only costs a hash next
// time.
func (f File) stamp(path string, info os.FileInfo) {
	_ = os.WriteFile(stampPath(path), []byte(f.stampText(info)), 0o644)
}

func stampPath(path string) string { return path + ".verified" }

func (f File) stampText(info os.FileInfo) string {
	return fmt.Sprintf("%s %d %d\n", f.SHA256, info.Size(), info.ModTime().UnixNano())
}
