package bench

import (
	"context"
	"errors"
	"math"
	goruntime "runtime"
	"testing"

	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train"
	"github.com/gantrain/gantrain/train/arch"
)

func options(t *testing.T, name string) Options {
	t.Helper()
	gan, err := arch.Find(name, "")
	if err != nil {
		t.Fatal(err)
	}
	gan.Recipe.Batch = 2
	return Options{GAN: gan, Duration: 1}
}

func TestRun(t *testing.T) {
	r, err := Run(context.Background(), options(t, "guo-mlp"))
	if err != nil {
		t.Fatal(err)
	}
	if r.GAN != "guo-mlp" || r.Batch != 2 || r.Engine != train.ORT || r.Provider != runtime.CPU || r.Steps != leastSteps {
		t.Errorf("got %s, batch %d, %s on %s, %d steps", r.GAN, r.Batch, r.Engine, r.Provider, r.Steps)
	}
	if !(0 < r.Quartiles[0] && r.Quartiles[0] <= r.StepMS && r.StepMS <= r.Quartiles[1]) {
		t.Errorf("median %v, quartiles %v", r.StepMS, r.Quartiles)
	}
	if math.Abs(r.Images*r.StepMS-2000) > 1e-6 || math.Abs(r.Rate*r.StepMS-1000*r.Work) > 1e-6 || !(r.GEMM > 0) {
		t.Errorf("%v images/s and %v GFLOP/s at %v ms, GEMM %v GFLOP/s", r.Images, r.Rate, r.StepMS, r.GEMM)
	}
	if goruntime.GOOS == "linux" && (r.PeakMB == nil || r.FirstStep == nil) {
		t.Error(r.Skipped)
	}
	nodes, share := map[string]int{}, 0.0
	for _, o := range r.Operators {
		nodes[o.Op] += o.Count
		share += o.Share
	}
	// Two forward passes through the generator, three through the discriminator,
	// of four layers each, and what their gradients take.
	if products := nodes["Gemm"] + nodes["FusedGemm"]; products < 20 || math.Abs(share-1) > 1e-9 {
		t.Errorf("%d matrix products, shares of %v together, want at least 20 and 1", products, share)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, options(t, "guo-mlp")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestQuantile(t *testing.T) {
	for q, want := range map[float64]float64{0: 1, 0.25: 1.75, 0.5: 2.5, 0.75: 4.75, 1: 10} {
		if got := quantile([]float64{1, 2, 3, 10}, q); got != want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if got := quantile([]float64{7}, 0.25); got != 7 {
		t.Errorf("quantile of one value is %v, want it", got)
	}
}

// Points train as pictures do.
func TestRunOnPoints(t *testing.T) {
	r, err := Run(context.Background(), options(t, "fredriksson-2d"))
	if err != nil || r.Steps < leastSteps {
		t.Errorf("report %+v, error %v", r, err)
	}
}
