package train

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/dataset"
	"github.com/gantrain/gantrain/train/engine"
	"github.com/gantrain/gantrain/train/nn"
)

const tinyClasses = 3

// conditional shows both networks of the tiny GAN a label.
func conditional(gan *arch.GAN) {
	gan.Classes = tinyClasses
	plane := func(side int) arch.Layer {
		return arch.Condition{Layers: arch.Layers{
			arch.Embedding{Classes: tinyClasses, Size: 2, Init: arch.Uniform(0.5)},
			arch.Dense{Units: side * side, Init: arch.Glorot},
			arch.Reshape{Shape: arch.Shape{1, side, side}},
		}}
	}
	gan.Generator.Layers = slices.Insert(gan.Generator.Layers, 4, plane(4))
	gan.Discriminator.Layers = slices.Insert(gan.Discriminator.Layers, 0, plane(8))
	gan.Grid = arch.Grid{Rows: tinyClasses, Columns: 2, Every: 1}
}

// halves gives the discriminator two updates, on half of the batch each.
func halves(gan *arch.GAN) {
	gan.Recipe.Updates = []arch.Update{
		{Trains: arch.Discriminator, Only: arch.Real, Half: true, RealLabel: 0.9},
		{Trains: arch.Discriminator, Only: arch.Fake, Half: true, FakeLabel: 0.1, Predicted: true},
		{Trains: arch.Generator, Noise: 1, FakeLabel: 1},
	}
}

// Real labels are those of the images, the others come from counters of their
// own, and half a batch is the first half of the whole.
func TestLabelsAreThoseOfImagesAndCounters(t *testing.T) {
	drawn := func(number, n, step int) (labels []int64) {
		classes := make([]int, n)
		dataset.Draw(classes, tinyClasses, 9, 1<<32+uint64(number), uint64(step))
		for _, c := range classes {
			labels = append(labels, int64(c))
		}
		return labels
	}
	real := []int64{5 % tinyClasses, 0, 0, 7 % tinyClasses} // of the images that filled asks for
	for _, step := range []int{0, 3} {
		whole := filled(t, tiny(conditional), step)
		half := filled(t, tiny(conditional, halves), step)
		for name, c := range map[string]struct{ want, got any }{
			"real labels":           {real, whole["label/real"]},
			"half of the real ones": {real[:2], half["label/real/half"]},
			"classes of noise 0":    {drawn(0, 4, step), whole["label/0"]},
			"half of those":         {drawn(0, 4, step)[:2], half["label/0/half"]},
			"classes of noise 1":    {drawn(1, 4, step), half["label/1"]},
			"half of the images":    {whole["real"].([]float32)[:2*64], half["real/half"]},
			"half of the noise":     {whole["noise/0"].([]float32)[:2*4], half["noise/0/half"]},
			"noise of a whole one":  {whole["noise/1"], half["noise/1"]},
		} {
			if diff := cmp.Diff(c.want, c.got); diff != "" {
				t.Errorf("step %d, %s (-want +got):\n%s", step, name, diff)
			}
		}
	}
}

// A network that takes no label is fed none.
func TestLabelsAreFedWhereTheyAreTaken(t *testing.T) {
	labels := func(changes ...func(*arch.GAN)) (names []string) {
		plan, err := NewPlan(tiny(changes...), 4, tensor.Float32)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range plan.Feeds {
			if strings.HasPrefix(f.Name, "label/") {
				names = append(names, f.Name)
			}
		}
		return names
	}
	generatorAlone := func(g *arch.GAN) { g.Discriminator = tiny().Discriminator }
	discriminatorAlone := func(g *arch.GAN) { g.Generator = tiny().Generator }
	for _, c := range []struct{ want, got []string }{
		{nil, labels()},
		{[]string{"label/0", "label/real", "label/1"}, labels(conditional)},
		{[]string{"label/0", "label/1"}, labels(conditional, generatorAlone)},
		{[]string{"label/0", "label/real", "label/1"}, labels(conditional, discriminatorAlone)},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("labels fed (-want +got):\n%s", diff)
		}
	}
}

