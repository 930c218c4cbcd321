package ort

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain serves as the fresh process that a test of loading needs: it loads
// the libraries in its arguments, one after the other, and prints the errors.
func TestMain(m *testing.M) {
	if os.Getenv("ORT_TEST_LOAD") == "" {
		os.Exit(m.Run())
	}
	for _, library := range os.Args[1:] {
		fmt.Println(Load(context.Background(), library))
	}
	os.Exit(0)
}

// loadFresh returns what Load says in a new process, one line for each library.
func loadFresh(t *testing.T, env string, libraries ...string) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0], libraries...)
	cmd.Env = append(os.Environ(), "ORT_TEST_LOAD=1", LibraryEnv+"="+env,
		"GORACE=atexit_sleep_ms=0") // else each process lingers a second under -race
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != len(libraries) {
		t.Fatalf("%d lines, want %d:\n%s", len(lines), len(libraries), out)
	}
	return lines
}

func bundledLibrary(t *testing.T) string {
	t.Helper()
	path, err := fetchBundled(context.Background(), thisPlatform())
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// sharedLibrary compiles C source to a shared library.
func sharedLibrary(t *testing.T, source string) string {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("skipped: no C compiler called cc")
	}
	dir := t.TempDir()
	src, lib := filepath.Join(dir, "lib.c"), filepath.Join(dir, "lib.so")
	if err := os.WriteFile(src, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(cc, "-shared", "-fPIC", "-o", lib, src).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return lib
}

const remedy = "; ONNX Runtime 1.24 or newer, built for "

func TestWrongLibraries(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.so")
	if err := os.WriteFile(text, []byte("no library\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	foreign := sharedLibrary(t, `int answer(void) { return 42; }`)
	// An ONNX Runtime that does not have the version of the interface asked for.
	old := sharedLibrary(t, `
static const void *get_api(unsigned version) { return 0; }
static const char *version(void) { return "1.17.0"; }
static const struct { const void *(*get_api)(unsigned); const char *(*version)(void); } base = {get_api, version};
const void *OrtGetApiBase(void) { return &base; }`)

	tests := []struct{ name, library, want string }{
		{"missing", filepath.Join(dir, "none.so"), "no such file; it was to be ONNX Runtime's shared library (see ONNXRUNTIME_LIB)"},
		{"folder", dir, "a folder; expected ONNX Runtime's shared library itself (see ONNXRUNTIME_LIB)"},
		{"text", text, "not a shared library that can be loaded: "},
		{"another library", foreign, "a shared library, but not ONNX Runtime" + remedy},
		{"too old", old, "this ONNX Runtime is too old" + remedy},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := "ort: " + tt.library + ": " + tt.want
			if got := loadFresh(t, "", tt.library)[0]; !strings.HasPrefix(got, want) {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}

	t.Run("then a right one", func(t *testing.T) {
		got := loadFresh(t, "", text, old, bundledLibrary(t))
		if got[0] == "<nil>" || got[1] == "<nil>" || got[2] != "<nil>" {
			t.Errorf("got %q, want two errors and success", got)
		}
	})
}

func TestOneLibraryForTheProcess(t *testing.T) {
	library := bundledLibrary(t)
	other := filepath.Join(t.TempDir(), "other.so")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link.so")
	if err := os.Symlink(library, link); err != nil {
		t.Skipf("skipped: %v", err)
	}
	got := loadFresh(t, other, library, library, "", link, other)
	want := fmt.Sprintf("ort: %s cannot be loaded beside %s, which this process already uses", other, library)
	for i, w := range []string{"<nil>", "<nil>", "<nil>", "<nil>", want} {
		if got[i] != w {
			t.Errorf("load %d: got %s, want %s", i, got[i], w)
		}
	}
}

func TestWhichLibrary(t *testing.T) {
	library := bundledLibrary(t)
	missing := filepath.Join(t.TempDir(), "missing.so")
	if got := loadFresh(t, missing, "")[0]; !strings.Contains(got, missing) {
		t.Errorf("the environment's library was not asked for: %s", got)
	}
	if got := loadFresh(t, missing, library)[0]; got != "<nil>" {
		t.Errorf("a named library comes before the environment's: %s", got)
	}
	if got := loadFresh(t, "", "")[0]; got != "<nil>" {
		t.Errorf("the bundled library: %s", got)
	}
}

// dlopen looks for a bare name in the system's folders only.
func TestLibraryInTheCurrentFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(bundledLibrary(t), filepath.Join(dir, "local.so")); err != nil {
		t.Skipf("skipped: %v", err)
	}
	t.Chdir(dir)
	if got := loadFresh(t, "", "local.so")[0]; got != "<nil>" {
		t.Error(got)
	}
}

func TestUnsupportedPlatform(t *testing.T) {
	_, err := fetchBundled(context.Background(), "plan9/mips")
	want := "ort: no ONNX Runtime is bundled for plan9/mips: set ONNXRUNTIME_LIB to the path of a shared library of version 1.24 or newer"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// The other platforms' pins are checked too: the modules hold all of them.
func TestBundledPins(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: copies 100 MB")
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for platform, file := range bundled {
		if _, err := file.Fetch(context.Background()); err != nil {
			t.Errorf("%s: %v", platform, err)
		}
	}
}
