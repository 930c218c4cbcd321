package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sbinet/npyio/npy"
	"gonum.org/v1/gonum/mat"
)

func writeFile(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.npy")
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenNpyReadsWhatAnotherWriterWrote(t *testing.T) {
	var b bytes.Buffer
	if err := npy.Write(&b, mat.NewDense(3, 2, []float64{0, 1, 2, 3, 4, 5.5})); err != nil {
		t.Fatal(err)
	}
	r, err := openNpy(writeFile(t, b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.rows != 3 || r.cols != 2 {
		t.Fatalf("%d rows, %d columns, want 3, 2", r.rows, r.cols)
	}
	for _, want := range [][]float32{{0, 1, 2, 3}, {4, 5.5}} {
		got := make([]float32, len(want))
		if err := r.read(got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
	}
}

func TestNpyHeaderIsAligned(t *testing.T) {
	for _, shape := range [][]int{{5}, {5, 4}, {1_000_000, 3, 64, 64}} {
		var b bytes.Buffer
		if err := writeNpyHeader(&b, shape...); err != nil {
			t.Fatal(err)
		}
		if b.Len()%64 != 0 {
			t.Errorf("%v: a header of %d bytes, want a multiple of 64", shape, b.Len())
		}
		r, err := npy.NewReader(&b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(shape, r.Header.Descr.Shape); diff != "" {
			t.Errorf("shape (-want +got):\n%s", diff)
		}
	}
}

// npyFile makes a file of format 1 with 16 bytes of numbers.
func npyFile(header string) string {
	return fmt.Sprintf("\x93NUMPY\x01\x00%c\x00%s%s", len(header), header, strings.Repeat("\x00", 16))
}

func TestOpenNpyRefuses(t *testing.T) {
	const good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }\n"
	r, err := openNpy(writeFile(t, []byte(npyFile(good))))
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	replace := func(old, new string) string { return npyFile(strings.Replace(good, old, new, 1)) }
	for name, c := range map[string]struct{ content, want string }{
		"empty":            {"", "not a NumPy"},
		"magic":            {"NUMPY" + npyFile(good), "not a NumPy"},
		"version":          {"\x93NUMPY\x09\x00" + npyFile(good), "version 9"},
		"long header":      {"\x93NUMPY\x02\x00\xff\xff\xff\xff{'descr'", "damaged"},
		"header cut":       {npyFile(good)[:40], "damaged"},
		"no dictionary":    {npyFile("hello\n"), "damaged"},
		"empty dictionary": {npyFile(""), "damaged"},
		"big-endian":       {replace("<f4", ">f4"), "type >f4"},
		"strange type":     {replace("<f4", "\x1b[2J"), `type "\x1b[2J"`},
		"records":          {replace("'<f4'", "[('a', '<f4')]"), "records"},
		"Fortran order":    {replace("False", "True"), "Fortran order"},
		"vector":           {replace("(2, 2)", "(4,)"), "want a matrix"},
		"scalar":           {replace("(2, 2)", "()"), "want a matrix"},
		"three axes":       {replace("(2, 2)", "(2, 2, 1)"), "want a matrix"},
		"no rows":          {replace("(2, 2)", "(0, 2)"), "want a matrix"},
		"huge":             {replace("(2, 2)", "(99999999999999999999, 2)"), "want a matrix"},
		"overflow":         {replace("(2, 2)", "(4611686018427387905, 4)"), "16 bytes of numbers"},
		"too short":        {replace("(2, 2)", "(3, 2)"), "16 bytes of numbers"},
		"too long":         {replace("(2, 2)", "(1, 2)"), "16 bytes of numbers"},
		"odd":              {npyFile(good) + "x", "17 bytes of numbers"},
	} {
		path := writeFile(t, []byte(c.content))
		if _, err := openNpy(path); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v, want %q and the file's name", name, err, c.want)
		}
	}
}

// FuzzNpy looks for a panic, and for a matrix whose numbers the file does not hold.
func FuzzNpy(f *testing.F) {
	for _, header := range []string{
		"", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }\n", "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }\n",
		"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387905, 4), }\n",
	} {
		f.Add([]byte(npyFile(header)))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		n := &npyReader{path: "fuzz", r: bufio.NewReader(bytes.NewReader(file))}
		err := n.header(int64(len(file)))
		if err == nil && n.rows*n.cols > len(file)/4 {
			t.Fatalf("[%d, %d] numbers in %d bytes", n.rows, n.cols, len(file))
		}
		for row := 0; err == nil && row < n.rows; row++ {
			err = n.read(make([]float32, n.cols))
		}
		runtime.ReadMemStats(&after)
		if took, most := after.TotalAlloc-before.TotalAlloc, uint64(1<<20+100*len(file)); took > most {
			t.Errorf("%d bytes allocated for a file of %d, want at most %d", took, len(file), most)
		}
	})
}
