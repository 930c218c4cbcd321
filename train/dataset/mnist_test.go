package dataset

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMNIST(t *testing.T) {
	if _, err := mnistImages.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := allocated()
	d, err := MNIST(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// What is kept, and 3 MB for the tables of deflate's blocks.
	if got, most := allocated()-before, uint64(60000*28*28+60000+4<<20); got > most {
		t.Errorf("%d bytes allocated, want at most %d", got, most)
	}
	if d.Len() != 60000 || d.Channels != 1 || d.Height != 28 || d.Width != 28 {
		t.Fatalf("%d pictures of %dx%dx%d", d.Len(), d.Channels, d.Height, d.Width)
	}
	// The digits of LeCun's training set are known to be counted so, and to
	// begin 5, 0, 4, 1, 9.
	counts := make([]int, 10)
	for _, l := range d.Labels {
		counts[l]++
	}
	if diff := cmp.Diff([]int{5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949}, counts); diff != "" {
		t.Errorf("labels (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]byte{5, 0, 4, 1, 9}, d.Labels[:5]); diff != "" {
		t.Errorf("first labels (-want +got)\n%s", diff)
	}
	// A corner is paper, and the mean is the 0.1307 of 255 that everyone
	// normalises with.
	var sum int
	for _, p := range d.Pixels {
		sum += int(p)
	}
	if mean := float64(sum) / float64(len(d.Pixels)) / 255; d.Pixels[0] != 0 || mean < 0.13065 || mean > 0.13075 {
		t.Errorf("first pixel %d, mean %g, want 0 and 0.1307", d.Pixels[0], mean)
	}
}