// Both engines, on whole batches and on what is left of an epoch, with all that a
// recipe may be asked for: what is recorded, and the weights at the end.
func TestConditionalGANsTrainAlikeOnBothEngines(t *testing.T) {
	recipe := func(change func(*arch.Recipe)) func(*arch.GAN) {
		return func(g *arch.GAN) { change(&g.Recipe) }
	}
	joined := recipe(func(r *arch.Recipe) { r.Updates[0].Joined = true })
	minimax := recipe(func(r *arch.Recipe) { r.SetMinimax(true) })
	smooth := recipe(func(r *arch.Recipe) { r.Smooth(0.9) })
	fixed := recipe(func(r *arch.Recipe) { r.Sampling = arch.Fixed })
	repeated := recipe(func(r *arch.Recipe) { r.Repeat(arch.Discriminator, 2); r.Repeat(arch.Generator, 2) })
	for name, changes := range map[string][]func(*arch.GAN){
		"sum":                                    {conditional},
		"joined":                                 {conditional, joined},
		"simultaneous":                           {simultaneous, conditional},
		"simultaneous, minimax, average":         {simultaneous, conditional, minimax, average},
		"both twice, average":                    {conditional, repeated, average},
		"fixed, smoothed, phases":                {conditional, fixed, smooth, phases},
		"half batches":                           {conditional, halves},
		"half batches, minimax, average, phases": {conditional, halves, minimax, average, phases},
		"half batches, smoothed, fixed":          {conditional, halves, smooth, fixed},
	} {
		recorded, states := map[Engine][][]float64{}, map[Engine]engine.State{}
		for _, e := range []Engine{Tape, ORT} {
			trainer, err := NewTrainer(tinyModel(t, tiny(changes...)), noiseImages(11), Options{Engine: e})
			if err != nil {
				t.Fatal(err)
			}
			closeAfter(t, trainer)
			for range 5 {
				values, err := trainer.Step()
				if err != nil {
					t.Fatal(err)
				}
				recorded[e] = append(recorded[e], values)
			}
			if err := trainer.Store(); err != nil {
				t.Fatal(err)
			}
			states[e] = trainer.Model.State
		}
		for step, want := range recorded[Tape] {
			for i, x := range recorded[ORT][step] {
				// float32, small sums, few steps; NaN where one network is trained alone
				if !(math.Abs(x-want[i]) <= 1e-5) && !(math.IsNaN(x) && math.IsNaN(want[i])) {
					t.Errorf("%s, step %d: value %d is %v, on the tape %v", name, step+1, i, x, want[i])
				}
			}
		}
		for param, v := range states[Tape] {
			for i, want := range floats(v) {
				if got := floats(states[ORT][param])[i]; !(math.Abs(float64(got-want)) <= 1e-4) { // weights of about 0.1, and Adam's steps of 1e-3
					t.Errorf("%s: %s[%d] is %v, on the tape %v", name, param, i, got, want)
					break
				}
			}
		}
	}
}

// An update that sees one kind of images records what it can tell of these.
func TestColumnsOfHalfBatches(t *testing.T) {
	plan, err := NewPlan(tiny(conditional, halves), 4, tensor.Float32)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"d_loss_real", "d_loss_fake", "g_loss", "d_real", "d_fake"}
	if diff := cmp.Diff(want, plan.Columns); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
}

