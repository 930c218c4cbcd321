package record

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// writeEvents writes two steps of a run, and returns the file's path and that
// of the picture in it.
func writeEvents(t *testing.T) (path, picture string) {
	t.Helper()
	path, picture = filepath.Join(t.TempDir(), EventsFile), filepath.Join(t.TempDir(), "grid.png")
	if err := Grid(picture, shades(6, 1, 4, 5), 3, -1, 1, false); err != nil {
		t.Fatal(err)
	}
	e, err := CreateEvents(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		e.Scalar(0, "loss/d", 0.5),
		e.Scalar(200, "loss/d", math.Inf(1)),
		e.Picture(200, "samples", picture),
		e.Sync(),
		e.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if e, err = OpenEvents(path); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{e.Scalar(200, "loss/g", 0.1), e.Scalar(70000, "loss/d", -2), e.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return path, picture
}

// field is one of a protobuf message: its number and a varint, the bits of a
// fixed number, or the bytes.
type field struct {
	number uint64
	bits   uint64
	bytes  string
}

// decode takes a message apart without the library that wrote it.
func decode(t *testing.T, b string) (fields []field) {
	t.Helper()
	varint := func() uint64 {
		v, n := binary.Uvarint([]byte(b))
		if n <= 0 {
			t.Fatalf("no varint in %x", b)
		}
		b = b[n:]
		return v
	}
	take := func(n uint64) string {
		if n > uint64(len(b)) {
			t.Fatalf("%d bytes of %x", n, b)
		}
		head := b[:n]
		b = b[n:]
		return head
	}
	for len(b) > 0 {
		tag := varint()
		f := field{number: tag >> 3}
		switch tag & 7 {
		case 0:
			f.bits = varint()
		case 1:
			f.bits = binary.LittleEndian.Uint64([]byte(take(8)))
		case 2:
			f.bytes = take(varint())
		case 5:
			f.bits = uint64(binary.LittleEndian.Uint32([]byte(take(4))))
		default:
			t.Fatalf("wire type %d", tag&7)
		}
		fields = append(fields, f)
	}
	return fields
}

// TestEvents reads the bytes as the TFRecord format and event.proto describe
// them.
func TestEvents(t *testing.T) {
	path, picture := writeEvents(t)
	rest := contents(t, path)
	sum := func(s string) string {
		c := crc32.Checksum([]byte(s), crc32.MakeTable(crc32.Castagnoli))
		return string(binary.LittleEndian.AppendUint32(nil, (c>>15|c<<17)+0xa282ead8))
	}
	var got []string
	for rest != "" {
		length := binary.LittleEndian.Uint64([]byte(rest[:8]))
		content := rest[12 : 12+length]
		if rest[8:12] != sum(rest[:8]) || rest[12+length:16+length] != sum(content) {
			t.Fatal("checksum")
		}
		rest = rest[16+length:]
		var line strings.Builder
		for _, f := range decode(t, content) {
			switch f.number {
			case 1:
				line.WriteString(fmt.Sprintf("time %g", math.Float64frombits(f.bits)))
			case 2:
				line.WriteString(fmt.Sprintf(" step %d", f.bits))
			case 3:
				line.WriteString(" version " + f.bytes)
			case 5:
				for _, v := range decode(t, decode(t, f.bytes)[0].bytes) {
					switch v.number {
					case 1:
						line.WriteString(" " + v.bytes)
					case 2:
						line.WriteString(fmt.Sprintf(" %g", math.Float32frombits(uint32(v.bits))))
					case 4:
						img := decode(t, v.bytes)
						line.WriteString(fmt.Sprintf(" %dx%d", img[1].bits, img[0].bits))
						if img[2].number != 4 || img[2].bytes != contents(t, picture) {
							t.Error("another picture")
						}
					}
				}
			}
		}
		got = append(got, line.String())
	}
	want := []string{
		"time 0 step 0 version brain.Event:2",
		"time 0 step 0 loss/d 0.5",
		"time 200 step 200 loss/d +Inf",
		"time 200 step 200 samples 293x158", // 3 and 2 cells of 19 times 5x4 pixels, and lines
		"time 200 step 200 loss/g 0.1",
		"time 70000 step 70000 loss/d -2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestTensorBoard lets TensorBoard's own reader read a file.
func TestTensorBoard(t *testing.T) {
	if exec.Command("python3", "-c", "import tensorboard").Run() != nil {
		t.Skip("skipped: no python3 with tensorboard")
	}
	path, picture := writeEvents(t)
	out, err := exec.Command("python3", filepath.Join("testdata", "read_events.py"), path).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var got any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"scalars": map[string]any{
			"loss/d": []any{[]any{0., 0., "0.5"}, []any{200., 200., "inf"}, []any{70000., 70000., "-2.0"}},
			"loss/g": []any{[]any{200., 200., "0.10000000149011612"}}, // as float32 has it
		},
		"images": map[string]any{
			"samples": []any{[]any{200., 293., 158., fmt.Sprintf("%x", sha256.Sum256([]byte(contents(t, picture))))}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestTruncateEvents goes back to each step, and cuts the file at each byte of
// its last events: what is left must be the events before, and a run that goes
// on must leave the bytes of one that was never stopped.
func TestTruncateEvents(t *testing.T) {
	path, _ := writeEvents(t)
	whole := contents(t, path)
	const small = 16 + 9 + 2 + 2 + 2 + 2 + 6 + 5 // framing, time, step, summary, value, tag, number
	last, middle := small+2, small+1             // their steps take three bytes and two
	ends := map[int]int{
		0:     strings.Index(whole, "loss/d") + 6 + 5 + 4, // tag, number, checksum
		199:   strings.Index(whole, "loss/d") + 6 + 5 + 4,
		200:   len(whole) - last,
		70000: len(whole),
	}
	for step, end := range ends {
		if err := TruncateEvents(path, step); err != nil {
			t.Fatal(err)
		}
		if got := contents(t, path); got != whole[:end] {
			t.Errorf("after step %d: %d bytes, want the first %d", step, len(got), end)
		}
		if err := os.WriteFile(path, []byte(whole), 0o644); err != nil {
			t.Fatal(err)
		}
	}

	for torn := len(whole) - last - middle + 1; torn < len(whole); torn++ {
		want := whole[:len(whole)-last-middle]
		if torn >= len(whole)-last {
			want = whole[:len(whole)-last]
		}
		damaged := []byte(whole)
		damaged[torn] ^= 1
		for _, content := range []string{whole[:torn], string(damaged), whole[:torn] + "\x00\x00\x00"} {
			if content == whole[:len(whole)-last] { // not torn at all
				continue
			}
			if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := OpenEvents(path); err == nil || !strings.Contains(err.Error(), "torn") {
				t.Fatalf("opened, damaged at byte %d: %v", torn, err)
			}
			if err := TruncateEvents(path, 1e6); err != nil {
				t.Fatal(err)
			}
			if contents(t, path) != want {
				t.Fatalf("damaged at byte %d: %d bytes are left, want %d", torn, len(contents(t, path)), len(want))
			}
		}
	}

	e, err := OpenEvents(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{e.Scalar(70000, "loss/d", -2), e.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if contents(t, path) != whole {
		t.Error("going on gave other bytes")
	}
}

func TestEventsRefuse(t *testing.T) {
	path, picture := writeEvents(t)
	if _, err := CreateEvents(path); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("Create over a file: error %v", err)
	}
	e, err := OpenEvents(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	text := table(t, "step,a\n")
	for want, err := range map[string]error{
		"step 5 comes before step 70000": e.Scalar(5, "a", 1),
		"step 6 comes before step 70000": e.Picture(6, "a", picture),
		text + ": no PNG picture":        e.Picture(70000, "a", text),
		"no such file":                   e.Picture(70000, "a", picture+"x"),
		"not a file":                     e.Picture(70000, "a", filepath.Dir(picture)),
	} {
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "record: ") {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	for _, text := range []string{"", "step,a\n1,2\n", contents(t, path)[:40], contents(t, path)[1:]} {
		path := table(t, text)
		_, opening := OpenEvents(path)
		for _, err := range []error{opening, TruncateEvents(path, 1)} {
			if err == nil || !strings.Contains(err.Error(), "not a file of TensorBoard events") || !strings.HasPrefix(err.Error(), "record: "+path) {
				t.Errorf("%.20q: error %v", text, err)
			}
		}
		if contents(t, path) != text {
			t.Error("the file was changed")
		}
	}
}
