package dataset

// Set is what a GAN learns from: *Images or *Points.
type Set interface {
	Len() int
	// Shape is that of one example: [C, H, W] of a picture, [2] of a point.
	Shape() []int
	// Scale gathers the examples that index names into dst, in that order.
	// Pictures are mapped to [lo, hi], points stay as they are.
	Scale(dst []float32, index []int, lo, hi float64)
	// Label is the class of an example, or -1 when the set has no labels.
	Label(i int) int
	// About is for a model's metadata; licence is empty when it isn't known.
	About() (name, licence string)
	// Sum is the SHA-256 of the content in hexadecimal digits.
	Sum() string
}

var (
	_ Set = (*Images)(nil)
	_ Set = (*Points)(nil)
)
