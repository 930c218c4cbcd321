package ort

import (
	"errors"
	"regexp"
	"strings"
)

// origin is the place in ONNX Runtime's own source, and the number of the
// error, with which some messages begin.
var origin = regexp.MustCompile(`(\S+\.(cc|cpp|h):\d+ .*)?\[ONNXRuntimeError\] : \d+ : \w+ : `)

// oneLine folds an error of ONNX Runtime, which may bring a page of context,
// into one line that may go on.
func oneLine(err error) error {
	text := strings.Join(strings.Fields(err.Error()), " ")
	return errors.New(strings.TrimSuffix(origin.ReplaceAllString(text, ""), "."))
}
