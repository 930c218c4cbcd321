package dataset

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/semaphore"
)

// painted makes a picture of a function of its pixels.
func painted(width, height int, at func(x, y int) color.Color) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.Set(x, y, at(x, y))
		}
	}
	return img
}

func plain(c color.Color) image.Image { return painted(3, 3, func(int, int) color.Color { return c }) }

func asPNG(img image.Image) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err) // a buffer takes everything
	}
	return b.Bytes()
}

func asJPEG(img image.Image) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 100}); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// treeOf makes a folder called "mine" with these files, in folders of their own
// where a name has a slash.
func treeOf(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "mine")
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err := errors.Join(err, os.WriteFile(path, content, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestFolderPixels reads pictures of 2 by 3 as 2x3, so that nothing is scaled.
func TestFolderPixels(t *testing.T) {
	grey := painted(3, 2, func(x, y int) color.Color { return color.Gray{uint8(100*y + x)} })
	coloured := painted(3, 2, func(x, y int) color.Color { return color.NRGBA{uint8(x), uint8(10 + y), uint8(20 + x + y), 255} })
	tests := []struct {
		name     string
		img      image.Image
		channels int
		want     []byte
	}{
		{"grey as grey", grey, 1, []byte{0, 1, 2, 100, 101, 102}},
		{"grey as RGB", grey, 3, []byte{0, 1, 2, 100, 101, 102, 0, 1, 2, 100, 101, 102, 0, 1, 2, 100, 101, 102}},
		{"colour as RGB", coloured, 3, []byte{0, 1, 2, 0, 1, 2, 10, 10, 10, 11, 11, 11, 20, 21, 22, 21, 22, 23}},
		// 0.299 R + 0.587 G + 0.114 B
		{"colour as grey", coloured, 1, []byte{8, 9, 9, 9, 9, 10}},
		{"half transparent", painted(3, 2, func(int, int) color.Color { return color.NRGBA{200, 200, 200, 128} }), 1, bytes.Repeat([]byte{100}, 6)},
		{"16 bits", painted(3, 2, func(int, int) color.Color { return color.Gray16{0xabcd} }), 1, bytes.Repeat([]byte{0xab}, 6)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d, err := Folder(t.Context(), treeOf(t, map[string][]byte{"a.png": asPNG(test.img)}), test.channels, 2, 3)
			if err != nil {
				t.Fatal(err)
			}
			want := &Images{Name: "mine", Channels: test.channels, Height: 2, Width: 3, Pixels: test.want}
			if diff := cmp.Diff(want, d); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestFolderCrops reads pictures that are wider and taller than the size: only
// the middle has a colour.
func TestFolderCrops(t *testing.T) {
	band := func(at, from, to int) color.Color {
		if at >= from && at < to {
			return color.Gray{80}
		}
		return color.Gray{255}
	}
	dir := treeOf(t, map[string][]byte{
		"tall.png": asPNG(painted(20, 100, func(_, y int) color.Color { return band(y, 40, 60) })),
		"wide.jpg": asJPEG(painted(160, 32, func(x, _ int) color.Color { return band(x, 64, 96) })), // on the edges of JPEG's blocks
	})
	d, err := Folder(t.Context(), dir, 1, 8, 8)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range d.Pixels {
		if p < 79 || p > 81 { // JPEG rounds
			t.Fatalf("pixel %d of picture %d is %d, want 80", i%64, i/64, p)
		}
	}
}

func TestFolderScales(t *testing.T) {
	// From dark to bright, to a fifth of the width, and from a single pixel.
	ramp := painted(40, 40, func(x, _ int) color.Color { return color.Gray{uint8(5 * x)} })
	dir := treeOf(t, map[string][]byte{"a.png": asPNG(ramp), "b.png": asPNG(painted(1, 1, func(int, int) color.Color { return color.Gray{7} }))})
	d, err := Folder(t.Context(), dir, 1, 8, 8)
	if err != nil {
		t.Fatal(err)
	}
	for x := range 8 {
		want := 5 * (5*float64(x) + 2) // the mean of five columns; the edges lack neighbours
		if got := float64(d.Pixels[8*3+x]); got < want-3 || got > want+3 {
			t.Errorf("column %d is %g, want %g", x, got, want)
		}
		if got := d.Pixels[64+x]; got != 7 {
			t.Errorf("a single pixel of 7 becomes %d", got)
		}
	}
}

func TestFolderClasses(t *testing.T) {
	dark, bright := asPNG(plain(color.Gray{10})), asJPEG(plain(color.Gray{200}))
	many := map[string][]byte{}
	for i := range 257 {
		many[fmt.Sprintf("%03d/a.png", i)] = dark
	}
	tests := []struct {
		name    string
		files   map[string][]byte
		bright  []bool // of each picture, in order
		labels  []byte
		classes []string
	}{
		{"flat", map[string][]byte{"b.PNG": dark, "a.jpeg": bright, "notes.txt": nil}, []bool{true, false}, nil, nil},
		{"folders", map[string][]byte{"dog/1.png": dark, "cat/2.jpg": bright, "cat/1.png": dark, "empty/notes.txt": nil},
			[]bool{false, true, false}, []byte{0, 0, 1}, []string{"cat", "dog"}},
		{"deeper", map[string][]byte{"a/x/1.png": dark, "a-b/1.jpg": bright, "a/y/z/1.png": dark}, []bool{false, false, true}, []byte{0, 0, 1}, []string{"a", "a-b"}},
		{"beside folders", map[string][]byte{"a.png": dark, "cat/b.png": bright}, []bool{false, true}, nil, nil},
		{"too many folders", many, make([]bool, 257), nil, nil},
		{"hidden", map[string][]byte{".a.png": nil, ".cache/1.png": nil, "1.png": dark}, []bool{false}, nil, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d, err := Folder(t.Context(), treeOf(t, test.files), 1, 1, 1)
			if err != nil {
				t.Fatal(err)
			}
			var got []bool
			for _, p := range d.Pixels {
				got = append(got, p > 100)
			}
			if diff := cmp.Diff(test.bright, got) + cmp.Diff(test.labels, d.Labels) + cmp.Diff(test.classes, d.Classes); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// claimPNG is a file that claims a size, and a type of colour by its number there,
// and holds no pixels.
func claimPNG(width, height uint32, depth, colour byte, padding int) []byte {
	b := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d")
	chunk := binary.BigEndian.AppendUint32([]byte("IHDR"), width)
	chunk = append(binary.BigEndian.AppendUint32(chunk, height), depth, colour, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(append(b, chunk...), crc32.ChecksumIEEE(chunk))
	return append(b, make([]byte, padding)...)
}

func TestFolderRefuses(t *testing.T) {
	good := asPNG(plain(color.White))
	tests := []struct {
		name  string
		files map[string][]byte
		want  string
	}{
		{"no pictures", map[string][]byte{"a.txt": nil, "b/c.gif": nil}, "mine: no pictures: looked for *.png, *.jpg and *.jpeg, in sub-folders too; the folder holds a.txt, b/c.gif"},
		{"empty", map[string][]byte{"a.png": good, "b.png": nil}, "b.png: neither PNG nor JPEG"},
		{"text", map[string][]byte{"a.jpg": []byte("hello")}, "a.jpg: neither PNG nor JPEG"},
		{"cut", map[string][]byte{"a.png": good[:50]}, "a.png: png: invalid format: not enough pixel data"},
		{"cut JPEG", map[string][]byte{"a.jpg": asJPEG(plain(color.White))[:300]}, "a.jpg: truncated"},
		{"huge", map[string][]byte{"a.png": claimPNG(20000, 20000, 8, 0, 1<<17)}, "a.png: 20000x20000 pixels; at most 100 million are read"},
		{"huge for its file", map[string][]byte{"a.png": claimPNG(9000, 9000, 8, 0, 0)}, "a.png: 9000x9000 pixels, more than a file of 33 bytes can hold"},
		{"huge and deep for its file", map[string][]byte{"a.png": claimPNG(9000, 9000, 16, 6, 1<<17)}, "a.png: 9000x9000 pixels, more than a file of 131105 bytes can hold"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Folder(t.Context(), treeOf(t, test.files), 3, 4, 4)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") || strings.Count(err.Error(), "dataset:") != 1 {
				t.Errorf("error %q, want one line with %q", err, test.want)
			}
		})
	}
	dir := treeOf(t, map[string][]byte{"a.png": good})
	for want, shape := range map[string][3]int{
		"as 2x4x4; want 1 or 3 channels": {2, 4, 4}, "as 1x0x4": {1, 0, 4}, "at most 2147483647 values": {3, 1 << 15, 1 << 15},
	} {
		if _, err := Folder(t.Context(), dir, shape[0], shape[1], shape[2]); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want %q", shape, err, want)
		}
	}
	for path, want := range map[string]string{filepath.Join(dir, "a.png"): "is a file; expected a folder of pictures", "missing": "missing: no such file"} {
		if _, err := Folder(t.Context(), path, 1, 4, 4); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestFolderStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := treeOf(t, map[string][]byte{"a.png": asPNG(plain(color.White))})
	if _, err := Folder(ctx, dir, 1, 4, 4); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
}

// TestFolderKeepsBytes reads 64 pictures of 64x64; what it keeps of them is as
// large as the pixels.
func TestFolderKeepsBytes(t *testing.T) {
	files := map[string][]byte{}
	for i := range 64 {
		files[fmt.Sprintf("%02d.png", i)] = asPNG(plain(color.Gray{uint8(i)}))
	}
	d, err := Folder(t.Context(), treeOf(t, files), 3, 64, 64)
	if err != nil {
		t.Fatal(err)
	}
	if want := 64 * 3 * 64 * 64; len(d.Pixels) != want || cap(d.Pixels) != want {
		t.Errorf("%d bytes in %d, want %d", len(d.Pixels), cap(d.Pixels), want)
	}
	for i := range d.Len() {
		if got := d.Pixels[i*d.pictureSize()]; got != byte(i) {
			t.Errorf("picture %d is of %d", i, got)
		}
	}
}

// FuzzPicture looks for a panic, and for memory that the file does not account for.
func FuzzPicture(f *testing.F) {
	img := painted(5, 4, func(x, y int) color.Color { return color.NRGBA{uint8(50 * x), uint8(50 * y), 9, uint8(255 - x)} })
	for _, file := range [][]byte{nil, asPNG(img), asJPEG(img), asPNG(img)[:60], claimPNG(3, 3, 8, 0, 20), claimPNG(20000, 3, 8, 0, 9)} {
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		d := &Images{Channels: 3, Height: 3, Width: 2, Pixels: make([]byte, 18)}
		before := allocated()
		_ = d.readPicture(t.Context(), 0, bytes.NewReader(file), int64(len(file)), semaphore.NewWeighted(maxPixels))
		atMost(t, before, 12*8*deflateRatio, file) // pixels of a bit each, of 12 bytes when decoded
	})
}

func TestMiddle(t *testing.T) {
	for _, test := range []struct {
		from          image.Rectangle
		height, width int
		want          image.Rectangle
	}{
		{image.Rect(0, 0, 100, 50), 4, 4, image.Rect(25, 0, 75, 50)},
		{image.Rect(0, 0, 50, 100), 4, 4, image.Rect(0, 25, 50, 75)},
		{image.Rect(10, 20, 110, 70), 1, 2, image.Rect(10, 20, 110, 70)},
		{image.Rect(10, 20, 110, 70), 2, 1, image.Rect(47, 20, 72, 70)},
		{image.Rect(0, 0, 1, 1000), 1, 3, image.Rect(0, 499, 1, 500)},
	} {
		if got := middle(test.from, test.height, test.width); got != test.want {
			t.Errorf("middle(%v, %d, %d) = %v, want %v", test.from, test.height, test.width, got, test.want)
		}
	}
}
