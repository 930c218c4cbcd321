package main

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/sbinet/npyio/npy"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/cmd/internal/command"
	"github.com/gantrain/gantrain/runtime/latent"
	"github.com/gantrain/gantrain/runtime/picture"
)

// ganinfer runs the program with args and fails the test unless it succeeds.
func ganinfer(t *testing.T, args ...string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := command.Run(app(), append([]string{"ganinfer"}, args...), &stdout, &stderr); code != 0 {
		t.Fatalf("ganinfer %v: exit code %d: %s", args, code, &stderr)
	}
}

// readNpy reads an array by a reader that is not ours.
func readNpy(t *testing.T, path string) ([]int, []float32) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := npy.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var data []float32
	if err := r.Read(&data); err != nil {
		t.Fatal(err)
	}
	return r.Header.Descr.Shape, data
}

// naive computes what the test's generator makes of picture number's noise.
func naive(c int, seed, number uint64) []float32 {
	pixels := c * testSide * testSide
	w := weights(testLatent * pixels)
	z := make([]float32, testLatent)
	latent.Fill(z, latent.Normal, seed, 0, number)
	image := make([]float32, pixels)
	for p := range image {
		sum := 0.0
		for i, v := range z {
			sum += float64(v) * float64(w[i*pixels+p])
		}
		image[p] = float32(math.Tanh(sum))
	}
	return image
}

func TestGenerateGivesTheModelsNumbers(t *testing.T) {
	const n, seed = 7, 5
	for name, c := range map[string]int{"generator.onnx": 1, "colour.onnx": 3} {
		for _, batch := range []string{"1", "3", "64"} {
			dir := models(t)
			array, noise, out := filepath.Join(dir, "a.npy"), filepath.Join(dir, "z.npy"), filepath.Join(dir, "out")
			ganinfer(t, "generate", filepath.Join(dir, name), "-n", "7", "--seed", "5", "--batch", batch,
				"--npy", array, "--save-z", noise, "--out", out)

			shape, got := readNpy(t, array)
			if diff := cmp.Diff([]int{n, c, testSide, testSide}, shape); diff != "" {
				t.Fatalf("%s, batch %s: shape (-want +got):\n%s", name, batch, diff)
			}
			var want []float32
			for number := range uint64(n) {
				want = append(want, naive(c, seed, number)...)
			}
			near := cmpopts.EquateApprox(0, 1e-6) // float32, sums of 4 terms, ONNX Runtime's own tanh
			if diff := cmp.Diff(want, got, near); diff != "" {
				t.Errorf("%s, batch %s: numbers (-want +got):\n%s", name, batch, diff)
			}

			shape, z := readNpy(t, noise)
			last := make([]float32, testLatent)
			latent.Fill(last, latent.Normal, seed, 0, n-1)
			if diff := cmp.Diff([]int{n, testLatent}, shape); diff != "" {
				t.Errorf("%s, batch %s: shape of the noise (-want +got):\n%s", name, batch, diff)
			}
			if diff := cmp.Diff(last, z[len(z)-testLatent:]); diff != "" {
				t.Errorf("%s, batch %s: noise of the last picture (-want +got):\n%s", name, batch, diff)
			}

			img, err := picture.Read(filepath.Join(out, "000006.png"))
			if err != nil {
				t.Fatal(err)
			}
			back, err := picture.ToTensor(img, c, testSide, testSide, -1, 1)
			if err != nil {
				t.Fatal(err)
			}
			level := cmpopts.EquateApprox(0, 1.001/255) // half of a level, 2/255, each way
			if diff := cmp.Diff(want[len(want)-len(back):], back, level); diff != "" {
				t.Errorf("%s, batch %s: last picture (-want +got):\n%s", name, batch, diff)
			}
		}
	}
}

func TestLanes(t *testing.T) {
	defer goruntime.GOMAXPROCS(goruntime.GOMAXPROCS(8))
	for _, c := range []struct{ count, batch, lanes int }{
		{1, 32, 1},
		{32, 32, 1},
		{33, 32, 2},
		{1000, 32, 8},
		{100_000_000, 256, 4}, // bounded by memory
		{100_000_000, maxBatch, 2},
	} {
		if lanes := lanesOf(c.count, c.batch); lanes != c.lanes {
			t.Errorf("%d pictures, batch %d: %d lanes on 8 cores, want %d", c.count, c.batch, lanes, c.lanes)
		}
	}
}

// Pictures become numbers with the channels first.
func TestPicturesBecomeNumbers(t *testing.T) {
	g := &generator{output: "image"}
	want := []float32{0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11, 12, 15, 18, 21, 13, 16, 19, 22, 14, 17, 20, 23}
	last := make([]uint8, 24)
	first := make([]uint8, 24)
	floats := make([]float32, 24)
	for i := range last {
		last[i], first[i], floats[i] = uint8(i), uint8(want[i]), float32(i)
	}
	for _, x := range []*tensor.Dense{
		tensor.New(tensor.WithShape(2, 2, 2, 3), tensor.WithBacking(last)),
		tensor.New(tensor.WithShape(2, 3, 2, 2), tensor.WithBacking(first)),
		tensor.New(tensor.WithShape(2, 2, 2, 3), tensor.WithBacking(floats)),
		tensor.New(tensor.WithShape(2, 3, 2, 2), tensor.WithBacking(want)),
	} {
		got, shape, err := g.numbers(map[string]*tensor.Dense{"image": x})
		if err != nil || !shape.Eq(tensor.Shape{2, 3, 2, 2}) || !slices.Equal(got, want) {
			t.Errorf("of %v: %v with shape %v, error %v, want %v", x.Shape(), got, shape, err, want)
		}
	}
}
