// Command pictures times a generator through package runtime, as the scripts of
// the peers do: latent vectors are drawn, pictures end up in memory.
//
//	pictures FOLDER GAN BATCH LANES SECONDS
//
// FOLDER is what the command fixture wrote. LANES runs are under way at a time;
// 0 means one for each core, with one thread each, as ganinfer makes pictures. The pictures are held against the
// fixture's; then one line of JSON is printed.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/runtime/latent"
	"github.com/gantrain/gantrain/train/checkpoint"
)

const warm = 1.0 // seconds of runs that are not timed

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pictures:", err)
		os.Exit(1)
	}
}

// result has the keys that all peers print.
type result struct {
	GAN        string  `json:"gan"`
	Engine     string  `json:"engine"`
	Provider   string  `json:"provider"`
	Library    string  `json:"onnxruntime"`
	Difference float64 `json:"difference"`
	Batch      int     `json:"batch"`
	Steps      int     `json:"steps"`
	StepMS     float64 `json:"step_ms"` // the median
	ImagesPerS float64 `json:"images_per_s"`
	PeakMB     float64 `json:"peak_mb"`
	BuildS     float64 `json:"build_s"`
	FirstStepS float64 `json:"first_step_s"`
}

func run(ctx context.Context, args []string) error {
	if len(args) != 5 {
		return fmt.Errorf("%d arguments, want FOLDER GAN BATCH LANES SECONDS", len(args))
	}
	folder, gan := args[0], args[1]
	batch, err := strconv.Atoi(args[2])
	if err != nil || batch < 1 {
		return fmt.Errorf("batch %q: want a number from 1", args[2])
	}
	lanes, err := strconv.Atoi(args[3])
	if err != nil || lanes < 0 {
		return fmt.Errorf("lanes %q: want a number from 0", args[3])
	}
	seconds, err := strconv.ParseFloat(args[4], 64)
	if err != nil || !(seconds > 0) {
		return fmt.Errorf("seconds %q: want a number above 0", args[4])
	}
	o := runtime.Options{Batch: batch}
	if lanes == 0 { // one for each core
		lanes, o.Threads = goruntime.GOMAXPROCS(0), 1
	}

	began := time.Now()
	session, err := runtime.Open(ctx, filepath.Join(folder, gan+".onnx"), o)
	if err != nil {
		return err
	}
	defer session.Close()
	r := result{GAN: gan, Engine: "ort", Provider: string(session.Provider()), Library: runtime.Version(), Batch: batch}
	r.BuildS = time.Since(began).Seconds()
	if r.Difference, err = difference(ctx, session, filepath.Join(folder, gan+"-pictures.safetensors")); err != nil {
		return err
	}

	start := time.Now()
	if _, err := newLane(ctx, session, batch, 0)(0); err != nil {
		return err
	}
	r.FirstStepS = time.Since(start).Seconds()

	times := make([][]float64, lanes)
	var group errgroup.Group
	for i := range lanes {
		group.Go(func() error {
			work := newLane(ctx, session, batch, i)
			if _, err := work(warm); err != nil {
				return err
			}
			var err error
			times[i], err = work(seconds)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	all := slices.Concat(times...)
	slices.Sort(all)
	r.Steps = len(all)
	r.StepMS = 1000 * all[len(all)/2]
	r.ImagesPerS = 1000 * float64(lanes*batch) / r.StepMS
	if r.PeakMB, err = peakMB(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// newLane returns a function that makes batches of pictures one after the
// other, at least one and then until the seconds are over, and returns the
// seconds of each.
func newLane(ctx context.Context, session *runtime.Session, batch, lane int) func(seconds float64) ([]float64, error) {
	size := int(session.Inputs()[0].Shape[1])
	values := make([]float32, batch*size)
	z := tensor.New(tensor.WithShape(batch, size), tensor.WithBacking(values))
	drawn := uint64(0)
	return func(seconds float64) ([]float64, error) {
		var times []float64
		for start := time.Now(); len(times) == 0 || time.Since(start).Seconds() < seconds; {
			began := time.Now()
			for i := range batch {
				latent.Fill(values[i*size:(i+1)*size], latent.Normal, 1, uint64(lane), drawn)
				drawn++
			}
			if _, err := session.Run(ctx, map[string]*tensor.Dense{"z": z}); err != nil {
				return nil, err
			}
			times = append(times, time.Since(began).Seconds())
		}
		return times, nil
	}
}

// difference is how far the session's pictures lie from the fixture's.
func difference(ctx context.Context, session *runtime.Session, fixture string) (float64, error) {
	c, err := checkpoint.Read(fixture)
	if err != nil {
		return 0, err
	}
	out, err := session.Run(ctx, map[string]*tensor.Dense{"z": c.Tensors["pictures/z"]})
	if err != nil {
		return 0, err
	}
	largest := 0.0
	want := c.Tensors["pictures/image"].Data().([]float32)
	for i, got := range out["image"].Data().([]float32) {
		largest = max(largest, math.Abs(float64(got-want[i])))
	}
	return largest, nil
}

// peakMB is the most memory that this process has had, where the system tells.
func peakMB() (float64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if kb := 0; strings.HasPrefix(line, "VmHWM:") {
			_, err := fmt.Sscanf(line, "VmHWM: %d kB", &kb)
			return float64(kb) / 1024, err
		}
	}
	return 0, fmt.Errorf("/proc/self/status: no VmHWM")
}
