package dataset

import (
	"bytes"
	"strings"
	"testing"
)

func TestFashionMNIST(t *testing.T) {
	images := idx(0x803, []uint32{60000, 28, 28}, make([]byte, 60000*28*28))
	images[len(images)-1] = 200
	labels := idx(0x801, []uint32{60000}, bytes.Repeat([]byte{9, 0, 0, 3, 0}, 12000))
	serve(t, &fashionImages, zip(images))
	serve(t, &fashionLabels, zip(labels))
	d, err := FashionMNIST(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := d.String(), "Fashion-MNIST: 60000 pictures of 1x28x28"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if d.Licence != fashionLicence || d.Label(3) != 3 || d.Pixels[60000*28*28-1] != 200 {
		t.Errorf("licence %q, label %d, last pixel %d", d.Licence, d.Label(3), d.Pixels[60000*28*28-1])
	}

	labels[len(labels)-1] = 10
	serve(t, &fashionLabels, zip(labels))
	if _, err := FashionMNIST(t.Context()); err == nil || !strings.Contains(err.Error(), "label 10 of picture 59999; expected 0 to 9") {
		t.Errorf("error %v, want one about label 10", err)
	}
	serve(t, &fashionImages, images[:5])
	if _, err := FashionMNIST(t.Context()); err == nil || !strings.Contains(err.Error(), "truncated") {
		t.Errorf("error %v, want one about truncation", err)
	}
}
