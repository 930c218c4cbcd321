package record

import (
	"cmp"
	"image"
	"image/color"
	"slices"
)

// greyLevels are so many that no eye misses the rest of 256, and take a quarter
// less space.
const greyLevels = 64

var greys = func() (p color.Palette) {
	for i := range greyLevels {
		p = append(p, color.Gray{uint8((i*255 + greyLevels/2) / (greyLevels - 1))})
	}
	return p
}()

// greyed paints a picture that is grey with levels of grey.
func greyed(img *image.RGBA) *image.Paletted {
	out := image.NewPaletted(img.Rect, greys)
	for i := range out.Pix {
		out.Pix[i] = uint8((int(img.Pix[4*i])*(greyLevels-1) + 127) / 255)
	}
	return out
}

// shadeCount is a colour and how often it was seen.
type shadeCount struct {
	rgb [3]uint8
	n   int
}

// quantise chooses at most so many colours for those of a sample, by median cut
// (Heckbert 1982): the box of colours with the most to lose is parted at the
// median of its longest side until there are enough, and each becomes its mean.
// A colour that is seen often, like the ground of a plot, ends in a box of its
// own and stays exact.
func quantise(sample [][3]uint8, most int) color.Palette {
	slices.SortFunc(sample, func(a, b [3]uint8) int { return slices.Compare(a[:], b[:]) })
	var all []shadeCount
	for _, rgb := range sample {
		if last := len(all) - 1; last >= 0 && all[last].rgb == rgb {
			all[last].n++
		} else {
			all = append(all, shadeCount{rgb, 1})
		}
	}
	if len(all) == 0 {
		return color.Palette{color.Black}
	}
	boxes := []box{newBox(all)}
	for len(boxes) < most {
		worst := 0
		for i, b := range boxes {
			if b.loss > boxes[worst].loss {
				worst = i
			}
		}
		if boxes[worst].loss == 0 { // every colour has its box
			break
		}
		low, high := boxes[worst].part()
		boxes[worst] = low
		boxes = append(boxes, high)
	}
	var p color.Palette
	for _, b := range boxes {
		p = append(p, b.mean())
	}
	return p
}

// box is a part of the colours.
type box struct {
	colours []shadeCount
	axis    int // its longest side: red, green or blue
	loss    int // that side, times what was seen of the box
}

func newBox(colours []shadeCount) box {
	b := box{colours: colours}
	longest, n := uint8(0), 0
	for axis := range 3 {
		low, high := uint8(255), uint8(0)
		for _, c := range colours {
			low, high = min(low, c.rgb[axis]), max(high, c.rgb[axis])
		}
		if high-low > longest {
			longest, b.axis = high-low, axis
		}
	}
	for _, c := range colours {
		n += c.n
	}
	b.loss = int(longest) * n
	return b
}

// part divides a box of two colours or more.
func (b box) part() (low, high box) {
	slices.SortStableFunc(b.colours, func(x, y shadeCount) int { return cmp.Compare(x.rgb[b.axis], y.rgb[b.axis]) })
	total := 0
	for _, c := range b.colours {
		total += c.n
	}
	at, below := 1, b.colours[0].n
	for at < len(b.colours)-1 && 2*below+b.colours[at].n <= total { // nearer to the half with it than without
		below += b.colours[at].n
		at++
	}
	return newBox(b.colours[:at]), newBox(b.colours[at:])
}

func (b box) mean() color.Color {
	var sum [3]int
	n := 0
	for _, c := range b.colours {
		for axis := range 3 {
			sum[axis] += int(c.rgb[axis]) * c.n
		}
		n += c.n
	}
	level := func(axis int) uint8 { return uint8((sum[axis] + n/2) / n) }
	return color.RGBA{level(0), level(1), level(2), 0xff}
}
