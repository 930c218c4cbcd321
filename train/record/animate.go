package record

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/png"
	"io"
	"slices"
	"time"

	xdraw "golang.org/x/image/draw"

	"github.com/gantrain/gantrain/internal/safefile"
	"github.com/gantrain/gantrain/runtime/picture"
)

// An animation is bounded so that it can be sent, and shown in a page: pictures
// of noise, the worst there are, make it some ten megabytes.
const (
	maxFrames    = 200
	maxFrameSide = 900      // pixels; larger pictures are scaled down
	maxGrey      = 32 << 20 // pixels of all frames together, at 0.36 bytes
	maxColoured  = 14 << 20 // at 0.76 bytes

	paletteSample = 1 << 18 // pixels that the colours are chosen by
	lastFrame     = 2 * time.Second
)

// Frame is a picture of an animation.
type Frame struct {
	Path    string // of a PNG file
	Caption string // above it, like "step 200"; may be empty
}

// Animate writes pictures of one size as an animated GIF that shows each for
// that long, the last one two seconds longer, again and again. Too many are
// thinned evenly, the first and the last stay. Grey pictures get 64 levels,
// coloured ones 256 colours, dithered. The same pictures give the same bytes.
func Animate(path string, frames []Frame, delay time.Duration) error {
	out, err := animation(frames, delay)
	if err != nil {
		return fmt.Errorf("record: %s: %w", path, err)
	}
	if err := safefile.WriteUnsynced(path, func(w io.Writer) error { return gif.EncodeAll(w, out) }); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

func animation(frames []Frame, delay time.Duration) (*gif.GIF, error) {
	size, grey, err := survey(frames)
	if err != nil {
		return nil, err
	}
	above := 0 // the strip for captions
	if slices.ContainsFunc(frames, func(f Frame) bool { return f.Caption != "" }) {
		above = captionSize + 2*captionPad
	}
	scale := min(1, float64(maxFrameSide)/float64(max(size.X, size.Y)))
	size = image.Pt(max(1, int(scale*float64(size.X))), max(1, int(scale*float64(size.Y))))
	most, paint := maxGrey, greyed
	if !grey {
		most = maxColoured
	}
	frames = thin(frames, min(maxFrames, most/(size.X*size.Y)))
	if !grey {
		sample, err := colours(frames, size, above)
		if err != nil {
			return nil, err
		}
		palette := quantise(sample, 256)
		paint = func(img *image.RGBA) *image.Paletted { return dither(img, palette) }
	}

	out := &gif.GIF{}
	wait := max(2, int(delay/(10*time.Millisecond))) // viewers take less for no delay
	for _, f := range frames {
		img, err := f.draw(size, above)
		if err != nil {
			return nil, err
		}
		out.Image, out.Delay = append(out.Image, paint(img)), append(out.Delay, wait)
	}
	out.Delay[len(frames)-1] += int(lastFrame / (10 * time.Millisecond))
	first := out.Image[0]
	out.Config = image.Config{ColorModel: first.Palette, Width: first.Rect.Dx(), Height: first.Rect.Dy()} // one palette for all
	return out, nil
}

// colours returns pixels of all frames, evenly.
func colours(frames []Frame, size image.Point, above int) (sample [][3]uint8, err error) {
	step := 1 + len(frames)*size.X*(size.Y+above)/paletteSample
	for i, f := range frames {
		img, err := f.draw(size, above)
		if err != nil {
			return nil, err
		}
		for at := i % step; at < len(img.Pix)/4; at += step {
			sample = append(sample, [3]uint8(img.Pix[4*at:]))
		}
	}
	return sample, nil
}

// survey finds the size that all frames have, and whether all are grey.
func survey(frames []Frame) (size image.Point, grey bool, err error) {
	if len(frames) == 0 {
		return size, false, fmt.Errorf("no frames")
	}
	grey = true
	for i, f := range frames {
		content, err := readPicture(f.Path)
		if err != nil {
			return size, false, err
		}
		config, err := png.DecodeConfig(bytes.NewReader(content))
		if err != nil {
			return size, false, fmt.Errorf("%s: no PNG picture: %w", f.Path, err)
		}
		now := image.Pt(config.Width, config.Height)
		if i > 0 && now != size {
			return size, false, fmt.Errorf("%s has %v pixels, the frames before it %v", f.Path, now, size)
		}
		size, grey = now, grey && config.ColorModel == color.GrayModel
	}
	return size, grey, nil
}

// thin leaves at most so many frames, two or more, evenly.
func thin(frames []Frame, most int) []Frame {
	if len(frames) <= most {
		return frames
	}
	kept := make([]Frame, most)
	for i := range kept {
		kept[i] = frames[i*(len(frames)-1)/(most-1)]
	}
	return kept
}

// draw returns the frame's picture at a size, below a strip for its caption.
func (f Frame) draw(size image.Point, above int) (*image.RGBA, error) {
	img, err := picture.Read(f.Path)
	if err != nil {
		return nil, err
	}
	out := image.NewRGBA(image.Rect(0, 0, size.X, size.Y+above))
	draw.Draw(out, out.Rect, image.White, image.Point{}, draw.Src)
	at := image.Rectangle{Max: size}.Add(image.Pt(0, above))
	if size == img.Bounds().Size() {
		draw.Draw(out, at, img, img.Bounds().Min, draw.Src)
	} else {
		xdraw.CatmullRom.Scale(out, at, img, img.Bounds(), draw.Src, nil)
	}
	newCaptions().draw(out, shorten(f.Caption), image.Pt(captionPad, above/2))
	return out, nil
}
