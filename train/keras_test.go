package train

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/sbinet/npyio/npz"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/engine"
)

// Five steps of fredriksson-2d in float64 against the same in Keras 3.15.1 on
// TensorFlow 2.21.0, float64 too: starting weights, batches and noise come from
// there, as do the losses and the weights at the end. testdata/keras/README.md
// says how they were made.
func TestStepsAreThoseOfKeras(t *testing.T) {
	const steps, batch = 5, 16
	file, err := npz.Open("testdata/keras/fredriksson-2d.npz")
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, file)
	gan, err := arch.Find("fredriksson-2d", "")
	if err != nil {
		t.Fatal(err)
	}
	gan.Recipe.Batch = batch
	plan, err := NewPlan(gan, batch, tensor.Float64)
	if err != nil {
		t.Fatal(err)
	}
	state := double(tinyModel(t, gan).State)
	for _, name := range weightNames(state) {
		copy(state[name].Float64s(), kerasArray(t, file, "init."+kerasName(name)))
	}
	program, err := engine.NewTape(plan.Step, state)
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, program)
	real, noise := kerasArray(t, file, "batch.real"), kerasArray(t, file, "batch.z")
	losses := [][]float64{kerasLosses(t, file, "main.d_loss64"), kerasLosses(t, file, "main.g_loss64")}
	rates := newFeeder(gan, nil, 1, plan.Feeds, nil)
	for step := range steps {
		feed := engine.Feed{}
		for _, s := range plan.Feeds {
			switch s.Kind {
			case RealImages:
				feed[s.Name] = tensor.New(tensor.WithShape(s.Shape...), tensor.WithBacking(real[step*2*batch:][:2*batch]))
			case Noise:
				feed[s.Name] = tensor.New(tensor.WithShape(s.Shape...), tensor.WithBacking(noise[step*2*batch:][:2*batch]))
			case LearningRate:
				feed[s.Name] = gorgonia.NewF64(rates.rate(s.Update, step))
			}
		}
		for i, got := range run(t, program, feed)[:len(losses)] {
			if want := losses[i][step]; !(math.Abs(got-want) <= 1e-7) { // Keras has the slope of LeakyReLU in float32
				t.Errorf("step %d: loss %d is %.9f, in Keras %.9f", step+1, i, got, want)
			}
		}
	}
	for _, name := range weightNames(state) {
		got, want := state[name].Float64s(), kerasArray(t, file, "main.final64."+kerasName(name))
		for i := range want {
			if !(math.Abs(got[i]-want[i]) <= 1e-7) { // theirs are stored in float32
				t.Fatalf("%s[%d] ends at %.9f, in Keras %.9f", name, i, got[i], want[i])
			}
		}
	}
}

// kerasName is "G.dense_1.kernel" for "generator/dense2/weight".
func kerasName(name string) string {
	parts := strings.Split(name, "/")
	layer := map[string]string{"dense1": "dense", "dense2": "dense_1", "dense3": "dense_2"}[parts[1]]
	param := map[string]string{"weight": "kernel", "bias": "bias"}[parts[2]]
	return fmt.Sprintf("%s.%s.%s", strings.ToUpper(parts[0][:1]), layer, param)
}

func kerasArray(t *testing.T, file *npz.Reader, name string) []float64 {
	t.Helper()
	var single []float32
	if err := file.Read(name+".npy", &single); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	out := make([]float64, len(single))
	for i, v := range single {
		out[i] = float64(v)
	}
	return out
}

func kerasLosses(t *testing.T, file *npz.Reader, name string) (losses []float64) {
	t.Helper()
	if err := file.Read(name+".npy", &losses); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return losses
}
