package dataset

import "fmt"

// Padded returns the pictures in the middle of squares of the given side, with
// zeros around them: 2 pixels on each side for MNIST's 28x28 in 32x32, on which
// Silva's code trains. 0 is MNIST's background. Where the margin is odd, the
// right and lower ones are the wider. Labels are shared with the original.
func (d *Images) Padded(to int) (*Images, error) {
	if to < d.Height || to < d.Width {
		return nil, fmt.Errorf("dataset: %s: pictures of %dx%d are larger than the %dx%d to pad them to", d.Name, d.Height, d.Width, to, to)
	}
	if to == d.Height && to == d.Width {
		return d, nil
	}
	planes := d.Len() * d.Channels
	if int64(to)*int64(to) > maxElements/int64(planes) {
		return nil, fmt.Errorf("dataset: %s: %d planes of %dx%d; at most %d values are held", d.Name, planes, to, to, int64(maxElements))
	}
	padded := *d
	padded.Height, padded.Width = to, to
	padded.Pixels = make([]byte, planes*to*to)
	top, left := (to-d.Height)/2, (to-d.Width)/2
	for row := range planes * d.Height {
		plane, y := row/d.Height, row%d.Height
		copy(padded.Pixels[(plane*to+top+y)*to+left:], d.Pixels[row*d.Width:(row+1)*d.Width])
	}
	return &padded, nil
}
