package ort

import (
	"errors"
	"strings"
)

// oneLine folds an error of ONNX Runtime, which may bring a page of context,
// into one line that may go on.
func oneLine(err error) error {
	return errors.New(strings.TrimSuffix(strings.Join(strings.Fields(err.Error()), " "), "."))
}
