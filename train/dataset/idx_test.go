package dataset

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// idx writes the format: magic, dimensions, elements.
func idx(magic uint32, dims []uint32, data []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, magic)
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, d)
	}
	return append(b, data...)
}

func zip(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(data)
	if err := errors.Join(err, w.Close()); err != nil {
		panic(err) // a buffer takes everything
	}
	return b.Bytes()
}

var (
	pixels = []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	images = idx(0x803, []uint32{2, 2, 3}, pixels)
	labels = idx(0x801, []uint32{2}, []byte{7, 9})
)

func TestDecode(t *testing.T) {
	tests := []struct {
		name string
		file []byte
		rank int
		dims []int
		data []byte
	}{
		{"images", images, imageRank, []int{2, 2, 3}, pixels},
		{"images, gzip", zip(images), imageRank, []int{2, 2, 3}, pixels},
		{"labels", labels, labelRank, []int{2}, []byte{7, 9}},
		{"labels, gzip", zip(labels), labelRank, []int{2}, []byte{7, 9}},
		{"gzip of two members", append(zip(images[:9]), zip(images[9:])...), imageRank, []int{2, 2, 3}, pixels},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dims, data, err := decodeIDX(bytes.NewReader(test.file), int64(len(test.file)), test.rank)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.dims, dims) + cmp.Diff(test.data, data); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	damaged := zip(images)
	damaged[len(damaged)-7] ^= 1 // a byte of the CRC
	tests := []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "the file is empty"},
		{"one byte", images[:1], "truncated: the header has 1 of 16 bytes"},
		{"half a header", images[:10], "truncated: the header has 10 of 16 bytes"},
		{"no data", images[:16], "the header claims 2x2x3 elements, 28 bytes in all, the file has 16"},
		{"truncated", images[:27], "truncated: the header claims 2x2x3 elements, 28 bytes in all, the file has 27"},
		{"trailing", append(images[:28:28], 0), "trailing bytes: the file goes on after the 2x2x3 elements"},
		{"labels for images", labels, "magic number is 0x00000801, expected 0x00000803: this is a label file"},
		{"other rank", idx(0x804, []uint32{1, 1, 1, 1}, []byte{1}), "an IDX file of 4 dimensions"},
		{"int16", idx(0xb03, []uint32{1, 1, 1}, []byte{1, 2}), "element type int16; unsigned bytes are needed"},
		{"float64", idx(0xe03, []uint32{1, 1, 1}, make([]byte, 8)), "element type float64"},
		{"unknown type", idx(0x703, []uint32{1, 1, 1}, []byte{1}), "not an IDX file"},
		{"little-endian", idx(0x03080000, []uint32{1, 1, 1}, []byte{1}), "the byte order is reversed"},
		{"zero images", idx(0x803, []uint32{0, 2, 3}, nil), "dimension 0 of the header is 0"},
		{"zero width", idx(0x803, []uint32{2, 2, 0}, nil), "dimension 2 of the header is 0"},
		{"absurd", idx(0x803, []uint32{1 << 31, 1, 1}, nil), "the header claims 2147483648... elements; at most 2147483647"},
		{"overflow", idx(0x803, []uint32{1<<32 - 1, 1<<32 - 1, 1<<32 - 1}, nil), "the header claims 4294967295... elements"},
		{"absurd, gzip", zip(idx(0x803, []uint32{1000, 1000, 1000}, pixels)), "more than 46 bytes of gzip can hold"},
		{"truncated gzip", zip(images)[:20], "truncated"},
		{"short gzip", zip(images[:20]), "2x2x3 elements expected: truncated after 4"},
		{"corrupt gzip", damaged, "corrupt gzip after the last element: gzip: invalid checksum"},
		{"gzip with a foreign tail", append(zip(images), "tail"...), "corrupt gzip after the last element"},
		{"gzip header only", []byte{0x1f, 0x8b}, "corrupt gzip"},
		{"trailing, gzip", zip(append(images[:28:28], 0)), "trailing bytes"},
		{"bomb", zip(append(images[:28:28], make([]byte, 1<<24)...)), "trailing bytes"},
		{"gzip in gzip", zip(zip(images)), "gzip inside gzip"},
		{"png", []byte("\x89PNG\r\n\x1a\nxxxxxxxxxxxxxxx"), "a PNG picture"},
		{"html", []byte("<!DOCTYPE html><html><body>404"), "HTML"},
		{"text", []byte("hello, world, this is text"), "not an IDX file"},
		{"git lfs", []byte("version https://git-lfs.github.com/spec/v1"), "Git LFS"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := decodeIDX(bytes.NewReader(test.file), int64(len(test.file)), imageRank)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, want one line with %q", err, test.want)
			}
		})
	}
	_, _, err := decodeIDX(bytes.NewReader(images), int64(len(images)), labelRank)
	if want := "this is an image file"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("images for labels: error %v, want %q", err, want)
	}
}

// TestDecodeGrows reads more than a compressed file is given at first.
func TestDecodeGrows(t *testing.T) {
	const count = 1234567
	data := make([]byte, count)
	for i := range data {
		data[i] = byte(i >> 12)
	}
	file := zip(idx(0x801, []uint32{count}, data))
	if trust*len(file) > count/4 {
		t.Fatalf("%d bytes compress to %d: too little to make the memory grow", count, len(file))
	}
	_, got, err := decodeIDX(bytes.NewReader(file), int64(len(file)), labelRank)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, data) {
		t.Error("data differs")
	}
}

func TestReadIDXNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	short := filepath.Join(dir, "short")
	if err := os.WriteFile(short, images[:20], 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		short:                         "truncated",
		dir:                           "expected a file, found a folder",
		filepath.Join(dir, "missing"): "no such file",
	} {
		_, _, err := readIDX(path, imageRank)
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want the path and %q", path, err, want)
		}
	}
}

// FuzzIDX looks for a panic, for dimensions that don't fit the data, and for memory
// that the file does not account for.
func FuzzIDX(f *testing.F) {
	for _, file := range [][]byte{
		nil, images, labels, zip(images), zip(labels), images[:20], zip(images)[:25], zip(zip(images)),
		idx(0x803, []uint32{1 << 16, 1 << 16, 1 << 16}, pixels), idx(0xd03, []uint32{1, 1, 1}, pixels),
	} {
		f.Add(file, true)
		f.Add(file, false)
	}
	f.Fuzz(func(t *testing.T, file []byte, picture bool) {
		rank := labelRank
		if picture {
			rank = imageRank
		}
		before := allocated()
		dims, data, err := decodeIDX(bytes.NewReader(file), int64(len(file)), rank)
		times := compressedTimes
		if !bytes.HasPrefix(file, []byte{0x1f, 0x8b}) {
			times = 2
		}
		atMost(t, before, times, file)
		if err != nil {
			return
		}
		count := 1
		for _, d := range dims {
			count *= d
		}
		if len(dims) != rank || count != len(data) || count == 0 {
			t.Errorf("dimensions %v with %d elements", dims, len(data))
		}
	})
}
