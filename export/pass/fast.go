package pass

import (
	"fmt"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// Pass is a rewrite that makes a model faster on ONNX Runtime's CPU provider. It
// changes what it knows by structure and shape, and leaves the rest: results
// stay the same up to float32 rounding.
type Pass struct {
	Name  string
	Apply func(*onnxpb.ModelProto) error
}

// All are the passes in the order in which they run.
var All = []Pass{
	{"slope", Slope},
	{"gate", Gate},
	{"backward", Backward},
	{"rectified", Rectified},
	{"together", Together},
	{"absorb", Absorb},
}

// Fast makes a model faster on ONNX Runtime's CPU provider by the given passes,
// by [All] unless any are given.
func Fast(m *onnxpb.ModelProto, passes ...Pass) error {
	if passes == nil {
		passes = All
	}
	for _, p := range passes {
		if err := p.Apply(m); err != nil {
			return fmt.Errorf("pass %s: %w", p.Name, err)
		}
	}
	return nil
}

// ForCPU makes a model as fast as it can be on ONNX Runtime's CPU provider: all
// of [Fast], then [BatchLast], which says what turned and rows are, and at last
// [Transposed], behind which BatchLast would not know a weight's gradient again.
func ForCPU(m *onnxpb.ModelProto, turned ...string) (rows map[string][]int, err error) {
	if err := Fast(m); err != nil {
		return nil, err
	}
	rows = BatchLast(m, turned...)
	return rows, Fast(m, Pass{"transposed", Transposed})
}
