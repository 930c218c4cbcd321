package bench

import (
	"context"
	"fmt"
	"math"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train"
	"github.com/gantrain/gantrain/train/engine"
)

// stepFLOPs counts the floating-point operations of a step by direct
// convolution, whatever the engine makes of it: two for each multiplication in
// the plain model's convolutions and matrix products, those with the zeros of a
// border included; the rest of a step is small beside them. The shapes come out
// of a profile of one run, on the CPU, of that model.
func stepFLOPs(ctx context.Context, o Options) (float64, error) {
	plan, err := train.NewPlan(o.GAN, o.GAN.Recipe.Batch, tensor.Float32)
	if err != nil {
		return 0, err
	}
	model, err := engine.Model(plan.Step, nil)
	if err != nil {
		return 0, err
	}
	data, err := export.Marshal(model)
	if err != nil {
		return 0, err
	}
	profile, err := profiled(func(folder string) error {
		r := o.Train.Runtime
		r.Provider, r.Profile = runtime.CPU, folder
		return runOnce(ctx, data, r)
	})
	if err != nil {
		return 0, err
	}
	return countFLOPs(profile)
}

// runOnce runs a model on zeros.
func runOnce(ctx context.Context, model []byte, o runtime.Options) (err error) {
	s, err := runtime.Load(ctx, model, o)
	if err != nil {
		return err
	}
	defer closing(s, &err)
	l, err := s.NewLoop(nil, nil)
	if err != nil {
		return err
	}
	defer l.Close()
	return l.Run(ctx)
}

// countFLOPs adds up the convolutions and matrix products of a profile.
func countFLOPs(p runtime.Profile) (float64, error) {
	total := 0.0
	for _, n := range p {
		multiply, ok := multiplications[n.Op]
		if !ok {
			continue
		}
		if len(n.Inputs) < 2 || len(n.Outputs) < 1 || len(n.Inputs[1]) == 0 {
			return 0, fmt.Errorf("node %q (%s) has no shapes in its profile", n.Name, n.Op)
		}
		total += 2 * multiply(n.Inputs[0], n.Inputs[1], n.Outputs[0])
	}
	return total, nil
}

// multiplications are the operators that count, those that ONNX Runtime makes of
// them by joining nodes among them.
var multiplications = map[string]func(x, w, y []int) float64{
	"Conv": conv, "FusedConv": conv,
	"ConvTranspose": convTranspose,
	"MatMul":        product, "FusedMatMul": product, "Gemm": product, "FusedGemm": product,
}

// conv: w [M, C/group, KH, KW]; each element of y [N, M, H, W] is a sum over the
// other axes of w.
func conv(_, w, y []int) float64 { return size(y) * size(w) / float64(w[0]) }

// convTranspose: w [C, M/group, KH, KW]; each element of x [N, C, H, W] goes to
// all places of its part of w.
func convTranspose(x, w, _ []int) float64 { return size(x) * size(w) / float64(w[0]) }

// product: B of [M, K] [K, N] -> [M, N], either factor perhaps transposed, which a
// profile does not say: BMK * BKN * BMN / B is the square of BMKN.
func product(x, w, y []int) float64 {
	batches := size(w[:max(0, len(w)-2)])
	return math.Sqrt(size(x) * size(w) * size(y) / batches)
}

func size(shape []int) float64 {
	n := 1.0
	for _, d := range shape {
		n *= float64(d)
	}
	return n
}
