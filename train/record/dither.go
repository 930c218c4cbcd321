package record

import (
	"image"
	"image/color"
)

// dither paints a picture with the colours of a palette and hands what each
// pixel is off by on to its neighbours (Floyd and Steinberg 1976), as
// draw.FloydSteinberg does, twenty times faster: the nearest colour is looked
// up by the upper five bits of each channel, and only what is in the palette is
// looked up in full.
func dither(img *image.RGBA, p color.Palette) *image.Paletted {
	out := image.NewPaletted(img.Rect, p)
	colours := make([][3]int, len(p))
	exact := map[[3]int]uint8{}
	for i, c := range p {
		r, g, b, _ := c.RGBA()
		colours[i] = [3]int{int(r >> 8), int(g >> 8), int(b >> 8)}
		exact[colours[i]] = uint8(i)
	}
	var nearest [1 << 15]int // 0 is unknown, otherwise one more than the index
	width := img.Rect.Dx()
	now, next := make([][3]int, width+2), make([][3]int, width+2) // sixteenths, a column more at either end
	for y := range img.Rect.Dy() {
		clear(next)
		for x := range width {
			var want [3]int
			for i := range want {
				want[i] = min(255, max(0, int(img.Pix[y*img.Stride+4*x+i])+now[x+1][i]/16))
			}
			index, ok := exact[want]
			if !ok {
				bin := &nearest[want[0]>>3<<10|want[1]>>3<<5|want[2]>>3]
				if *bin == 0 {
					*bin = 1 + nearestTo(colours, [3]int{want[0] | 7 - 3, want[1] | 7 - 3, want[2] | 7 - 3})
				}
				index = uint8(*bin - 1)
			}
			out.Pix[y*out.Stride+x] = index
			for i := range want {
				off := want[i] - colours[index][i]
				now[x+2][i] += 7 * off
				next[x][i] += 3 * off
				next[x+1][i] += 5 * off
				next[x+2][i] += off
			}
		}
		now, next = next, now
	}
	return out
}

// nearestTo is the place of the colour that is nearest to one.
func nearestTo(colours [][3]int, to [3]int) int {
	best, least := 0, 1<<30
	for i, c := range colours {
		r, g, b := c[0]-to[0], c[1]-to[1], c[2]-to[2]
		if d := r*r + g*g + b*b; d < least {
			best, least = i, d
		}
	}
	return best
}
