package dataset

import (
	"context"
	"fmt"
	"io"

	"github.com/gantrain/gantrain/internal/download"
)

const (
	svhnName    = "train_32x32.mat"
	svhnCount   = 73257
	svhnLicence = "SVHN: Yuval Netzer, Tao Wang, Adam Coates, Alessandro Bissacco, Bo Wu, Andrew Y. Ng; for non-commercial use"
)

// Size and hash are those that TensorFlow Datasets lists (commit 333639b,
// url_checksums/svhn_cropped.txt).
var svhnFile = download.File{
	URL:    "http://ufldl.stanford.edu/housenumbers/" + svhnName,
	SHA256: "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8", Size: 182040794,
}

// SVHN is a set of house numbers, cropped to single digits: 73257 coloured pictures
// of 32 by 32 with their labels 0 to 9. It is downloaded (182 MB) at first use; a
// copy stays in the user's cache.
func SVHN(ctx context.Context) (*Images, error) {
	path, err := svhnFile.Fetch(ctx)
	if err != nil {
		return nil, fmt.Errorf("dataset: SVHN: %w", err)
	}
	d, err := readSVHN(path, "SVHN", svhnLicence)
	if err != nil {
		return nil, err
	}
	return d.expect(path, svhnCount, 3, 32, 32)
}

// expect holds a published set against what its publisher says of it.
func (d *Images) expect(path string, count, channels, height, width int) (*Images, error) {
	if d.Len() != count || d.Channels != channels || d.Height != height || d.Width != width {
		return nil, fmt.Errorf("dataset: %s: holds %d pictures of %s, expected %d of %dx%dx%d",
			path, d.Len(), times(d.Shape()), count, channels, height, width)
	}
	for i, l := range d.Labels {
		if l > 9 {
			return nil, fmt.Errorf("dataset: %s: label %d of picture %d; expected 0 to 9", path, l, i)
		}
	}
	return d, nil
}

// readOwnSVHN reads a file of one's own, which may be a copy of the published one.
func readOwnSVHN(path, name string) (*Images, error) {
	licence := ""
	switch published, err := svhnFile.Is(path); {
	case err != nil:
		return nil, fmt.Errorf("dataset: %w", err)
	case published:
		name, licence = "SVHN", svhnLicence
	}
	return readSVHN(path, name, licence)
}

func readSVHN(path, name, licence string) (*Images, error) {
	f, size, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d, err := decodeSVHN(f, size)
	if err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", path, err)
	}
	d.Name, d.Licence = name, licence
	return d, nil
}

// decodeSVHN reads pictures X [height, width, 3, N] and labels y [N, 1] from 1
// to 10, where 10 means the digit 0.
func decodeSVHN(file io.Reader, size int64) (*Images, error) {
	arrays, err := decodeMAT(file, size, "X", "y")
	if err != nil {
		return nil, err
	}
	x, y := arrays["X"], arrays["y"]
	if len(x.dims) != 4 || x.dims[2] != 3 {
		return nil, fmt.Errorf("variable X is %s, expected height x width x 3 x pictures", times(x.dims))
	}
	d := &Images{Channels: 3, Height: x.dims[0], Width: x.dims[1], Pixels: x.data, Labels: y.data}
	if len(d.Labels) != d.Len() {
		return nil, fmt.Errorf("y holds %d labels, but X holds %d pictures", len(d.Labels), d.Len())
	}
	for i, l := range d.Labels {
		if l < 1 || l > 10 {
			return nil, fmt.Errorf("label %d of picture %d; expected 1 to 10, of which 10 means 0", l, i)
		}
		d.Labels[i] = l % 10
	}
	transpose(d.Pixels, d.Height, d.Width)
	return d, nil
}

// transpose turns planes that lie column by column into planes that lie row by
// row, where they are.
func transpose(planes []byte, height, width int) {
	columns := make([]byte, height*width)
	for ; len(planes) > 0; planes = planes[len(columns):] {
		copy(columns, planes)
		for x := range width {
			for y, p := range columns[x*height : (x+1)*height] {
				planes[y*width+x] = p
			}
		}
	}
}
