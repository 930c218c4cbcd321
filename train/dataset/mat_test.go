package dataset

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// matElement writes an element; up to four bytes go into the tag.
func matElement(kind uint32, data []byte) []byte {
	if n := uint32(len(data)); n > 0 && n <= 4 {
		b := binary.LittleEndian.AppendUint32(nil, n<<16|kind)
		return append(append(b, data...), make([]byte, 4-n)...)
	}
	return matLarge(kind, data)
}

// matLarge writes an element with a tag of its own, as other writers do.
func matLarge(kind uint32, data []byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, kind)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	return append(append(b, data...), make([]byte, -len(data)&7)...)
}

// matVariable writes a variable, its values and name by element.
func matVariable(name string, dims []int32, kind uint32, data []byte, element func(uint32, []byte) []byte) []byte {
	var d []byte
	for _, n := range dims {
		d = binary.LittleEndian.AppendUint32(d, uint32(n))
	}
	return matLarge(matMatrix, slices.Concat(
		matLarge(6, []byte{9, 0, 0, 0, 0, 0, 0, 0}), element(5, d), element(1, []byte(name)), element(kind, data)))
}

func deflated(data []byte) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, err := w.Write(data)
	if err := errors.Join(err, w.Close()); err != nil {
		panic(err) // a buffer takes everything
	}
	return b.Bytes()
}

// matCompress writes an element deflated, without padding.
func matCompress(element []byte) []byte {
	z := deflated(element)
	return append(matLarge(matCompressed, nil)[:4], append(binary.LittleEndian.AppendUint32(nil, uint32(len(z))), z...)...)
}

func matFile(elements ...[]byte) []byte {
	header := append(bytes.Repeat([]byte(" "), matHeader-4), 0, 1, 'I', 'M')
	return append(header, slices.Concat(elements...)...)
}

// Two pictures of 2x3, column by column, with labels 10 and 3.
var (
	matPixels = []byte{
		1, 4, 2, 5, 3, 6, 11, 14, 12, 15, 13, 16, 21, 24, 22, 25, 23, 26,
		101, 104, 102, 105, 103, 106, 111, 114, 112, 115, 113, 116, 121, 124, 122, 125, 123, 126,
	}
	matX = matVariable("X", []int32{2, 3, 3, 2}, matUint8, matPixels, matElement)
	matY = matVariable("y", []int32{2, 1}, matUint8, []byte{10, 3}, matElement)
)

// wantX are the pictures of matX, row by row.
func wantX() *Images {
	return &Images{Channels: 3, Height: 2, Width: 3, Labels: []byte{0, 3}, Pixels: []byte{
		1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16, 21, 22, 23, 24, 25, 26,
		101, 102, 103, 104, 105, 106, 111, 112, 113, 114, 115, 116, 121, 122, 123, 124, 125, 126,
	}}
}

