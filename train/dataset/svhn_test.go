package dataset

import (
	"bufio"
	"compress/zlib"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gantrain/gantrain/internal/download"
)

// TestSVHNOfSciPy reads what testdata/svhn.py made.
func TestSVHNOfSciPy(t *testing.T) {
	want := &Images{Channels: 3, Height: 2, Width: 3, Labels: []byte{1, 9, 0, 2}}
	for picture := range 4 {
		for channel := range 3 {
			for y := range 2 {
				for x := range 3 {
					want.Pixels = append(want.Pixels, byte(100*picture+30*channel+10*y+x))
				}
			}
		}
	}
	for _, name := range []string{"svhn", "svhn_plain"} {
		want.Name = name
		got, err := Open(t.Context(), filepath.Join("testdata", name+".mat"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Set(want), got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

func TestSVHNInAFolder(t *testing.T) {
	dir := folderOf(t, map[string][]byte{svhnName: matFile(matX, matY)})
	got, err := Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.Len() != 2 {
		t.Errorf("%d pictures, want 2", got.Len())
	}
}

// serve answers for the address of a published file with content, and gives
// the test an empty cache.
func serve(t *testing.T, file *download.File, content []byte) {
	t.Helper()
	emptyCache(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(content)
	}))
	old := *file
	t.Cleanup(func() {
		server.Close()
		*file = old
	})
	*file = download.File{URL: server.URL + "/" + filepath.Base(old.URL), SHA256: fmt.Sprintf("%x", sha256.Sum256(content)), Size: int64(len(content))}
}

// emptyCache returns the user's cache folder for the time of the test.
func emptyCache(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("XDG_CACHE_HOME", dir)
	t.Setenv("LocalAppData", dir)
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return cache
}

func TestSVHNDownloads(t *testing.T) {
	serve(t, &svhnFile, matFile(matX, matY))
	_, err := SVHN(t.Context())
	if want := "holds 2 pictures of 3x2x3, expected 73257 of 3x32x32"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
}

// A copy of the published file carries its licence, another file of its form none.
func TestSVHNOfOnesOwn(t *testing.T) {
	published, other := matFile(matX, matY), matFile(matX, matY)
	other[100]++ // of the header's text
	dir := folderOf(t, map[string][]byte{"copy.mat": published, "other.mat": other})
	old := svhnFile
	t.Cleanup(func() { svhnFile = old })
	svhnFile.SHA256, svhnFile.Size = fmt.Sprintf("%x", sha256.Sum256(published)), int64(len(published))
	for file, want := range map[string][2]string{"copy.mat": {"SVHN", svhnLicence}, "other.mat": {"other", ""}} {
		d, err := Open(t.Context(), filepath.Join(dir, file), []int{3, 2, 3})
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if name, licence := d.About(); name != want[0] || licence != want[1] {
			t.Errorf("%s: %q, licence %q, want %q", file, name, licence, want)
		}
	}
}

// value is pixel i of the generated file: 6 bits of chance, so that it deflates
// as far as the published one.
func value(i int) byte { return byte(uint32(i) * 2654435761 >> 26) }

// TestSVHNFullSize reads a file as large as the published one, put into the
// cache by hand, and allocates hardly more than its pixels take.
func TestSVHNFullSize(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: writes and reads 225 MB")
	}
	path := filepath.Join(emptyCache(t), "gantrain", "ufldl.stanford.edu", "housenumbers", svhnName)
	writeFullSize(t, path)

	before := allocated()
	d, err := SVHN(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const size = 32 * 32 * 3 * svhnCount
	// The labels, a decompressor and buffers come to less than a megabyte.
	if got := allocated() - before; got > size+1<<20 {
		t.Errorf("%d bytes allocated, want at most a megabyte more than %d", got, size)
	}
	if len(d.Pixels) != size {
		t.Fatalf("%d bytes of pixels, want %d", len(d.Pixels), size)
	}
	wrong := 0
	for i, p := range d.Pixels {
		y, x, plane := i/32%32, i%32, i/(32*32)
		if p != value(plane*32*32+x*32+y) {
			wrong++
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d pixels are wrong", wrong, size)
	}
	for i, l := range d.Labels {
		if int(l) != (i+1)%10 {
			t.Fatalf("label %d of picture %d, want %d", l, i, (i+1)%10)
		}
	}
}

// writeFullSize writes a file of SVHN's size, labels first.
func writeFullSize(t *testing.T, path string) {
	t.Helper()
	const size = 32 * 32 * 3 * svhnCount
	labels := make([]byte, svhnCount)
	for i := range labels {
		labels[i] = byte(i%10 + 1)
	}
	start := matFile(matCompress(matVariable("y", []int32{svhnCount, 1}, matUint8, labels, matElement)))
	// The variable without its values, which follow by themselves.
	x := matVariable("X", []int32{32, 32, 3, svhnCount}, matUint8, nil, matLarge)
	binary.LittleEndian.PutUint32(x[4:], uint32(len(x)-8+size))
	binary.LittleEndian.PutUint32(x[len(x)-4:], size)

	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := bufio.NewWriterSize(f, 1<<20)
	_, err = b.Write(append(start, matLarge(matCompressed, nil)...))
	z, levelErr := zlib.NewWriterLevel(b, zlib.HuffmanOnly)
	err = errors.Join(err, levelErr)
	chunk := make([]byte, 3072)
	_, headErr := z.Write(x)
	err = errors.Join(err, headErr)
	for i := 0; i < size && err == nil; i += len(chunk) {
		for j := range chunk {
			chunk[j] = value(i + j)
		}
		_, err = z.Write(chunk)
	}
	err = errors.Join(err, z.Close(), b.Flush())
	end, seekErr := f.Seek(0, io.SeekEnd)
	tag := binary.LittleEndian.AppendUint32(nil, uint32(int(end)-len(start)-8))
	_, writeErr := f.WriteAt(tag, int64(len(start)+4))
	if err := errors.Join(err, seekErr, writeErr); err != nil {
		t.Fatal(err)
	}
}
