package keras

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"testing"
)

// npyFile is a file of NumPy's format 1.0.
func npyFile(header string, data any) []byte {
	header += "\n"
	b := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), byte(len(header)>>8))
	b, err := binary.Append(append(b, header...), binary.LittleEndian, data)
	if err != nil {
		panic(err)
	}
	return b
}

func header(descr, order, shape string) string {
	return fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': (%s), }", descr, order, shape)
}

func TestArraysOfAllTypes(t *testing.T) {
	for _, c := range []struct {
		descr, shape string
		data         any
		want         []int
		values       []float64
	}{
		{"<f4", "2, 2", []float32{1, -2, 0.5, 3}, []int{2, 2}, []float64{1, -2, 0.5, 3}},
		{"<f8", "1,", []float64{math.Pi}, []int{1}, []float64{math.Pi}},
		{"<i4", "3,", []int32{-1, 0, 1 << 30}, []int{3}, []float64{-1, 0, 1 << 30}},
		{"<i8", "1, 1", []int64{-5}, []int{1, 1}, []float64{-5}},
		{"|u1", "2, 1, 1", []uint8{0, 255}, []int{2, 1, 1}, []float64{0, 255}},
		{"<f8", "", []float64{7}, []int{}, []float64{7}},
	} {
		a, err := parseArray(npyFile(header(c.descr, "False", c.shape), c.data))
		if err != nil || !slices.Equal(a.shape, c.want) || !slices.Equal(a.data, c.values) {
			t.Errorf("%s (%s): shape %v, data %v, error %v", c.descr, c.shape, a.shape, a.data, err)
		}
	}
}

func TestArraysThatLie(t *testing.T) {
	four := []float32{1, 2, 3, 4}
	good := npyFile(header("<f4", "False", "2, 2"), four)
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty":         {nil, "not an array"},
		"no magic":      {append([]byte("PK"), good[2:]...), "not an array"},
		"version 2":     {append([]byte("\x93NUMPY\x02\x00\xff\xff\xff\xff"), good[10:]...), "not an array"},
		"header cut":    {good[:40], "its header is cut off"},
		"no newline":    {append(slices.Clone(good[:9]), good[9:12]...), "its header is cut off"},
		"not a header":  {npyFile("[]", four), "its header is damaged"},
		"records":       {npyFile("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (4,), }", four), "an array of records"},
		"objects":       {npyFile(header("|O", "False", "4,"), four), `numbers of type "|O"`},
		"big endian":    {npyFile(header(">f4", "False", "4,"), four), `numbers of type ">f4"`},
		"Fortran order": {npyFile(header("<f4", "True", "2, 2"), four), "Fortran order"},
		"too few":       {good[:len(good)-1], "shape (2, 2) is not that of 15 bytes"},
		"too many":      {append(slices.Clone(good), 0), "shape (2, 2) is not that of 17 bytes"},
		"huge":          {npyFile(header("<f4", "False", "4294967296, 4294967296"), four), "is not that of 16 bytes"},
		"overflowing":   {npyFile(header("<f4", "False", "4, 4611686018427387905"), four), "is not that of 16 bytes"},
		"beyond int":    {npyFile(header("<f4", "False", "99999999999999999999"), four), "is not that of 16 bytes"},
		"empty axis":    {npyFile(header("<f4", "False", "0, 1152921504606846976"), []float32{}), "is not that of 0 bytes"},
	} {
		if _, err := parseArray(c.file); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

func FuzzArray(f *testing.F) {
	f.Add(npyFile(header("<f4", "False", "2, 2"), []float32{1, 2, 3, 4}))
	f.Add(npyFile(header("|u1", "False", "3,"), []uint8{1, 2, 3}))
	f.Fuzz(func(t *testing.T, file []byte) {
		a, err := parseArray(file)
		if err == nil && len(a.data) > len(file) {
			t.Errorf("%d numbers of %d bytes", len(a.data), len(file))
		}
	})
}

// zipFile writes a .npz file of raw entries.
func zipFile(t *testing.T, entries ...zip.FileHeader) string {
	t.Helper()
	var zeros, b bytes.Buffer
	w, err := flate.NewWriter(&zeros, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 1<<26)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(&b)
	for _, e := range entries {
		e.CompressedSize64 = uint64(zeros.Len())
		w, err := z.CreateRaw(&e)
		if err == nil {
			_, err = w.Write(zeros.Bytes())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.npz")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Archives whose small files hold, or say that they hold, a lot.
func TestArchivesThatLie(t *testing.T) {
	entry := func(name string, size uint64) zip.FileHeader {
		return zip.FileHeader{Name: name, Method: zip.Deflate, UncompressedSize64: size}
	}
	many := make([]zip.FileHeader, maxArrays+1)
	for i := range many {
		many[i] = entry(fmt.Sprint(i), 0)
	}
	for name, c := range map[string]struct {
		entries []zip.FileHeader
		want    string
	}{
		"says more than there may be":      {[]zip.FileHeader{entry("init.a.npy", 1<<40)}, "its arrays take more than 256 MB"},
		"says too much in all":             {[]zip.FileHeader{entry("init.a.npy", 1<<27), entry("init.b.npy", 1<<27+1)}, "its arrays take more than 256 MB"},
		"says so little that it overflows": {[]zip.FileHeader{entry("init.a.npy", 1<<63), entry("init.b.npy", 1<<63)}, "its arrays take more than 256 MB"},
		"holds more than it says":          {[]zip.FileHeader{entry("init.a.npy", 200)}, `array "init.a"`},
		"holds less than it says":          {[]zip.FileHeader{entry("init.a.npy", 1<<27)}, `array "init.a"`},
		"two of a name":                    {[]zip.FileHeader{entry("init.a.npy", 1), entry("init.a.npy", 1)}, `two arrays "init.a"`},
		"too many":                         {many, "holds 4097 arrays"},
	} {
		t.Run(name, func(t *testing.T) {
			path := zipFile(t, c.entries...)
			var before, after goruntime.MemStats
			goruntime.ReadMemStats(&before)
			_, err := OpenFixture(path)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want %q and the path", err, c.want)
			}
			goruntime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > 1<<29 {
				t.Errorf("it took %d MB", took>>20)
			}
		})
	}
}
