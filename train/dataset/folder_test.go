package dataset

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// folderOf makes a folder called "mine" with these files.
func folderOf(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "mine")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestIDX(t *testing.T) {
	tests := []struct {
		name   string
		files  map[string][]byte
		labels []byte
	}{
		{"plain", map[string][]byte{"train-images-idx3-ubyte": images, "train-labels-idx1-ubyte": labels}, []byte{7, 9}},
		{"gzip", map[string][]byte{"train-images-idx3-ubyte.gz": zip(images), "train-labels-idx1-ubyte.gz": zip(labels)}, []byte{7, 9}},
		{"dots", map[string][]byte{"train-images.idx3-ubyte": images, "train-labels.idx1-ubyte": labels}, []byte{7, 9}},
		{"mixed", map[string][]byte{"train-images.idx3-ubyte": images, "train-labels-idx1-ubyte.gz": zip(labels)}, []byte{7, 9}},
		{"no labels", map[string][]byte{"train-images-idx3-ubyte": images}, nil},
		{"test files beside", map[string][]byte{"train-images-idx3-ubyte": images, "t10k-images-idx3-ubyte": nil, "t10k-labels-idx1-ubyte": nil}, nil},
		{"one of another name", map[string][]byte{"letters-images-idx3-ubyte.gz": zip(images), "letters-labels-idx1-ubyte": labels}, []byte{7, 9}},
		{"one without images in its name", map[string][]byte{"faces.idx3-ubyte": images, "faces.idx1-ubyte": labels}, []byte{7, 9}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := IDX(folderOf(t, test.files))
			if err != nil {
				t.Fatal(err)
			}
			want := &Images{Name: "mine", Channels: 1, Height: 2, Width: 3, Pixels: pixels, Labels: test.labels}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestIDXRefuses(t *testing.T) {
	many := map[string][]byte{}
	for name := range strings.SplitSeq("abcdefghij", "") {
		many[name] = nil
	}
	tests := []struct {
		name  string
		files map[string][]byte
		want  []string
	}{
		{"nothing", nil, []string{"looked for train-images-idx3-ubyte, train-images-idx3-ubyte.gz", "the folder holds no files"}},
		{"others", map[string][]byte{"a.png": nil, "b.png": nil}, []string{"the folder holds a.png, b.png"}},
		{"many others", many, []string{"the folder holds a, b, c, d, e, f, g, h and 2 more"}},
		{"two", map[string][]byte{"a-idx3-ubyte": nil, "b-idx3-ubyte": nil}, []string{"2 files are named *idx3-ubyte* (a-idx3-ubyte, b-idx3-ubyte)"}},
		{"empty images", map[string][]byte{"train-images-idx3-ubyte": nil}, []string{"train-images-idx3-ubyte: the file is empty"}},
		{"fewer labels", map[string][]byte{"train-images-idx3-ubyte": images, "train-labels-idx1-ubyte": idx(0x801, []uint32{1}, []byte{1})}, []string{
			"train-labels-idx1-ubyte: holds 1 labels, but train-images-idx3-ubyte holds 2 images",
		}},
		{"images as labels", map[string][]byte{"train-images-idx3-ubyte": images, "train-labels-idx1-ubyte": images}, []string{
			"train-labels-idx1-ubyte: magic number is 0x00000803, expected 0x00000801: this is an image file",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := folderOf(t, test.files)
			_, err := IDX(dir)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range append(test.want, "dataset: "+dir) {
				if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
					t.Errorf("error %q, want one line with %q", err, want)
				}
			}
		})
	}
	dir := folderOf(t, map[string][]byte{"file": images})
	for path, want := range map[string]string{
		filepath.Join(dir, "file"):    "is a file; expected the folder",
		filepath.Join(dir, "missing"): "no such file",
	} {
		if _, err := IDX(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", path, err, want)
		}
	}
}
