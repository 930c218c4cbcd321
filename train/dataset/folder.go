package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	imageSuffix = "idx3-ubyte"
	labelSuffix = "idx1-ubyte"

	maxListed = 8 // names of a folder's files that an error shows
)

// IDX reads one's own pictures from the training files of a folder, named as
// MNIST's are: train-images-idx3-ubyte, or train-images.idx3-ubyte, either with
// .gz; where neither is there, the only file whose name has idx3-ubyte in it.
// Labels are read from the file of the same name with labels for images and
// idx1 for idx3, when it is there. Pictures have one channel.
//
// An error names the file, and says what was expected and what it holds.
func IDX(folder string) (*Images, error) {
	names, err := filesIn(folder)
	if err != nil {
		return nil, err
	}
	images, labels, err := pick(names)
	if err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", folder, err)
	}
	imagePath, labelPath := filepath.Join(folder, images), ""
	if labels != "" {
		labelPath = filepath.Join(folder, labels)
	}
	return load(imagePath, labelPath, baseName(folder), "")
}

// baseName is the last part of a folder's path, also of ".".
func baseName(folder string) string {
	if absolute, err := filepath.Abs(folder); err == nil {
		folder = absolute
	}
	return filepath.Base(folder)
}

// load reads a pair of files; labelPath is empty when there are no labels.
func load(imagePath, labelPath, name, licence string) (*Images, error) {
	dims, pixels, err := readIDX(imagePath, imageRank)
	if err != nil {
		return nil, err
	}
	d := &Images{
		Name: name, Licence: licence,
		Channels: 1, Height: dims[1], Width: dims[2], Pixels: pixels,
	}
	if labelPath == "" {
		return d, nil
	}
	if _, d.Labels, err = readIDX(labelPath, labelRank); err != nil {
		return nil, err
	}
	if len(d.Labels) != d.Len() {
		return nil, fmt.Errorf("dataset: %s: holds %d labels, but %s holds %d images",
			labelPath, len(d.Labels), filepath.Base(imagePath), d.Len())
	}
	return d, nil
}

// filesIn lists the names in a folder that aren't folders themselves, sorted.
func filesIn(folder string) ([]string, error) {
	info, err := os.Stat(folder)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("dataset: %s: is a file; expected the folder that holds the IDX files", folder)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// pick chooses the image file and, when there is one, its label file.
func pick(names []string) (images, labels string, err error) {
	wanted := spellings("train-images", imageSuffix)
	if images = first(wanted, names); images == "" {
		var found []string
		for _, n := range names {
			if strings.Contains(n, imageSuffix) {
				found = append(found, n)
			}
		}
		switch len(found) {
		case 0:
			return "", "", fmt.Errorf("no pictures: looked for %s or one file named *%s*; %s",
				strings.Join(wanted, ", "), imageSuffix, listing(names))
		case 1:
			images = found[0]
		default:
			return "", "", fmt.Errorf("%d files are named *%s* (%s): name the one to use %s",
				len(found), imageSuffix, shorten(found), wanted[0])
		}
	}
	stem, _, _ := strings.Cut(images, imageSuffix)
	stem = strings.ReplaceAll(strings.TrimRight(stem, "-."), "images", "labels")
	return images, first(spellings(stem, labelSuffix), names), nil
}

// spellings are the names under which a part of the data is published.
func spellings(stem, suffix string) []string {
	return []string{
		stem + "-" + suffix, stem + "-" + suffix + ".gz",
		stem + "." + suffix, stem + "." + suffix + ".gz",
	}
}

// first is the first wanted name that is there, or "".
func first(wanted, names []string) string {
	for _, w := range wanted {
		if slices.Contains(names, w) {
			return w
		}
	}
	return ""
}

func listing(names []string) string {
	if len(names) == 0 {
		return "the folder holds no files"
	}
	return "the folder holds " + shorten(names)
}

func shorten(names []string) string {
	if more := len(names) - maxListed; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxListed], ", "), more)
	}
	return strings.Join(names, ", ")
}
