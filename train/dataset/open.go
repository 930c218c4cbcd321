package dataset

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Open reads data of one's own, for networks that take examples of this shape,
// by what lies at path:
//
//	a folder of IDX files, or of PNG and JPEG pictures (Folder)
//	a file NAME.mat in the form of SVHN's, or the folder that holds train_32x32.mat
//	a file NAME.csv of points (CSV)
//
// Pictures of a folder are scaled to the shape; anything else comes in its own,
// which the caller compares. A licence is known of SVHN's own file only.
func Open(ctx context.Context, path string, shape []int) (Set, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	if !info.IsDir() {
		switch strings.ToLower(filepath.Ext(path)) {
		case ".mat":
			return readOwnSVHN(path, stem(path))
		case ".csv":
			return CSV(path)
		}
		return nil, fmt.Errorf("dataset: %s: expected a file *.mat or *.csv, or a folder of IDX files or pictures", path)
	}
	names, err := filesIn(path)
	switch {
	case err != nil:
		return nil, err
	case slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, imageSuffix) }):
		return IDX(path)
	case slices.Contains(names, svhnName):
		return readOwnSVHN(filepath.Join(path, svhnName), baseName(path))
	case len(shape) != 3:
		return nil, fmt.Errorf("dataset: %s: is a folder; expected a file *.csv of points", path)
	}
	d, err := Folder(ctx, path, shape[0], shape[1], shape[2])
	if errors.Is(err, errNoPictures) {
		err = fmt.Errorf("%w; nor are there IDX files (*%s*) or %s", err, imageSuffix, svhnName)
	}
	return d, err
}
