package checkpoint

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// raw puts a header of one's own before size bytes of data.
func raw(header string, size int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, size)...)
}

func tensorAt(name, dtype, shape string, begin, end uint64) string {
	return fmt.Sprintf(`%q:{"dtype":%q,"shape":%s,"data_offsets":[%d,%d]}`, name, dtype, shape, begin, end)
}

func TestReadRefuses(t *testing.T) {
	one := func(dtype, shape string, begin, end uint64, size int) []byte {
		return raw("{"+tensorAt("a", dtype, shape, begin, end)+"}", size)
	}
	tests := []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "truncated: 0 bytes are no safetensors file"},
		{"seven bytes", make([]byte, 7), "truncated: 7 bytes"},
		{"text", []byte("this is some text and no checkpoint"), "not a safetensors file"},
		{"header larger than file", binary.LittleEndian.AppendUint64(nil, 1), "the header claims 1 bytes, the file has 0 more"},
		{"header near 2^64", binary.LittleEndian.AppendUint64(nil, 1<<64-1), "the header claims 18446744073709551615 bytes"},
		{"large header", raw(strings.Repeat(" ", maxHeader+1), 0), "at most 4194304 are read"},
		{"no JSON", raw("hello", 0), "the header is not safetensors'"},
		{"empty header", raw("", 0), "the header is not safetensors'"},
		{"array", raw("[]", 0), "the header is not safetensors'"},
		{"null tensor", raw(`{"a":null}`, 0), "expected 3 keys"},
		{"long foreign value", raw(`{"a":{"dtype":"`+strings.Repeat("x", 9999)+`","shape":[],"data_offsets":[0,0]}}`, 0), "…"},
		{"metadata of numbers", raw(`{"__metadata__":{"step":1}}`, 0), "expected string type"},
		{"truncated data", one("F32", "[2]", 0, 8, 7), `tensor "a": it ends at byte 8, but the file holds 7 bytes of data`},
		{"trailing", one("F32", "[2]", 0, 8, 9), "trailing bytes: the tensors end at byte 8 of 9"},
		{"trailing without tensors", raw("{}", 1), "trailing bytes: the tensors end at byte 0 of 1"},
		{"gap", one("F32", "[1]", 4, 8, 8), `bytes 0 to 4, before tensor "a", belong to no tensor`},
		{"reversed", one("F32", "[1]", 8, 4, 8), "it begins at byte 8 and ends at 4"},
		{"far away", one("F32", "[1]", 1<<63, 1<<63+4, 8), "it ends at byte 9223372036854775812"},
		{"negative", raw(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, 4), "natural numbers"},
		{"overlap", raw("{"+tensorAt("a", "F32", "[2]", 0, 8)+","+tensorAt("b", "F32", "[2]", 4, 12)+"}", 12), `tensor "b" overlaps the one before`},
		{"shared", raw("{"+tensorAt("a", "F32", "[1]", 0, 4)+","+tensorAt("b", "F32", "[1]", 0, 4)+"}", 4), `tensor "b" overlaps the one before`},
		{"unknown type", one("F99", "[1]", 0, 4, 4), "F99"},
		{"other type", one("I32", "[1]", 0, 4, 4), `tensor "a": its type is I32; F32 and F64 are read`},
		{"shape too large", one("F32", "[3]", 0, 8, 8), "shape [3] does not fit its 8 bytes of F32"},
		{"shape too small", one("F32", "[1]", 0, 8, 8), "shape [1] of F32 takes 4 bytes, its offsets span 8"},
		{"scalar too small", one("F32", "[]", 0, 8, 8), "shape [] of F32 takes 4 bytes, its offsets span 8"},
		{"shape overflows", one("F32", "[4294967296,4294967296,4]", 0, 8, 8), "does not fit"},
		{"zero dimension", one("F32", "[0]", 0, 0, 0), "shape [0] does not fit its 0 bytes"},
		{"zero hides overflow", one("F32", "[0,18446744073709551615]", 0, 0, 0), "does not fit"},
		{"many dimensions", one("F32", "["+strings.Repeat("1,", 99)+"1]", 0, 4, 4), "it has 100 dimensions; at most 16 are read"},
		{"wrong checksum", raw(`{"__metadata__":{"sha256":"`+blankSum+`"}}`, 0), "the checksum does not match"},
		{"empty checksum", raw(`{"__metadata__":{"sha256":""}}`, 0), "the checksum does not match"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(path, test.file, 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := Read(path)
			if err == nil {
				t.Fatal("no error")
			}
			line := err.Error()
			if !strings.Contains(line, test.want) || !strings.HasPrefix(line, "checkpoint: "+path) ||
				strings.Contains(line, "\n") || len(line) > 500 {
				t.Errorf("error %q, want one short line with %q", line, test.want)
			}
		})
	}
	for path, want := range map[string]string{t.TempDir(): "is not a file", filepath.Join(t.TempDir(), "x"): "no such file"} {
		if _, err := Read(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", path, err, want)
		}
	}
}

func TestEveryTruncationIsNoticed(t *testing.T) {
	_, file := write(t, sample())
	for n := range file {
		if _, err := decode(bytes.NewReader(file[:n]), uint64(n)); err == nil {
			t.Errorf("cut to %d of %d bytes: no error", n, len(file))
		}
	}
	if _, err := decode(bytes.NewReader(append(file, 0)), uint64(len(file)+1)); err == nil {
		t.Error("one byte more: no error")
	}
}

// TestEveryFlippedBitIsNoticed spares one place: damage to the word "sha256"
// leaves a file without a checksum.
func TestEveryFlippedBitIsNoticed(t *testing.T) {
	_, file := write(t, sample())
	key := bytes.Index(file, []byte(sumKey))
	for i := range file {
		if i >= key && i < key+len(sumKey) {
			continue
		}
		for bit := range 8 {
			damaged := bytes.Clone(file)
			damaged[i] ^= 1 << bit
			if _, err := decode(bytes.NewReader(damaged), uint64(len(damaged))); err == nil {
				t.Errorf("bit %d of byte %d of %d (%q): no error", bit, i, len(file), file[i])
			}
		}
	}
}

// FuzzRead looks for a panic, for tensors larger than their file, and for memory
// that the file does not account for.
func FuzzRead(f *testing.F) {
	var file bytes.Buffer
	if err := encode(&file, sample()); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Add(file.Bytes()[:100])
	f.Add(raw("{"+tensorAt("a", "F32", "[2]", 0, 8)+","+tensorAt("b", "F64", "[]", 8, 16)+"}", 16))
	f.Add(raw("{"+tensorAt("a", "F32", "[4294967296,4294967296,4]", 0, 8)+"}", 8))
	f.Fuzz(func(t *testing.T, file []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c, err := decode(bytes.NewReader(file), uint64(len(file)))
		runtime.ReadMemStats(&after)
		// The header's JSON is read into maps, entries and strings.
		if took, most := after.TotalAlloc-before.TotalAlloc, uint64(1<<20+100*len(file)); took > most {
			t.Errorf("%d bytes allocated for a file of %d, want at most %d", took, len(file), most)
		}
		if err != nil {
			return
		}
		total := 0
		for _, d := range c.Tensors {
			total += int(d.MemSize())
		}
		if total > len(file) {
			t.Errorf("%d bytes of tensors out of %d bytes", total, len(file))
		}
	})
}
