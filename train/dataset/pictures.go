package dataset

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg" // a folder may hold both
	_ "image/png"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/image/draw"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

const (
	// maxPixels bounds the pictures that are decoded at a time, together, and so
	// each of them. A pixel takes up to 12 bytes while a JPEG is decoded.
	maxPixels  = 100e6
	maxClasses = 256 // a label is a byte
)

var errNoPictures = errors.New("no pictures")

// Folder reads a folder of PNG and JPEG pictures, at any depth, in the order of
// their paths. Of each it takes the largest part in the middle that has the
// wanted shape, and scales it (Catmull-Rom) to height by width; channels is 1
// for grey or 3 for RGB. What is transparent becomes black, and cameras' notes
// on orientation aren't heeded.
//
// Where all pictures lie in sub-folders, 256 at most, each of these is a class:
// labels 0, 1, 2... are those of Classes, the sorted names. Files and folders whose
// names begin with a dot are passed over. An error names the picture.
func Folder(ctx context.Context, folder string, channels, height, width int) (*Images, error) {
	if channels != 1 && channels != 3 || height < 1 || width < 1 {
		return nil, fmt.Errorf("dataset: %s: pictures can't be read as %dx%dx%d; want 1 or 3 channels, and at least a pixel", folder, channels, height, width)
	}
	if info, err := os.Stat(folder); err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("dataset: %s: is a file; expected a folder of pictures", folder)
	}
	names, err := picturesIn(folder)
	if err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", folder, err)
	}
	d := &Images{Name: baseName(folder), Channels: channels, Height: height, Width: width}
	d.Labels, d.Classes = classes(names)
	most := int64(maxElements) / int64(len(names)) / int64(channels)
	if int64(height) > most/int64(width) {
		return nil, fmt.Errorf("dataset: %s: %d pictures of %s; at most %d values are held", folder, len(names), times(d.Shape()), int64(maxElements))
	}
	d.Pixels = make([]byte, len(names)*d.pictureSize())

	atOnce := semaphore.NewWeighted(maxPixels)
	workers, ctx := errgroup.WithContext(ctx)
	workers.SetLimit(runtime.GOMAXPROCS(0))
	for i, name := range names {
		workers.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			file := filepath.Join(folder, filepath.FromSlash(name))
			f, length, err := openFile(file)
			if err != nil {
				return err
			}
			defer f.Close()
			if err := d.readPicture(ctx, i, f, length, atOnce); err != nil {
				return fmt.Errorf("dataset: %s: %w", file, err)
			}
			return nil
		})
	}
	if err := workers.Wait(); err != nil {
		return nil, err
	}
	return d, nil
}

// picturesIn returns the slash-separated paths of the pictures below a folder,
// sorted part by part.
func picturesIn(folder string) (pictures []string, err error) {
	var others []string
	err = fs.WalkDir(os.DirFS(folder), ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(e.Name(), "."):
			if e.IsDir() {
				return fs.SkipDir
			}
		case e.IsDir():
		case isPicture(name):
			pictures = append(pictures, name)
		default:
			others = append(others, name)
		}
		return nil
	})
	if err == nil && len(pictures) == 0 {
		err = fmt.Errorf("%w: looked for *.png, *.jpg and *.jpeg, in sub-folders too; %s", errNoPictures, listing(others))
	}
	return pictures, err
}

func isPicture(name string) bool {
	ext := strings.ToLower(path.Ext(name))
	return ext == ".png" || ext == ".jpg" || ext == ".jpeg"
}

// classes returns a label for each of the sorted names and what labels are
// called, or nothing when the pictures aren't sorted into sub-folders.
func classes(names []string) (labels []byte, classes []string) {
	for _, name := range names {
		class, _, inside := strings.Cut(name, "/")
		if !inside {
			return nil, nil
		}
		if n := len(classes); n == 0 || classes[n-1] != class {
			classes = append(classes, class)
		}
		labels = append(labels, byte(len(classes)-1))
	}
	if len(classes) > maxClasses {
		return nil, nil
	}
	return labels, classes
}

// leastBits is what a pixel takes at least in a PNG that decodes to a colour model,
// before it is deflated: a bit where it may be black or white.
func leastBits(m color.Model) int64 {
	switch m {
	case color.Gray16Model, color.NRGBAModel: // the latter of grey and alpha
		return 16
	case color.RGBAModel:
		return 24
	case color.NRGBA64Model:
		return 32
	case color.RGBA64Model:
		return 48
	}
	return 1
}

// readPicture reads picture i from a file of size bytes.
func (d *Images) readPicture(ctx context.Context, i int, file io.ReadSeeker, size int64, atOnce *semaphore.Weighted) error {
	config, _, err := image.DecodeConfig(bufio.NewReader(file))
	if err != nil {
		return undecodable(err)
	}
	pixels := int64(config.Width) * int64(config.Height)
	switch {
	case pixels < 1 || pixels > maxPixels:
		return fmt.Errorf("%dx%d pixels; at most %d million are read", config.Width, config.Height, int64(maxPixels/1e6))
	case pixels*leastBits(config.ColorModel) > 8*deflateRatio*size: // a JPEG's block of 64 takes two bits
		return fmt.Errorf("%dx%d pixels, more than a file of %d bytes can hold", config.Width, config.Height, size)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := atOnce.Acquire(ctx, pixels); err != nil {
		return err
	}
	defer atOnce.Release(pixels)
	img, _, err := image.Decode(bufio.NewReader(file))
	if err != nil {
		return undecodable(err)
	}
	scalePicture(d.Pixels[i*d.pictureSize():], img, d.Channels, d.Height, d.Width)
	return nil
}

func undecodable(err error) error {
	switch {
	case errors.Is(err, image.ErrFormat):
		return errors.New("neither PNG nor JPEG")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("truncated")
	}
	return err
}

// scalePicture crops and scales img into dst [channels, height, width].
func scalePicture(dst []byte, img image.Image, channels, height, width int) {
	scaled := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.CatmullRom.Scale(scaled, scaled.Rect, img, middle(img.Bounds(), height, width), draw.Src, nil)
	plane := height * width
	for i := range plane {
		r, g, b := int(scaled.Pix[4*i]), int(scaled.Pix[4*i+1]), int(scaled.Pix[4*i+2])
		if channels == 1 {
			// The weights of ITU-R BT.601, as in image/color; they add up to 65536.
			dst[i] = byte((19595*r + 38470*g + 7471*b + 1<<15) >> 16)
			continue
		}
		dst[i], dst[plane+i], dst[2*plane+i] = byte(r), byte(g), byte(b)
	}
}

// middle is the largest part of r, in its middle, that is shaped as height by
// width are.
func middle(r image.Rectangle, height, width int) image.Rectangle {
	w, h := r.Dx(), r.Dy()
	if w*height > h*width {
		w = max(1, (h*width+height/2)/height)
	} else {
		h = max(1, (w*height+width/2)/width)
	}
	corner := r.Min.Add(image.Pt((r.Dx()-w)/2, (r.Dy()-h)/2))
	return image.Rectangle{corner, corner.Add(image.Pt(w, h))}
}
