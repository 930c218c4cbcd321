package pass_test

import (
	"slices"
	"testing"

	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/export/pass"
	"github.com/gantrain/gantrain/runtime"
)

// BenchmarkPasses is a step of michelucci-dcgan with batches of 64: as it is
// exported, with all passes, and without any one of them.
func BenchmarkPasses(b *testing.B) {
	gan := published(b, "michelucci-dcgan")
	gan.Recipe.Batch = 64
	before, in := step(b, gan, 64)
	batchLast := pass.Pass{Name: "batchlast", Apply: func(m *onnxpb.ModelProto) error { pass.BatchLast(m, masks(m)...); return nil }}
	all := append(slices.Clone(pass.All), batchLast)
	bench := func(name string, passes []pass.Pass) {
		b.Run(name, func(b *testing.B) {
			m := clone(before)
			if err := pass.Fast(m, passes...); err != nil {
				b.Fatal(err)
			}
			session, err := runtime.Load(b.Context(), marshal(b, m), runtime.Options{Waiting: runtime.SpinDuringRun})
			if err != nil {
				b.Fatal(err)
			}
			defer session.Close()
			feedback := map[string]string{}
			for _, v := range before.Graph.Output {
				if _, state := in[v.Name[:max(0, len(v.Name)-len(".new"))]]; state {
					feedback[v.Name] = v.Name[:len(v.Name)-len(".new")]
				}
			}
			loop, err := session.NewLoop(feedback, nil)
			if err != nil {
				b.Fatal(err)
			}
			defer loop.Close()
			for name, v := range in {
				buffer, err := loop.Input(name)
				if err != nil {
					b.Fatal(err)
				}
				switch x := v.Data().(type) {
				case float32:
					buffer.Set(0, x)
				case []float32:
					copy(buffer.Data().([]float32), x)
				case []uint8: // in whatever order
					copy(buffer.Data().([]uint8), x)
				}
			}
			for b.Loop() {
				if err := loop.Run(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	bench("none", []pass.Pass{})
	bench("all", all)
	for i, p := range all {
		bench("without "+p.Name, slices.Delete(slices.Clone(all), i, i+1))
	}
}
