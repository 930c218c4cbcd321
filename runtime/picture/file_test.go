package picture

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gantrain/gantrain/runtime/latent"
)

func TestWriteAndRead(t *testing.T) {
	gray := image.NewGray(image.Rect(0, 0, 28, 28))
	colour := image.NewNRGBA(image.Rect(0, 0, 33, 32)) // more than is stored
	for i := range gray.Pix {
		gray.Pix[i] = uint8(i)
	}
	for i := range colour.Pix {
		colour.Pix[i] = uint8(i) | uint8(i%4/3)*255 // every fourth byte opaque
	}
	for name, img := range map[string]image.Image{"gray": gray, "colour": colour} {
		path := filepath.Join(t.TempDir(), name+".png")
		for range 2 { // the second time with a used buffer, over the old file
			if err := WritePNG(path, img); err != nil {
				t.Fatal(err)
			}
		}
		got, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		for y := range img.Bounds().Dy() {
			for x := range img.Bounds().Dx() {
				want := color.NRGBAModel.Convert(img.At(x, y))
				if c := color.NRGBAModel.Convert(got.At(x, y)); c != want {
					t.Fatalf("%s: pixel %d,%d is %v, want %v", name, x, y, c, want)
				}
			}
		}
	}
}

func TestReadJPEG(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jpg")
	var b bytes.Buffer
	if err := jpeg.Encode(&b, flat(200, 8, 8), nil); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	img, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ToTensor(img, 1, 8, 8, 0, 255)
	if err != nil {
		t.Fatal(err)
	}
	if got[0] < 199 || got[0] > 201 { // JPEG loses a level
		t.Errorf("pixel is %g, want 200", got[0])
	}
}

// header returns the first chunks of a PNG that claims to be w by h pixels.
func header(w, h uint32) []byte {
	chunk := []byte("IHDR")
	chunk = binary.BigEndian.AppendUint32(chunk, w)
	chunk = binary.BigEndian.AppendUint32(chunk, h)
	chunk = append(chunk, 8, 0, 0, 0, 0)
	b := binary.BigEndian.AppendUint32([]byte("\x89PNG\r\n\x1a\n"), uint32(len(chunk)-4))
	b = append(b, chunk...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(chunk))
}

func TestReadRefuses(t *testing.T) {
	var whole bytes.Buffer
	if err := png.Encode(&whole, flat(1, 30, 30)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"empty":     {nil, "neither PNG nor JPEG"},
		"text":      {[]byte("not a picture"), "neither PNG nor JPEG"},
		"huge":      {header(1<<20, 1<<20), "1048576x1048576 pixels, want at most 4096x4096"},
		"wide":      {header(MaxSide+1, 1), "4097x1 pixels"},
		"truncated": {whole.Bytes()[:whole.Len()/2], "unexpected EOF"},
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, c.content, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(path); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v, want %q and the file's name", name, err, c.want)
		}
	}
	for path, want := range map[string]string{
		t.TempDir():                          "not a regular file",
		filepath.Join(t.TempDir(), "no.png"): "no such file",
	} {
		if _, err := Read(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("error %v, want %q and the file's name", err, want)
		}
	}
}

func TestWriteNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "empty.png")
	err := WritePNG(path, image.NewGray(image.Rectangle{}))
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v, want one that names %s", err, path)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if diff := cmp.Diff([]string(nil), left); err != nil || diff != "" {
		t.Errorf("files left (-want +got):\n%s", diff)
	}
}

// A grey digit-sized picture with some structure and some noise, as a young
// generator makes them.
func BenchmarkWritePNG(b *testing.B) {
	data := make([]float32, 28*28)
	latent.Fill(data, latent.Uniform, 1, 0, 0)
	for i := range data {
		data[i] = data[i]/4 + float32(i%28)/28
	}
	dir := b.TempDir()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		img, err := From(data, 1, 28, 28, -1, 1)
		if err != nil {
			b.Fatal(err)
		}
		path := filepath.Join(dir, strconv.Itoa(i)) // a new name each: replacing a file costs more
		if err := WritePNG(path, img); err != nil {
			b.Fatal(err)
		}
	}
}
