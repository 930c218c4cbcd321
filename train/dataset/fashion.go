package dataset

import (
	"context"
	"fmt"

	"github.com/gantrain/gantrain/internal/download"
)

const (
	fashionURL     = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
	fashionLicence = "Fashion-MNIST: Zalando SE; MIT"
)

// Sizes and hashes are those that TensorFlow Datasets lists (commit 333639b,
// url_checksums/fashion_mnist.txt).
var (
	fashionImages = download.File{
		URL:    fashionURL + "train-images-idx3-ubyte.gz",
		SHA256: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", Size: 26421880,
	}
	fashionLabels = download.File{
		URL:    fashionURL + "train-labels-idx1-ubyte.gz",
		SHA256: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", Size: 29515,
	}
)

// FashionMNIST is the training set of Zalando's articles of clothing, 60000
// pictures of 28 by 28 with their labels 0 to 9; the background is 0. It is
// downloaded (26 MB) at first use, and a copy stays in the user's cache. IDX
// reads files of one's own.
func FashionMNIST(ctx context.Context) (*Images, error) {
	images, err := fashionImages.Fetch(ctx)
	if err != nil {
		return nil, fmt.Errorf("dataset: Fashion-MNIST: %w", err)
	}
	labels, err := fashionLabels.Fetch(ctx)
	if err != nil {
		return nil, fmt.Errorf("dataset: Fashion-MNIST: %w", err)
	}
	d, err := load(images, labels, "Fashion-MNIST", fashionLicence)
	if err != nil {
		return nil, err
	}
	return d.expect(images, 60000, 1, 28, 28)
}
