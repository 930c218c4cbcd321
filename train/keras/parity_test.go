package keras_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/gantrain/gantrain/train"
	"github.com/gantrain/gantrain/train/keras"
)

// Every recorded step of every GAN and variant, on both engines, and in float64:
// the narrow recordings of testdata, and those of the folder that
// GANTRAIN_KERAS_FIXTURES names.
func TestParity(t *testing.T) {
	for _, folder := range []string{"testdata", os.Getenv("GANTRAIN_KERAS_FIXTURES")} {
		if folder == "" {
			continue
		}
		files, err := filepath.Glob(filepath.Join(folder, "training", "*.npz"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no recordings: %v", folder, err)
		}
		for _, path := range files {
			f, err := keras.OpenFixture(path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { f.Close() })
			for _, v := range f.Variants() {
				for _, o := range []keras.ParityOptions{{Engine: train.ORT}, {Engine: train.Tape}, {Engine: train.Tape, Float64: true}} {
					t.Run(fmt.Sprintf("%s %s %s %s float64=%t", folder, f.GAN().Name, v, o.Engine, o.Float64), func(t *testing.T) {
						testParity(t, f, v, o)
					})
				}
			}
		}
	}
}

func testParity(t *testing.T, f *keras.Fixture, variant string, o keras.ParityOptions) {
	p, err := f.Parity(t.Context(), variant, o)
	if err != nil {
		t.Fatal(err)
	}
	if p.NotFollowed != "" {
		t.Skipf("skipped: not followed: %s", p.NotFollowed)
	}
	loss, worst := 0.0, ""
	share := 0.0
	for _, l := range p.Losses {
		loss = max(loss, l.Difference())
		if !l.Holds() {
			t.Errorf("step %d: %s is %.9f, in Keras %.9f: %.1e apart, want %.1e", l.Step, l.Name, l.Ours, l.Keras, l.Difference(), l.Tolerance)
		}
	}
	for _, x := range p.Tensors {
		if !x.Holds() {
			t.Errorf("%s is %.1e from %s in Keras, want %.1e", x.Name, x.Difference, x.Keras, x.Tolerance)
		}
		if !x.Excepted && x.Difference/x.Tolerance >= share {
			share, worst = x.Difference/x.Tolerance, x.Name
		}
	}
	t.Logf("losses within %.1e; %s at %.2f of its tolerance", loss, worst, share)
}
