package ort

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// origin is the place in ONNX Runtime's own source, and the number of the
// error, with which some messages begin.
var origin = regexp.MustCompile(`(\S+\.(cc|cpp|h):\d+ .*)?\[ONNXRuntimeError\] : \d+ : \w+ : `)

// ErrOutOfMemory is wrapped by the errors of ONNX Runtime that say so, of the
// machine's memory or a GPU's.
var ErrOutOfMemory = errors.New("out of memory")

// The ways in which ONNX Runtime says that it can't allocate: its arena, the C++
// library, CUDA (error 2), cuBLAS and cuDNN.
var outOfMemory = regexp.MustCompile(`Failed to allocate memory|bad_alloc|bad allocation|smaller than requested bytes|` +
	`CUDA failure 2:|_STATUS_ALLOC_FAILED|CUDNN_STATUS_INTERNAL_ERROR_(HOST|DEVICE)_ALLOCATION_FAILED`)

// A failed node's operator and name, and the bytes that it asked for.
var (
	failedNode = regexp.MustCompile(`while running (\S+) node\. Name:'([^']*)'`)
	asked      = regexp.MustCompile(`requested (?:buffer of size|bytes of) (\d+)`)
)

// place is what CUDA's errors say of where they came from: the host's name and
// an expression of ONNX Runtime's source.
var place = regexp.MustCompile(` ?; GPU=(-?\d+) ; hostname=.*`)

// call is where ONNX Runtime checks what CUDA and cuDNN return: its own source
// and a signature of several lines, of which nothing is of use.
var call = regexp.MustCompile(`:? ?/\S+\.cc:\d+ .*CudaCall\([^)]*\)( \[with [^\]]*\])? `)

// oneLine folds an error of ONNX Runtime, which may bring a page of context,
// into one line that may go on.
func oneLine(err error) error {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if outOfMemory.MatchString(text) {
		return fmt.Errorf("%w: %s", ErrOutOfMemory, shortage(text))
	}
	text = call.ReplaceAllString(place.ReplaceAllString(text, " on GPU $1"), ": ")
	return errors.New(strings.TrimSuffix(origin.ReplaceAllString(text, ""), "."))
}

// shortage says who asked for how much, as far as the text tells.
func shortage(text string) string {
	node, size := failedNode.FindStringSubmatch(text), asked.FindStringSubmatch(text)
	if node == nil || size == nil {
		return strings.TrimSuffix(origin.ReplaceAllString(place.ReplaceAllString(text, " on GPU $1"), ""), ".")
	}
	bytes, _ := strconv.ParseFloat(size[1], 64) // digits
	return fmt.Sprintf("%.0f MiB for node %q (%s) could not be allocated", bytes/(1<<20), node[2], node[1])
}
