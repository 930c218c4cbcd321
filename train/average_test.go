package train

import (
	"math"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train/arch"
)

// After the first update nine tenths of an average are the new weights, and so
// of the running statistics; it starts at the first weights.
func TestAveragesOfAllThatAGeneratorHas(t *testing.T) {
	for _, e := range []Engine{Tape, ORT} {
		trainer := tinyTrainer(t, tiny(average), 8)
		trainer.o.Engine = e
		before := trainer.Model.State.Clone()
		steps(t, trainer, 1)
		if err := trainer.Store(); err != nil {
			t.Fatal(err)
		}
		averages := 0
		for name, v := range trainer.Model.State {
			average, ok := trainer.Model.State[averageName(name)]
			if !ok {
				continue
			}
			averages++
			for i, now := range floats(v) {
				start := floats(before[averageName(name)])[i]
				if start != floats(before[name])[i] {
					t.Fatalf("the average of %s starts at %g, the weight at %g", name, start, floats(before[name])[i])
				}
				if got, want := floats(average)[i], 0.1*start+0.9*now; math.Abs(float64(got-want)) > 1e-6*math.Max(1, math.Abs(float64(want))) { // float32
					t.Fatalf("%s: the average of %s is %g, want %g", e, name, got, want)
				}
			}
		}
		if averages != 12 { // three layers' weights, a bias, and two normalisations of four
			t.Errorf("%s: %d averages", e, averages)
		}
	}
}

// Decays rise from a tenth to the one that is asked for.
func TestAveragesWarmUp(t *testing.T) {
	f := feeder{gan: tiny(average)}
	for step, want := range map[int]float64{0: 0.1, 8: 0.5, 90: 0.91, 8989: 8990. / 8999, 8990: 0.999, 1 << 20: 0.999} {
		if got := 1 - f.share(1, step); math.Abs(got-want) > 1e-12 {
			t.Errorf("step %d: the average decays by %g, want %g", step, got, want)
		}
	}
}

// generator.onnx and the samples are of the averages, generator-plain.onnx of
// the weights, and each says so.
func TestAveragesAreExported(t *testing.T) {
	r := newTinyRun(t, tiny(average))
	closeAfter(t, r)
	if err := r.Train(t.Context()); err != nil {
		t.Fatal(err)
	}
	m := r.Model()
	z := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(4, 4))
	fillNoise(floats(z), m.GAN.Latent, m.Seed, pictureStream, 0)
	pictures := map[string][]float32{}
	for name, decay := range map[string]string{"generator.onnx": "0.999", "generator-plain.onnx": ""} {
		session, err := runtime.Open(t.Context(), r.Path(name), runtime.Options{})
		if err != nil {
			t.Fatal(err)
		}
		closeAfter(t, session)
		if got := session.Metadata()["gan.average.decay"]; got != decay {
			t.Errorf("%s: gan.average.decay is %q, want %q", name, got, decay)
		}
		out, err := session.Run(t.Context(), map[string]*tensor.Dense{"z": z})
		if err != nil {
			t.Fatal(err)
		}
		pictures[name] = floats(out["image"])
	}
	samples, err := r.trainer.Samples()
	if err != nil {
		t.Fatal(err)
	}
	far := func(a, b []float32) (d float64) {
		for i := range a {
			d = math.Max(d, math.Abs(float64(a[i]-b[i])))
		}
		return d
	}
	if d := far(floats(samples), pictures["generator.onnx"]); d > 1e-5 { // as promised of exports
		t.Errorf("samples are %g from the pictures of generator.onnx", d)
	}
	if d := far(pictures["generator-plain.onnx"], pictures["generator.onnx"]); d < 1e-3 { // a dozen steps apart
		t.Errorf("the pictures of both generators are only %g apart", d)
	}
	if slices.ContainsFunc(m.State.Names(), func(name string) bool {
		return strings.HasPrefix(name, string(arch.Discriminator)) && strings.HasSuffix(name, "/average")
	}) {
		t.Error("the discriminator has averages")
	}
}
