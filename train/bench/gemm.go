package bench

import (
	"context"
	"time"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/runtime/latent"
)

// gemm is the best that ONNX Runtime gets out of the machine.
type gemm struct {
	gflops   float64
	provider runtime.Provider
	note     string
}

// gemmSizes are those of square matrices: small ones may not fill all cores,
// large ones not fit the caches.
var gemmSizes = []int{512, 1024, 2048}

// gemmTime is spent on each of them.
const gemmTime = 300 * time.Millisecond

// measureGEMM times products of float32 matrices on a session like that of a
// step. On a GPU the matrices go there and back, as a step's inputs do.
func measureGEMM(ctx context.Context, o runtime.Options) (best gemm, err error) {
	o.Waiting = runtime.SpinDuringRun // as the engine has it
	for _, n := range gemmSizes {
		if err := best.measure(ctx, n, o); err != nil {
			return best, err
		}
	}
	return best, nil
}

func (g *gemm) measure(ctx context.Context, n int, o runtime.Options) error {
	data, err := export.Marshal(productModel(n))
	if err != nil {
		return err
	}
	s, err := runtime.Load(ctx, data, o)
	if err != nil {
		return err
	}
	defer s.Close()
	g.provider, g.note = s.Provider(), s.Note()
	l, err := s.NewLoop(nil, nil)
	if err != nil {
		return err
	}
	defer l.Close()
	for stream, name := range []string{"a", "b"} {
		x, err := l.Input(name)
		if err != nil {
			return err
		}
		latent.Fill(x.Float32s(), latent.Uniform, 1, uint64(stream), 0)
	}
	for start := time.Now(); time.Since(start) < gemmTime; {
		begin := time.Now()
		if err := l.Run(ctx); err != nil {
			return err
		}
		flops := 2 * float64(n) * float64(n) * float64(n)
		g.gflops = max(g.gflops, flops/time.Since(begin).Seconds()/1e9)
	}
	return nil
}

// productModel is y = a b, all [n, n].
func productModel(n int) *onnxpb.ModelProto {
	matrix := func(name string) *onnxpb.ValueInfoProto {
		size := &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(n)}}
		return &onnxpb.ValueInfoProto{Name: name, Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
			TensorType: &onnxpb.TypeProto_Tensor{
				ElemType: int32(onnxpb.TensorProto_FLOAT),
				Shape:    &onnxpb.TensorShapeProto{Dim: []*onnxpb.TensorShapeProto_Dimension{size, size}},
			},
		}}}
	}
	return &onnxpb.ModelProto{
		IrVersion: 8, OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: 15}},
		Graph: &onnxpb.GraphProto{
			Name:   "product",
			Node:   []*onnxpb.NodeProto{{OpType: "MatMul", Input: []string{"a", "b"}, Output: []string{"y"}}},
			Input:  []*onnxpb.ValueInfoProto{matrix("a"), matrix("b")},
			Output: []*onnxpb.ValueInfoProto{matrix("y")},
		},
	}
}
