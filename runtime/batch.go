package runtime

import (
	"google.golang.org/protobuf/proto"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/export/pass"
)

// manyExamples is from how many examples a run on the convolutions are
// rewritten. Two cores (Intel, AVX-512), ONNX Runtime 1.24.4, examples a second
// of michelucci-dcgan as it is and rewritten, two threads:
//
//	examples a run      4           8            16            32            256
//	generator           1522, 2255  1636, 3882   1527, 6148    1417, 6520    1524, 7025
//	discriminator       11539, 4868 12607, 9045  13444, 14640  13112, 17836  11489, 17390
//
// Opening takes longer, 0.11 s instead of 0.015 and 0.025 instead of 0.003, since
// ONNX Runtime computes the weights' transforms then. They take memory: at most
// 210 MB for the generator in two runs of 32 at a time, instead of 78.
const manyExamples = 16

// maxRewritten is the largest model that is rewritten, in bytes: it is in memory
// three times meanwhile.
const maxRewritten = 256 << 20

// batchLast rewrites a model so that its convolutions are products of matrices;
// false where it stays as it is.
func batchLast(model []byte) (fast []byte, ok bool) {
	defer func() {
		// Nobody has checked the model so far, and a pass expects a sound one.
		if recover() != nil {
			fast, ok = nil, false
		}
	}()
	m := &onnxpb.ModelProto{}
	if len(model) > maxRewritten || proto.Unmarshal(model, m) != nil || pass.BatchLast(m) == nil {
		return nil, false
	}
	fast, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	return fast, err == nil
}
