//go:build openblas

package op

import (
	"gonum.org/v1/netlib/blas/netlib"
	"gorgonia.org/gorgonia"
)

// #cgo LDFLAGS: -lopenblas
// void openblas_set_num_threads(int);
import "C"

// Built with -tags openblas, matrix products run on OpenBLAS (Debian:
// libopenblas-dev) and are several times faster than in pure Go. Its own threads
// stay off: between two products they wait busily, for which they take a third
// of the time from everything else.
func init() {
	gorgonia.Use(netlib.Implementation{})
	C.openblas_set_num_threads(1)
	oneThread = true
}
