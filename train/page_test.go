package train

import (
	"image/gif"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/record"
)

// A finished run has its samples one after the other, and a page that says what
// it was and how its generator is used.
func TestConclusion(t *testing.T) {
	r := newTinyRun(t, tiny())
	trainToEnd(t, r)
	f, err := os.Open(r.Path("samples", "samples.gif"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	animation, err := gif.DecodeAll(f)
	if err != nil {
		t.Fatal(err)
	}
	if len(animation.Image) != 3 { // steps 3, 6 and 11
		t.Errorf("%d frames, want 3", len(animation.Image))
	}
	page := string(files(t, r.Folder)["report.html"])
	for _, want := range []string{
		"tiny on noise", "noise, 10 examples", "<dd>11 steps</dd>", "<dt>g_loss</dt>", "32 units, no bias, glorot", "1x8x8",
		"runtime.Open(ctx, &#34;generator.onnx&#34;", "data:image/gif",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("report.html lacks %q", want)
		}
	}
	if strings.Contains(page, r.Folder) {
		t.Error("report.html names the folder, so no two are alike")
	}
}

// The histogram is of as many real as generated examples, logits or not.
func TestJudge(t *testing.T) {
	of := map[string][]float64{}
	for name, gan := range map[string]arch.GAN{
		"logits": tiny(),
		"probabilities": tiny(func(g *arch.GAN) {
			g.Discriminator.Layers = append(g.Discriminator.Layers, arch.Sigmoid{})
		}),
		"a grid that does not part them evenly": tiny(func(g *arch.GAN) { g.Grid.Rows, g.Grid.Columns = 10, 10 }),
	} {
		trainer := tinyTrainer(t, gan, tinyImages)
		real, fake, err := trainer.judge()
		if err != nil {
			t.Fatal(err)
		}
		if len(real) != len(fake) || len(real) < judgedExamples {
			t.Errorf("%s: %d real, %d generated", name, len(real), len(fake))
		}
		of[name] = real
		for _, p := range append(real, fake...) {
			if !(p > 0 && p < 1) {
				t.Fatalf("%s: a probability of %g", name, p)
			}
		}
	}
	logits, both := of["logits"], of["probabilities"]
	for i := range logits {
		if math.Abs(logits[i]-both[i]) > 1e-6 { // float32's rounding
			t.Fatalf("example %d: %g of a logit, %g of the probability", i, logits[i], both[i])
		}
	}
}

func TestSpacedExamplesCoverTheData(t *testing.T) {
	gan, err := arch.Find("fredriksson-2d", "")
	if err != nil {
		t.Fatal(err)
	}
	got := floats(tinyTrainerOn(t, gan, points(40)).spaced(4))
	if diff := cmp.Diff([]float32{0, 0, 10, 100, 20, 400, 30, 900}, got); diff != "" {
		t.Errorf("points (-want +got):\n%s", diff)
	}
}

func TestFinalNumbersLeaveOutWhatWasNotComputed(t *testing.T) {
	got := finalNumbers(record.Table{
		Columns: []string{"d_loss", "g_loss"}, Steps: []int{1, 2, 3},
		Values: [][]float64{{1, nan(), 2}, {nan(), nan(), nan()}},
	})
	want := []record.Fact{{Name: "means of the last", Value: "3 steps"}, {Name: "d_loss", Value: "1.5"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
}
