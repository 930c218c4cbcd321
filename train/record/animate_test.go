package record

import (
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gantrain/gantrain/runtime/picture"
)

// flat writes a picture of one colour.
func flat(t *testing.T, c color.Color, width, height int) Frame {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	out := interface {
		image.Image
		Set(x, y int, c color.Color)
	}(img)
	if _, ok := c.(color.Gray); ok {
		out = image.NewGray(img.Rect)
	}
	for y := range height {
		for x := range width {
			out.Set(x, y, c)
		}
	}
	path := filepath.Join(t.TempDir(), "frame.png")
	if err := picture.WritePNG(path, out); err != nil {
		t.Fatal(err)
	}
	return Frame{Path: path}
}

func decodeGIF(t *testing.T, path string) *gif.GIF {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	g, err := gif.DecodeAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestAnimate(t *testing.T) {
	black, white := flat(t, color.Gray{0}, 40, 30), flat(t, color.Gray{255}, 40, 30)
	red, sea := flat(t, color.NRGBA{200, 10, 30, 255}, 40, 30), flat(t, color.NRGBA{5, 99, 120, 255}, 40, 30)
	captioned := white
	captioned.Caption = "step 1"
	huge := flat(t, color.Gray{255}, 2000, 500)
	tests := []struct {
		name   string
		frames []Frame
		size   image.Point
		want   []color.Color // of the frames' lower right corners
	}{
		{"grey", []Frame{black, white, black}, image.Pt(40, 30), []color.Color{color.Gray{0}, color.Gray{255}, color.Gray{0}}},
		{"colour", []Frame{red, sea}, image.Pt(40, 30), []color.Color{color.NRGBA{200, 10, 30, 255}, color.NRGBA{5, 99, 120, 255}}},
		{"mixed", []Frame{white, red}, image.Pt(40, 30), []color.Color{color.Gray{255}, color.NRGBA{200, 10, 30, 255}}},
		{"captions", []Frame{captioned, black}, image.Pt(40, 30+captionSize+2*captionPad), []color.Color{color.Gray{255}, color.Gray{0}}},
		{"one", []Frame{black}, image.Pt(40, 30), []color.Color{color.Gray{0}}},
		{"large", []Frame{huge}, image.Pt(maxFrameSide, maxFrameSide/4), []color.Color{color.Gray{255}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var bytes string
			path := filepath.Join(t.TempDir(), "samples.gif")
			for range 2 {
				if err := Animate(path, test.frames, 250*time.Millisecond); err != nil {
					t.Fatal(err)
				}
				if now := contents(t, path); bytes == "" {
					bytes = now
				} else if now != bytes {
					t.Error("the same frames gave another file")
				}
			}
			g := decodeGIF(t, path)
			if g.LoopCount != 0 && len(g.Image) > 1 || len(g.Image) != len(test.want) || image.Pt(g.Config.Width, g.Config.Height) != test.size {
				t.Fatalf("%d frames of %dx%d, %d loops", len(g.Image), g.Config.Width, g.Config.Height, g.LoopCount)
			}
			for i, img := range g.Image {
				delay := 25
				if i == len(g.Image)-1 {
					delay += 200
				}
				got := color.NRGBAModel.Convert(img.At(img.Rect.Max.X-1, img.Rect.Max.Y-1))
				if want := color.NRGBAModel.Convert(test.want[i]); got != want || g.Delay[i] != delay {
					t.Errorf("frame %d is %v for %d hundredths, want %v for %d", i, got, g.Delay[i], want, delay)
				}
			}
		})
	}
}

// TestAnimateCaptions puts each caption above its own frame.
func TestAnimateCaptions(t *testing.T) {
	frames := []Frame{flat(t, color.Gray{255}, 200, 20), flat(t, color.Gray{255}, 200, 20)}
	frames[0].Caption, frames[1].Caption = "step 1", strings.Repeat("step 2 ", 1000)
	path := filepath.Join(t.TempDir(), "samples.gif")
	if err := Animate(path, frames, 0); err != nil {
		t.Fatal(err)
	}
	var dark [2]int
	for i, img := range decodeGIF(t, path).Image {
		for _, v := range img.Pix {
			if v < greyLevels/2 {
				dark[i]++
			}
		}
	}
	if dark[0] < 30 || dark[1] < 2*dark[0] {
		t.Errorf("%v dark pixels", dark)
	}
}

func TestThin(t *testing.T) {
	frames := make([]Frame, 1001)
	for i := range frames {
		frames[i].Caption = fmt.Sprint(i)
	}
	kept := thin(frames, 201)
	for i, f := range kept {
		if f.Caption != fmt.Sprint(5*i) {
			t.Errorf("frame %d is %s", i, f.Caption)
		}
	}
	if len(kept) != 201 || len(thin(frames, 1001)) != 1001 {
		t.Error("another number of frames")
	}
	if kept = thin(frames, 200); kept[0].Caption != "0" || kept[199].Caption != "1000" {
		t.Errorf("from %s to %s", kept[0].Caption, kept[199].Caption)
	}
}

func TestAnimateRefuses(t *testing.T) {
	small, wide := flat(t, color.Gray{0}, 4, 4), flat(t, color.Gray{0}, 5, 4)
	text := Frame{Path: table(t, "step,a\n")}
	out := filepath.Join(t.TempDir(), "samples.gif")
	for _, test := range []struct {
		frames []Frame
		want   string
	}{
		{nil, "no frames"},
		{[]Frame{small, wide}, wide.Path + " has (5,4) pixels, the frames before it (4,4)"},
		{[]Frame{text}, text.Path + ": no PNG picture"},
		{[]Frame{small, {Path: small.Path + "x"}}, "no such file"},
	} {
		err := Animate(out, test.frames, 0)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "record: "+out) {
			t.Errorf("error %v, want %q", err, test.want)
		}
		if _, err := os.Stat(out); err == nil {
			t.Error("an animation was written")
		}
	}
}

