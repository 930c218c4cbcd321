package main

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"golang.org/x/sync/errgroup"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/runtime/latent"
	"github.com/gantrain/gantrain/train/arch"
)

// Every published GAN at full size gives what it gives one by one when the
// runtime is told of batches, at any batch and in two runs at a time.
func TestToldOfBatchesTheNumbersStay(t *testing.T) {
	for _, p := range arch.All() {
		m := scrambled(t, p.GAN)
		for _, role := range []arch.Role{arch.Generator, arch.Discriminator} {
			model, err := m.ONNX(role)
			if err != nil {
				t.Fatal(err)
			}
			open := func(o runtime.Options) *runtime.Session {
				t.Helper()
				o.Threads = 1
				s, err := runtime.Load(t.Context(), model, o)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { s.Close() })
				return s
			}
			plain, fast := open(runtime.Options{}), open(runtime.Options{Batch: defaultBatch})
			var lanes errgroup.Group
			for lane, batch := range []int{1, 7, defaultBatch} {
				lanes.Go(func() error {
					ports := plain.Inputs()
					in := ports[slices.IndexFunc(ports, func(p runtime.Port) bool { return p.Name != "label" })]
					shape := []int{batch}
					for _, size := range in.Shape[1:] {
						shape = append(shape, int(size))
					}
					x := make([]float32, tensor.Shape(shape).TotalSize())
					latent.Fill(x, latent.Uniform, 3, 0, uint64(lane))
					feed := map[string]*tensor.Dense{in.Name: tensor.New(tensor.WithShape(shape...), tensor.WithBacking(x))}
					if p.Classes > 0 {
						feed["label"] = tensor.New(tensor.WithShape(batch, 1), tensor.WithBacking(make([]int64, batch)))
						for i := range batch {
							feed["label"].Int64s()[i] = int64(i % p.Classes)
						}
					}
					want, err := plain.Run(t.Context(), feed)
					if err != nil {
						return err
					}
					got, err := fast.Run(t.Context(), feed)
					if err != nil {
						return err
					}
					for name := range want {
						if !got[name].Shape().Eq(want[name].Shape()) {
							return fmt.Errorf("batch %d: %s has shape %v, want %v", batch, name, got[name].Shape(), want[name].Shape())
						}
						values := got[name].Data().([]float32)
						for i, w := range want[name].Data().([]float32) {
							if d := math.Abs(float64(values[i] - w)); !(d <= 1e-5) {
								return fmt.Errorf("batch %d: element %d of %s is %g, want %g", batch, i, name, values[i], w)
							}
						}
					}
					return nil
				})
			}
			if err := lanes.Wait(); err != nil {
				t.Errorf("%s, %s: %v", p.Name, role, err)
			}
		}
	}
}
