package record

import (
	"fmt"
	"math"

	"gorgonia.org/tensor"
)

// Spread is how much the members of a batch [N, ...], float32, differ: the mean
// over their values of the standard deviation over the batch.
func Spread(batch *tensor.Dense) (float64, error) {
	shape := batch.Shape()
	if len(shape) < 2 || batch.Dtype() != tensor.Float32 || batch.RequiresIterator() || batch.DataOrder().IsColMajor() {
		return 0, fmt.Errorf("record: a batch is %v%v, expected row-major float32 [N, ...]", batch.Dtype(), shape)
	}
	data := batch.Float32s()
	n, size := shape[0], len(data)/shape[0]
	var total float64
	for i := range size {
		var mean, squares float64 // of the values so far; Welford 1962
		for j := range n {
			v := float64(data[j*size+i])
			d := v - mean
			mean += d / float64(j+1)
			squares += d * (v - mean)
		}
		total += math.Sqrt(squares / float64(n))
	}
	return total / float64(size), nil
}
