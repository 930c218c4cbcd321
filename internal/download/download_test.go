package download

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var content = strings.Repeat("the pinned content. ", 5000)

// setup gives the test an empty cache and a server that answers with handle. It
// returns the file and its place in the cache.
func setup(t *testing.T, handle http.HandlerFunc) (File, string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"HOME", "XDG_CACHE_HOME", "LocalAppData"} {
		t.Setenv(name, dir)
	}
	old := firstWait
	firstWait = time.Millisecond
	server := httptest.NewServer(handle)
	t.Cleanup(func() {
		server.Close()
		firstWait = old
	})
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	f := File{URL: server.URL + "/data/file.bin", SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(content))), Size: int64(len(content))}
	return f, filepath.Join(cache, "gantrain", "127.0.0.1", "data", "file.bin")
}

// breaksOff serves the content, each time as far as the next of the given
// lengths. It heeds ranges where asked to, and notes those that came.
func breaksOff(heeds bool, ranges *[]string, lengths ...int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		asked := r.Header.Get("Range")
		*ranges = append(*ranges, asked)
		from, n := 0, len(content)
		if len(lengths) > 0 {
			n, lengths = lengths[0], lengths[1:]
		}
		if heeds && asked != "" {
			from, _ = strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(asked, "bytes="), "-"))
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(content)-1, len(content)))
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(content)-from))
		if from > 0 {
			w.WriteHeader(http.StatusPartialContent)
		}
		_, _ = w.Write([]byte(content[from:min(from+n, len(content))]))
	}
}

func TestFetch(t *testing.T) {
	tests := []struct {
		name    string
		heeds   bool
		lengths []int
		ranges  []string
	}{
		{"at once", true, nil, []string{""}},
		{"in three parts", true, []int{30000, 20000}, []string{"", "bytes=30000-", "bytes=50000-"}},
		{"without ranges", false, []int{30000, 20000, 60000}, []string{"", "bytes=30000-", "bytes=30000-", "bytes=60000-"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var ranges []string
			f, place := setup(t, breaksOff(test.heeds, &ranges, test.lengths...))
			for range 2 { // the second time from the cache
				got, err := f.Fetch(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if got != place {
					t.Errorf("path %s, want %s", got, place)
				}
			}
			b, err := os.ReadFile(place)
			if err != nil {
				t.Fatal(err)
			}
			if string(b) != content {
				t.Errorf("%d bytes, want the content's %d", len(b), len(content))
			}
			if diff := cmp.Diff(test.ranges, ranges); diff != "" {
				t.Errorf("ranges asked for (-want +got)\n%s", diff)
			}
			if info, err := os.ReadDir(filepath.Dir(place)); err != nil || len(info) != 1 {
				t.Errorf("files %v, error %v, want the one file", info, err)
			}
		})
	}
}

func TestFetchRetriesAnAilingServer(t *testing.T) {
	tries := 0
	f, _ := setup(t, func(w http.ResponseWriter, _ *http.Request) {
		if tries++; tries < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte(content))
	})
	if _, err := f.Fetch(t.Context()); err != nil || tries != 3 {
		t.Errorf("%d tries, error %v; want 3 and none", tries, err)
	}
}

func TestFetchTakesWhatIsThere(t *testing.T) {
	f, place := setup(t, func(http.ResponseWriter, *http.Request) { t.Error("the server was asked") })
	err := os.MkdirAll(filepath.Dir(place), 0o755)
	if err := errors.Join(err, os.WriteFile(place, []byte("by hand"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Fetch(t.Context()); got != place || err != nil {
		t.Errorf("%s, %v; want %s", got, err, place)
	}
}

func TestFetchRefuses(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	var ranges []string
	tests := []struct {
		name   string
		handle http.HandlerFunc
		want   string
	}{
		{"not found", answer(404, "no"), ": the server answers 404 Not Found; it can be put by hand at "},
		{"ailing", answer(503, ""), ": after 5 attempts: unexpected HTTP status 503 Service Unavailable; "},
		{"another page", answer(200, "<html>please log in"), ": it has 19 bytes, expected 100000; "},
		{"longer", answer(200, content+"!"), ": it has more than the expected 100000 bytes; "},
		{"endless", func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write([]byte(content)); err != nil {
					return
				}
			}
		}, ": it has more than the expected 100000 bytes; "},
		{"another content", answer(200, strings.Repeat("!", len(content))), ": it has SHA-256 "},
		{"breaks off and off", breaksOff(true, &ranges, 1, 1, 1, 1, 1), ": after 5 attempts: unexpected EOF; "},
		{"another range", func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") == "" {
				breaksOff(true, &ranges, 30000)(w, r)
				return
			}
			w.Header().Set("Content-Range", "bytes 0-99999/100000")
			w.WriteHeader(http.StatusPartialContent)
		}, ": the server answers 206 Partial Content; "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f, place := setup(t, test.handle)
			_, err := f.Fetch(t.Context())
			if err == nil || !strings.HasPrefix(err.Error(), "download: "+f.URL+test.want) || !strings.HasSuffix(err.Error(), place) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, want one line with %q and %s", err, test.want, place)
			}
			if left, err := os.ReadDir(filepath.Dir(place)); err != nil || len(left) > 0 {
				t.Errorf("files %v, error %v, want none", left, err)
			}
		})
	}
	t.Run("no server", func(t *testing.T) {
		f, _ := setup(t, nil)
		f.URL = "http://127.0.0.1:1/data/file.bin"
		if _, err := f.Fetch(t.Context()); err == nil || strings.Count(err.Error(), f.URL) != 1 || !strings.Contains(err.Error(), "after 5 attempts: dial tcp 127.0.0.1:1") {
			t.Errorf("error %v, want one that names %s once and says why", err, f.URL)
		}
	})
}

func TestFetchStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f, place := setup(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(content[:50000]))
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
	})
	if _, err := f.Fetch(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
	if left, err := os.ReadDir(filepath.Dir(place)); err != nil || len(left) > 0 {
		t.Errorf("files %v, error %v, want none", left, err)
	}
}

// TestFetchNoPlace has a folder in the file's place: what can't be written is
// not asked for again.
func TestFetchNoPlace(t *testing.T) {
	tries := 0
	f, place := setup(t, func(w http.ResponseWriter, _ *http.Request) {
		tries++
		_, _ = w.Write([]byte(content))
	})
	if err := os.MkdirAll(place, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Fetch(t.Context()); err == nil || !strings.Contains(err.Error(), place+": is a directory") || tries > 0 {
		t.Errorf("error %v after %d requests, want one that names the folder, and none", err, tries)
	}
	tries = 0
	full := errors.New("no space left")
	if err := f.get(t.Context(), writer(func([]byte) (int, error) { return 0, full })); !errors.Is(err, full) || tries != 1 {
		t.Errorf("error %v after %d requests, want %v and 1", err, tries, full)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }
