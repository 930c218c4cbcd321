// Package download fetches published files by HTTP.
//
// A file is pinned by size and SHA-256, so that neither the way nor the server
// has to be trusted, and stays in the user's cache.
package download

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/gantrain/gantrain/internal/safefile"
)

// File is a file that anyone can download, pinned by content.
type File struct {
	URL    string
	SHA256 string // 64 lower-case hexadecimal digits
	Size   int64  // in bytes
}

const retries = 4

// firstWait is how long to wait before the first retry; each wait is twice the
// one before it. Tests can't wait.
var firstWait = 500 * time.Millisecond

// Fetch returns the path of a copy of f in the user's cache, downloading it at
// first use. A transfer that breaks off goes on where it was.
//
// The cache is os.UserCacheDir ($XDG_CACHE_HOME on Linux), folder
// gantrain/HOST/PATH. What lies there was checked when it was downloaded, or put
// there by hand, and isn't checked again.
//
// Errors are one line, which says where to put the file where it can't be had.
func (f File) Fetch(ctx context.Context) (string, error) {
	path, err := f.place()
	if err != nil {
		return "", fmt.Errorf("download: %s: %w", f.URL, err)
	}
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", fmt.Errorf("download: %s: no place in the user's cache: %w", f.URL, err)
	}
	var getErr error
	err = safefile.Write(path, func(w io.Writer) error {
		getErr = f.get(ctx, w)
		return getErr
	})
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("download: %s: %w", f.URL, ctx.Err())
	case getErr != nil:
		return "", fmt.Errorf("download: %s: %w; it can be put by hand at %s", f.URL, getErr, path)
	case err != nil:
		return "", fmt.Errorf("download: %w", err)
	}
	return path, nil
}

// Is reports whether the file at path has f's content.
func (f File) Is(path string) (bool, error) {
	info, err := os.Stat(path) // opening a pipe would wait for its writer
	if err != nil || !info.Mode().IsRegular() || info.Size() != f.Size {
		return false, err
	}
	r, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer r.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, r); err != nil {
		return false, err
	}
	return fmt.Sprintf("%x", sum.Sum(nil)) == f.SHA256, nil
}

func (f File) place() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache folder to keep it in: %w", err)
	}
	u, err := url.Parse(f.URL)
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "gantrain", u.Hostname(), filepath.FromSlash(u.Path)), nil
}

// get downloads the file to w, in as many requests as it takes.
func (f File) get(ctx context.Context, w io.Writer) error {
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, f.URL, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept-Encoding", "identity") // a .gz file as it is
	sum := sha256.New()
	body := &receiver{File: f, dst: io.MultiWriter(w, sum)}
	req.SetResponseHandler(body.receive)

	client := retryablehttp.NewClient()
	client.Logger = nil
	client.RetryMax, client.RetryWaitMin = retries, firstWait
	client.CheckRetry = retryablehttp.ErrorPropagatedRetryPolicy
	client.PrepareRetry = func(r *http.Request) error {
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-", body.have))
		return nil
	}
	client.ErrorHandler = func(r *http.Response, err error, tries int) (*http.Response, error) {
		if r != nil {
			r.Body.Close()
		}
		if wrapped, ok := errors.AsType[*url.Error](err); ok { // which names the URL once more
			err = wrapped.Err
		}
		return nil, fmt.Errorf("after %d attempts: %w", tries, err)
	}
	if _, err := client.Do(req); err != nil {
		return err
	}
	switch got := fmt.Sprintf("%x", sum.Sum(nil)); {
	case body.failure != nil:
		return body.failure
	case body.have < f.Size:
		return fmt.Errorf("it has %d bytes, expected %d", body.have, f.Size)
	case body.have > f.Size:
		return fmt.Errorf("it has more than the expected %d bytes", f.Size)
	case got != f.SHA256:
		return fmt.Errorf("it has SHA-256 %s, expected %s", got, f.SHA256)
	}
	return nil
}

// receiver gathers a file from the responses to one or more requests.
type receiver struct {
	File
	dst     io.Writer
	have    int64
	failure error // one that another attempt wouldn't change
}

// receive takes one response. An error of it calls for another attempt.
func (b *receiver) receive(r *http.Response) error {
	defer r.Body.Close()
	switch rest := fmt.Sprintf("bytes %d-", b.have); {
	case r.StatusCode == http.StatusOK: // the whole file, also where a rest was asked for
		if _, err := io.CopyN(io.Discard, r.Body, b.have); err != nil {
			return err
		}
	case r.StatusCode == http.StatusPartialContent && strings.HasPrefix(r.Header.Get("Content-Range"), rest):
	default:
		b.failure = fmt.Errorf("the server answers %s", r.Status)
		return nil
	}
	_, err := io.Copy(b, io.LimitReader(r.Body, b.Size+1-b.have))
	if b.failure != nil || b.have >= b.Size {
		return nil
	}
	return err
}

func (b *receiver) Write(p []byte) (int, error) {
	n, err := b.dst.Write(p)
	b.have += int64(n)
	if err != nil {
		b.failure = err
	}
	return n, err
}
