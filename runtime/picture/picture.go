// Package picture turns the arrays that a generator gives into pictures, and
// pictures into the arrays that a discriminator takes.
package picture

import (
	"fmt"
	"image"
	"math"
)

// From makes a picture of data [C, H, W], whose value lo becomes 0 and hi 255,
// rounded to the nearest level; what lies outside is clamped. One channel gives
// an *image.Gray, three (red, green, blue) an opaque *image.NRGBA. A NaN is an
// error: it has no colour.
func From(data []float32, c, h, w int, lo, hi float64) (image.Image, error) {
	if err := check(c, h, w, lo, hi); err != nil {
		return nil, err
	}
	if len(data) != c*h*w {
		return nil, fmt.Errorf("picture: %d values, want %d for [%d, %d, %d]", len(data), c*h*w, c, h, w)
	}
	var pix []uint8
	var img image.Image
	stride := 1
	if c == 1 {
		gray := image.NewGray(image.Rect(0, 0, w, h))
		pix, img = gray.Pix, gray
	} else {
		colour := image.NewNRGBA(image.Rect(0, 0, w, h))
		pix, img = colour.Pix, colour
		stride = 4
		for i := 3; i < len(pix); i += 4 {
			pix[i] = 255
		}
	}
	scale := 255 / (hi - lo)
	for channel := range c {
		for i, v := range data[channel*h*w:][:h*w] {
			level := math.Floor((float64(v)-lo)*scale + 0.5)
			switch {
			case level >= 0 && level <= 255:
				pix[i*stride+channel] = uint8(level)
			case level > 255:
				pix[i*stride+channel] = 255
			case level < 0:
				pix[i*stride+channel] = 0
			default:
				return nil, fmt.Errorf("picture: the value at [%d, %d, %d] is not a number", channel, i/w, i%w)
			}
		}
	}
	return img, nil
}

// ToTensor is the inverse of From: the picture as [C, H, W], level 0 as lo and
// 255 as hi. The picture must be w wide and h high. A coloured one becomes grey
// by the luma of ITU-R BT.601 where c is 1, a grey one has three equal channels
// where c is 3; transparent parts count as lying over black.
func ToTensor(img image.Image, c, h, w int, lo, hi float64) ([]float32, error) {
	if err := check(c, h, w, lo, hi); err != nil {
		return nil, err
	}
	if b := img.Bounds(); b.Dx() != w || b.Dy() != h {
		return nil, fmt.Errorf("picture: %dx%d pixels, want %dx%d", b.Dx(), b.Dy(), w, h)
	}
	var values [256]float32
	for level := range values {
		values[level] = float32(lo + float64(level)*(hi-lo)/255)
	}
	data := make([]float32, c*h*w)
	if c == 1 {
		gray := toGray(img)
		for y := range h {
			for x, level := range gray.Pix[y*gray.Stride:][:w] {
				data[y*w+x] = values[level]
			}
		}
		return data, nil
	}
	colour := toRGBA(img)
	for y := range h {
		row := colour.Pix[y*colour.Stride:][:4*w]
		for x := range w {
			for channel := range c {
				data[(channel*h+y)*w+x] = values[row[4*x+channel]]
			}
		}
	}
	return data, nil
}

func check(c, h, w int, lo, hi float64) error {
	switch {
	case c != 1 && c != 3:
		return fmt.Errorf("picture: %d channels, want 1 or 3", c)
	case h < 1 || w < 1 || h > MaxSide || w > MaxSide:
		return fmt.Errorf("picture: %dx%d pixels, want 1x1 to %dx%d", w, h, MaxSide, MaxSide)
	case !(lo < hi) || math.IsInf(lo, 0) || math.IsInf(hi, 0):
		return fmt.Errorf("picture: values from %g to %g, want two finite numbers in rising order", lo, hi)
	}
	return nil
}

// ChannelsFirst moves the last axis of pictures [n, H, W, C] after the first.
func ChannelsFirst[T any](v []T, shape []int) []T {
	n, pixels, channels := shape[0], shape[1]*shape[2], shape[3]
	out := make([]T, len(v))
	for i := range n {
		for p := range pixels {
			for c := range channels {
				out[(i*channels+c)*pixels+p] = v[(i*pixels+p)*channels+c]
			}
		}
	}
	return out
}
