package gorgonia_test

import (
	"testing"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/runtime/gorgonia"
	"github.com/gantrain/gantrain/runtime/latent"
	"github.com/gantrain/gantrain/train"
	"github.com/gantrain/gantrain/train/arch"
)

// Both networks of every published GAN, exported at full width, give what they
// give on ONNX Runtime, at one example and at five.
func TestExports(t *testing.T) {
	for _, p := range arch.All() {
		for _, role := range []arch.Role{arch.Generator, arch.Discriminator} {
			t.Run(p.Name+"/"+string(role), func(t *testing.T) {
				state, err := train.NewState(p.GAN, 5)
				if err != nil {
					t.Fatal(err)
				}
				for i, name := range state.Names() {
					if len(state[name].Shape()) > 1 {
						continue // a kernel is random already
					}
					noise := make([]float32, state[name].DataSize())
					latent.Fill(noise, latent.Uniform, 5, 900, uint64(i))
					for j, v := range noise {
						state[name].Float32s()[j] += 0.3 * v
					}
				}
				data, err := (&train.Model{GAN: p.GAN, State: state, Seed: 5, Dataset: "noise"}).ONNX(role)
				if err != nil {
					t.Fatal(err)
				}
				onGorgonia, err := gorgonia.Load(t.Context(), data, "")
				if err != nil {
					t.Fatal(err)
				}
				defer onGorgonia.Close()
				native, err := runtime.Load(t.Context(), data, runtime.Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer native.Close()
				for _, batch := range []int{1, 5} {
					in := drawn(native.Inputs(), batch)
					got, err := onGorgonia.Run(t.Context(), in)
					if err != nil {
						t.Fatal(err)
					}
					want, err := native.Run(t.Context(), in)
					if err != nil {
						t.Fatal(err)
					}
					for name := range want {
						if d := difference(t, got[name], want[name]); !(d <= 1e-5) {
							t.Errorf("batch %d: %s differs by %.2e, want at most 1e-5", batch, name, d)
						}
					}
				}
			})
		}
	}
}

// drawn are inputs of a batch: uniform numbers, and labels 0, 1, and so on.
func drawn(ports []runtime.Port, batch int) map[string]*tensor.Dense {
	in := map[string]*tensor.Dense{}
	for _, p := range ports {
		shape := tensor.Shape{batch}
		for _, n := range p.Shape[1:] {
			shape = append(shape, int(n))
		}
		d := tensor.New(tensor.Of(p.Dtype), tensor.WithShape(shape...))
		if p.Dtype == tensor.Int64 {
			for i := range d.Int64s() {
				d.Int64s()[i] = int64(i)
			}
		} else {
			latent.Fill(d.Float32s(), latent.Uniform, 3, 0, 0)
		}
		in[p.Name] = d
	}
	return in
}