// A discriminator that is trained again sees labels that belong to its images.
func TestLabelsOfFurtherRealImages(t *testing.T) {
	gan := tiny(conditional, func(g *arch.GAN) { g.Recipe.Repeat(arch.Discriminator, 2) })
	plan, err := NewPlan(gan, 2, tensor.Float32)
	if err != nil {
		t.Fatal(err)
	}
	feed := newFeeder(gan, noiseImages(8), 9, plan.Feeds, nil).fill(0, []int{5, 0, 7, 1})
	for name, want := range map[string][]int64{"label/real": {2, 0}, "label/real/1": {1, 1}} {
		if diff := cmp.Diff(want, feed[name].Data()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestDataForAConditionalGAN(t *testing.T) {
	unlabelled, foreign := noiseImages(8), noiseImages(8)
	unlabelled.Labels = nil
	foreign.Labels[5] = tinyClasses
	for _, c := range []struct {
		data *dataset.Images
		want string
	}{
		{unlabelled, "train: noise: its examples have no labels, which tiny takes: want an IDX file of labels, or pictures in a folder for each class, 256 at most, with none beside those"},
		{foreign, "train: noise: example 5 has label 3, tiny takes 0 to 2"},
	} {
		if _, err := NewTrainer(tinyModel(t, tiny(conditional)), c.data, Options{Engine: Tape}); err == nil || err.Error() != c.want {
			t.Errorf("error %v, want %s", err, c.want)
		}
		if _, err := NewTrainer(tinyModel(t, tiny()), c.data, Options{Engine: Tape}); err != nil {
			t.Errorf("a GAN without classes: %v", err)
		}
	}
}

func TestUnseenClasses(t *testing.T) {
	data := noiseImages(4)
	data.Labels = []byte{2, 0, 2, 2}
	if got := unseen(tiny(conditional), data); !slices.Equal(got, []int{1}) {
		t.Errorf("unseen are %v, want class 1", got)
	}
	data.Labels = nil
	if got := unseen(tiny(), data); got != nil {
		t.Errorf("without classes, %v are unseen", got)
	}
}

// More samples than are made at once are those that are made one by one.
func TestSamplesInParts(t *testing.T) {
	trainer := tinyTrainer(t, tiny(conditional), 8)
	m := trainer.Model
	number := func(i int) int { return 2*i + 1 }
	n := madeAtOnce + madeAtOnce/2
	var all, one *nn.Inference
	got, err := trainer.pictures(&all, n, number)
	if err != nil {
		t.Fatal(err)
	}
	if want := append([]int{n}, m.GAN.Image...); !slices.Equal(got.Shape(), want) {
		t.Fatalf("shape %v, want %v", got.Shape(), want)
	}
	size := m.GAN.Image.Size()
	for _, i := range []int{0, madeAtOnce - 1, madeAtOnce, n - 1} {
		want, err := trainer.pictures(&one, 1, func(int) int { return number(i) })
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(floats(want), floats(got)[i*size:(i+1)*size], cmpopts.EquateApprox(0, 1e-6)); diff != "" {
			t.Errorf("picture %d (-alone +among others):\n%s", i, diff)
		}
	}
}

// Picture i has class i modulo their number; with a row for each class, a column
// holds one of each.
func TestSamplesOfAConditionalGAN(t *testing.T) {
	trainer := tinyTrainer(t, tiny(conditional), 8)
	images, err := trainer.Samples()
	if err != nil {
		t.Fatal(err)
	}
	m := trainer.Model
	single, err := nn.NewInference(arch.Generator, m.GAN.Generator, m.State, 1)
	if err != nil {
		t.Fatal(err)
	}
	for cell, picture := range []int{0, 3, 1, 4, 2, 5} { // rows of classes 0, 1, 2
		z := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(1, 4))
		fillNoise(floats(z), m.GAN.Latent, m.Seed, pictureStream, uint64(picture))
		label := tensor.New(tensor.WithShape(1, 1), tensor.WithBacking([]int64{int64(picture % tinyClasses)}))
		want, err := single.Run(z, label)
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range floats(want[0]) {
			if got := floats(images)[cell*64+i]; math.Abs(float64(got-w)) > 1e-6 { // another batch size
				t.Fatalf("cell %d: pixel %d is %v, want that of picture %d, %v", cell, i, got, picture, w)
			}
		}
	}
}

func TestConditionalModelsSayTheirClasses(t *testing.T) {
	m := tinyModel(t, tiny(conditional, func(g *arch.GAN) { g.Discriminator = tiny().Discriminator }))
	for role, want := range map[arch.Role]int{arch.Generator: tinyClasses, arch.Discriminator: 0} {
		if got := m.info(role).Classes; got != want {
			t.Errorf("%s: %d classes, want %d", role, got, want)
		}
	}
}

// A run is bound to its labels where it learns from them.
func TestResumedOnOtherLabels(t *testing.T) {
	for name, c := range map[string]struct {
		gan  arch.GAN
		want string
	}{
		"conditional": {tiny(conditional), "trained on other labels of noise"},
		"not":         {tiny(), ""},
	} {
		r := newTinyRun(t, c.gan)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		data := noiseImages(10)
		data.Labels[3]++
		again, err := OpenRun(context.Background(), r.Folder, data, "", Options{})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
		if err == nil {
			closeAfter(t, again)
		}
	}
}

func TestConditionalStepsAreExported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "step.onnx")
	if err := tinyModel(t, tiny(conditional, halves)).ExportStep(t.Context(), path, runtime.Options{}); err != nil {
		t.Fatal(err)
	}
	session, err := runtime.Open(t.Context(), path, runtime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, session)
	notes := session.Metadata()
	for input, want := range map[string]string{
		"label/real/half": `{"kind":"real_label","number":0}`,
		"label/0/half":    `{"classes":3,"kind":"label"}`,
		"label/1":         `{"classes":3,"kind":"label"}`,
	} {
		if got := notes["gan.input."+input]; got != want {
			t.Errorf("%s is noted as %s, want %s", input, got, want)
		}
	}
}
