//go:build openblas

package op

import (
	"gonum.org/v1/netlib/blas/netlib"
	"gorgonia.org/gorgonia"
)

// #cgo LDFLAGS: -lopenblas
import "C"

// Built with -tags openblas, matrix products run on OpenBLAS (Debian:
// libopenblas-dev) and are several times faster than in pure Go.
func init() { gorgonia.Use(netlib.Implementation{}) }
