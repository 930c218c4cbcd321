package dataset

import (
	"image/color"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOpen(t *testing.T) {
	picture := asPNG(plain(color.White))
	dir := treeOf(t, map[string][]byte{
		"idx/train-images-idx3-ubyte": images, "idx/a.png": picture,
		"numbers/train_32x32.mat": matFile(matX, matY),
		"numbers/own.mat":         matFile(matX, matY),
		"faces/a/b.png":           picture,
		"points.csv":              []byte("1,2\n"),
		"points.txt":              []byte("1,2\n"),
		"empty/notes.txt":         nil,
	})
	for path, want := range map[string]struct {
		name  string
		shape []int
	}{
		"idx":             {"idx", []int{1, 2, 3}},
		"numbers":         {"numbers", []int{3, 2, 3}},
		"numbers/own.mat": {"own", []int{3, 2, 3}},
		"faces":           {"faces", []int{1, 5, 4}},
		"points.csv":      {"points", []int{2}},
	} {
		d, err := Open(t.Context(), filepath.Join(dir, path), []int{1, 5, 4})
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		name, licence := d.About()
		if name != want.name || licence != "" || !cmp.Equal(d.Shape(), want.shape) {
			t.Errorf("%s: %q, licence %q, shape %v, want %q, none, %v", path, name, licence, d.Shape(), want.name, want.shape)
		}
	}
	for path, want := range map[string]string{
		"missing":    "no such file",
		"points.txt": "expected a file *.mat or *.csv, or a folder of IDX files or pictures",
		"empty":      "no pictures: looked for *.png, *.jpg and *.jpeg, in sub-folders too; the folder holds notes.txt; nor are there IDX files (*idx3-ubyte*) or train_32x32.mat",
	} {
		path = filepath.Join(dir, path)
		if _, err := Open(t.Context(), path, []int{1, 5, 4}); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that names %s and says %q", err, path, want)
		}
	}
	if _, err := Open(t.Context(), filepath.Join(dir, "faces"), []int{2}); err == nil || !strings.Contains(err.Error(), "is a folder; expected a file *.csv of points") {
		t.Errorf("points from a folder: error %v", err)
	}
}