func TestDecodeSVHN(t *testing.T) {
	other := matVariable("notes", []int32{1, 5}, 4, []byte("unread"), matElement)
	tests := map[string][]byte{
		"compressed":     matFile(matCompress(matX), matCompress(matY)),
		"plain":          matFile(matX, matY),
		"mixed":          matFile(matX, matCompress(matY)),
		"labels first":   matFile(matCompress(matY), matCompress(matX)),
		"no small tags":  matFile(matVariable("X", []int32{2, 3, 3, 2}, matUint8, matPixels, matLarge), matVariable("y", []int32{1, 2}, matUint8, []byte{10, 3}, matLarge)),
		"other variable": matFile(other, matX, matCompress(other), matY),
	}
	for name, file := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := decodeSVHN(bytes.NewReader(file), int64(len(file)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(wantX(), got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestDecodeSVHNRefuses(t *testing.T) {
	x := func(dims ...int32) []byte { return matVariable("X", dims, matUint8, matPixels, matElement) }
	y := func(labels ...byte) []byte {
		return matVariable("y", []int32{int32(len(labels)), 1}, matUint8, labels, matElement)
	}
	header := func(end string) []byte { return append(bytes.Repeat([]byte(" "), 124), end...) }
	good := matFile(matX, matY)
	damaged := matFile(matCompress(matX), matCompress(matY))
	damaged[matHeader+8+len(deflated(matX))-1] ^= 1 // a byte of the checksum
	behind := matFile(matCompress(append(slices.Clone(matX), 0)), matY)
	tests := []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "not a MATLAB file: 0 bytes, expected a header of 128"},
		{"html", []byte("<!DOCTYPE html>"), "not a MATLAB file: HTML or XML"},
		{"png", append([]byte("\x89PNG"), make([]byte, 200)...), "not a MATLAB file of version 5: a PNG picture"},
		{"other", make([]byte, 200), "not a MATLAB file of version 5"},
		{"version 7.3", append([]byte("MATLAB 7.3 MAT-file"), header("\x00\x02IM")[19:]...), "version 7.3, which is HDF5"},
		{"big-endian", header("\x01\x00MI"), "a big-endian MATLAB file; only little-endian ones are read"},
		{"header only", matFile(), "no variable X"},
		{"no labels", matFile(matX), "no variable y"},
		{"twice", matFile(matX, matX, matY), "variable 2: a second X"},
		{"cut in a tag", good[:matHeader+4], "variable 1: truncated"},
		{"cut in the values", good[:matHeader+80], "variable 1: truncated: an element claims"},
		{"cut, deflated", matFile(matCompress(matX)[:60]), "variable 1: truncated: an element claims"},
		{"deflate cut", matFile(matLarge(matCompressed, deflated(matX)[:40])), "truncated"},
		{"no zlib", matFile(matLarge(matCompressed, []byte("this is no zlib."))), "variable 1: corrupt: zlib: invalid header"},
		{"checksum", damaged, "variable 1: X: corrupt: zlib: invalid checksum"},
		{"bytes behind", behind, "variable 1: X: bytes behind its matrix"},
		{"no matrix", matFile(matLarge(9, make([]byte, 8))), "an element of type 9, expected a matrix (14) or a compressed one (15)"},
		{"no matrix, deflated", matFile(matCompress(matLarge(9, make([]byte, 8)))), "an element of type 9"},
		{"long name", matFile(matVariable(strings.Repeat("X", 300), []int32{1}, matUint8, nil, matElement)), "300 bytes of flags, dimensions or name"},
		{"tag of 5 bytes", matFile(matLarge(matMatrix, []byte{6, 0, 5, 0, 1, 2, 3, 4})), "5 bytes in a tag, which has place for 4"},
		{"float64", matFile(matVariable("X", []int32{1, 1, 3, 1}, 9, make([]byte, 24), matElement)), "X: its values are stored as type 9, expected unsigned bytes (2)"},
		{"fewer values", matFile(x(2, 3, 3, 3), matY), "X: 36 bytes of values, expected 2x3x3x3"},
		{"zero", matFile(x(2, 3, 3, 0), matY), "X: a dimension of 2x3x3x0 is below 1"},
		{"negative", matFile(x(-2, 3, 3, -2), matY), "below 1"},
		{"absurd", matFile(x(1<<30, 1<<30, 1<<30, 1<<30), matY), "at most 2147483647 are read"},
		{"three dimensions", matFile(x(4, 3, 3), matY), "X is 4x3x3, expected height x width x 3 x pictures"},
		{"grey", matFile(x(6, 3, 1, 2), matY), "X is 6x3x1x2, expected height x width x 3"},
		{"more behind the values", matFile(matLarge(matMatrix, slices.Concat(matX[8:], make([]byte, 8))), matY), "X: 12 bytes behind its values"},
		{"fewer labels", matFile(matX, y(1)), "y holds 1 labels, but X holds 2 pictures"},
		{"label 0", matFile(matX, y(1, 0)), "label 0 of picture 1; expected 1 to 10"},
		{"label 11", matFile(matX, y(11, 1)), "label 11 of picture 0; expected 1 to 10"},
		{"many variables", matFile(bytes.Repeat(matVariable("a", []int32{1}, matUint8, nil, matElement), 65)), "more than 64 variables"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := decodeSVHN(bytes.NewReader(test.file), int64(len(test.file)))
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, want one line with %q", err, test.want)
			}
		})
	}
}

// TestMATClaims gives files that claim a gigabyte: without it in the file, or as
// deflate, which can hold it, but doesn't.
func TestMATClaims(t *testing.T) {
	claim := matVariable("X", []int32{1 << 10, 1 << 10, 3, 341}, matUint8, nil, matElement)
	binary.LittleEndian.PutUint32(claim[4:], 1<<30)
	binary.LittleEndian.PutUint32(claim[len(claim)-4:], 341*3<<20)
	noise := make([]byte, 1<<20)
	for i := range noise {
		noise[i] = byte(uint32(i) * 2654435761 >> 24)
	}
	for name, file := range map[string][]byte{
		"plain":    matFile(claim, noise),
		"deflated": matFile(matCompress(append(claim, noise...))),
	} {
		before := allocated()
		_, err := decodeSVHN(bytes.NewReader(file), int64(len(file)))
		if err == nil || !strings.Contains(err.Error(), "truncated") {
			t.Errorf("%s: error %v, want one about truncation", name, err)
		}
		if got, most := allocated()-before, uint64(2*trust*len(file)); got > most {
			t.Errorf("%s: %d bytes allocated for a file of %d, want at most %d", name, got, len(file), most)
		}
	}
}

// allocated is how many bytes were ever allocated.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// atMost fails a test of a file that took more memory since a moment than so many
// times its size, and what readers and decompressors take of any.
func atMost(t *testing.T, before uint64, times int, file []byte) {
	t.Helper()
	if took, most := allocated()-before, uint64(1<<20+times*len(file)); took > most {
		t.Errorf("%d bytes allocated for a file of %d, want at most %d", took, len(file), most)
	}
}

// A compressed file may hold deflateRatio times its size; memory that grows with
// what is read was allocated several times by then.
const compressedTimes = 4 * deflateRatio

// FuzzSVHN looks for a panic, for pictures and labels that don't fit, and for
// memory that the file does not account for.
func FuzzSVHN(f *testing.F) {
	for _, file := range [][]byte{
		nil, matFile(matX, matY), matFile(matCompress(matX), matCompress(matY)), matFile(matY, matCompress(matX)),
		matFile(matX)[:200], matFile(matVariable("X", []int32{1 << 30, 1 << 30}, matUint8, nil, matLarge)),
	} {
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		before := allocated()
		d, err := decodeSVHN(bytes.NewReader(file), int64(len(file)))
		atMost(t, before, compressedTimes, file)
		if err != nil {
			return
		}
		if d.Len() < 1 || d.Len()*d.pictureSize() != len(d.Pixels) || len(d.Labels) != d.Len() || slices.Max(d.Labels) > 9 {
			t.Errorf("%d pictures of %v in %d bytes, labels %v", d.Len(), d.Shape(), len(d.Pixels), d.Labels)
		}
	})
}