func TestQuantise(t *testing.T) {
	// Half of it one colour, the rest all of a wide ramp.
	var sample [][3]uint8
	for i := range 3000 {
		sample = append(sample, [3]uint8{250, 251, 3}, [3]uint8{uint8(i % 256), uint8(i % 256 / 2), 77})
	}
	few := slices.Clone(sample[:6])
	p := quantise(sample, 16)
	if len(p) != 16 {
		t.Fatalf("%d colours", len(p))
	}
	if got := p[p.Index(color.RGBA{250, 251, 3, 255})]; got != (color.RGBA{250, 251, 3, 255}) {
		t.Errorf("the ground became %v", got)
	}
	for i := range 256 {
		want := color.RGBA{uint8(i), uint8(i / 2), 77, 255}
		got := p.Convert(want).(color.RGBA)
		if d := max(got.R, want.R) - min(got.R, want.R); d > 256/15 { // fifteen boxes for the ramp
			t.Errorf("%v became %v", want, got)
		}
	}
	for _, c := range few { // as many as there is room for stay exact
		want := color.RGBA{c[0], c[1], c[2], 255}
		if got := quantise(slices.Clone(few), 16).Convert(want); got != want {
			t.Errorf("%v became %v", want, got)
		}
	}
	if got := quantise(nil, 16); len(got) != 1 {
		t.Errorf("of nothing: %v", got)
	}
}

// TestDither keeps the mean of a colour that the palette lacks.
func TestDither(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 64, 64))
	want := [3]int{100, 150, 40}
	for i := 0; i < len(img.Pix); i += 4 {
		copy(img.Pix[i:], []uint8{uint8(want[0]), uint8(want[1]), uint8(want[2]), 255})
	}
	var p color.Palette
	for i := range 8 { // the corners of the cube
		p = append(p, color.RGBA{uint8(i&1) * 255, uint8(i>>1&1) * 255, uint8(i>>2) * 255, 255})
	}
	var sum [3]int
	out := dither(img, p)
	for _, index := range out.Pix {
		r, g, b, _ := p[index].RGBA()
		for i, v := range []uint32{r, g, b} {
			sum[i] += int(v >> 8)
		}
	}
	for i, w := range want {
		if got := float64(sum[i]) / 64 / 64; got < float64(w)-3 || got > float64(w)+3 { // what the last row and column are left with
			t.Errorf("channel %d has a mean of %.1f, want %d", i, got, w)
		}
	}
}
