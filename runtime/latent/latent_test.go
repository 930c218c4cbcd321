package latent

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type fixture struct {
	Cases []struct {
		Seed, Stream, Image uint64
		Words               []uint64
		Normal, Uniform     []uint32 // bits of float32
	}
}

// numpy reads what scripts/latent_fixture.py made with NumPy and SciPy.
func numpy(t *testing.T) fixture {
	t.Helper()
	b, err := os.ReadFile("testdata/numpy.json")
	if err != nil {
		t.Fatal(err)
	}
	var f fixture
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Cases) == 0 {
		t.Fatal("testdata/numpy.json holds no cases")
	}
	return f
}

func TestPhiloxIsNumPys(t *testing.T) {
	for _, c := range numpy(t).Cases {
		for i, want := range c.Words {
			block := Philox([2]uint64{c.Seed, c.Stream}, [4]uint64{uint64(i/4) + 1, 0, c.Image, 0})
			if got := block[i%4]; got != want {
				t.Errorf("seed %d, stream %d, image %d: word %d is %#x, want %#x", c.Seed, c.Stream, c.Image, i, got, want)
			}
		}
	}
}

func TestFillIsNumPys(t *testing.T) {
	for _, c := range numpy(t).Cases {
		for d, want := range map[Distribution][]uint32{Normal: c.Normal, Uniform: c.Uniform} {
			z := make([]float32, len(want))
			Fill(z, d, c.Seed, c.Stream, c.Image)
			got := make([]uint32, len(z))
			for i, v := range z {
				got[i] = math.Float32bits(v)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, seed %d, stream %d, image %d: bits (-want +got):\n%s", d, c.Seed, c.Stream, c.Image, diff)
			}
		}
	}
}

func TestFillLongVectors(t *testing.T) {
	z := make([]float32, 2*batch+3)
	Fill(z, Uniform, 1, 2, 3)
	for i, got := range z {
		block := Philox([2]uint64{1, 2}, [4]uint64{uint64(i/4) + 1, 0, 3, 0})
		if want := float32(2*open01(block[i%4]) - 1); got != want {
			t.Errorf("component %d is %g, want %g", i, got, want)
		}
	}
}

func TestFillMoments(t *testing.T) {
	const images, size = 1000, 100
	const n = images * size
	for d, variance := range map[Distribution]float64{Normal: 1, Uniform: 1.0 / 3} {
		z := make([]float32, size)
		var sum, squares float64
		for image := range uint64(images) {
			Fill(z, d, 5, 0, image)
			for _, v := range z {
				sum += float64(v)
				squares += float64(v) * float64(v)
			}
		}
		if mean := sum / n; math.Abs(mean) > 5*math.Sqrt(variance/n) { // five standard errors
			t.Errorf("%s: mean %g, want 0", d, mean)
		}
		if got := squares / n; math.Abs(got-variance) > 0.025*variance { // five standard errors of a normal's: 5*sqrt(2/n)
			t.Errorf("%s: variance %g, want %g", d, got, variance)
		}
	}
}

func TestExtremeWordsStayFinite(t *testing.T) {
	for _, w := range []uint64{0, math.MaxUint64} {
		if u := open01(w); u <= 0 || u >= 1 {
			t.Errorf("open01(%#x) = %g, want it inside (0, 1)", w, u)
		}
	}
}

func TestFillDoesNotAllocate(t *testing.T) {
	z := make([]float32, 100)
	if n := testing.AllocsPerRun(10, func() { Fill(z, Normal, 1, 0, 0) }); n != 0 {
		t.Errorf("%g allocations, want none", n)
	}
}

func TestParse(t *testing.T) {
	for _, d := range []Distribution{Normal, Uniform} {
		if got, err := Parse(string(d)); got != d || err != nil {
			t.Errorf("Parse(%q) = %q, %v", d, got, err)
		}
	}
	for _, name := range []string{"", "Normal", "gaussian"} {
		if _, err := Parse(name); err == nil {
			t.Errorf("Parse(%q) gave no error", name)
		}
	}
}

func BenchmarkFill(b *testing.B) {
	for _, d := range []Distribution{Normal, Uniform} {
		b.Run(string(d), func(b *testing.B) {
			z := make([]float32, 100)
			b.SetBytes(int64(4 * len(z)))
			var image uint64
			for b.Loop() {
				Fill(z, d, 1, 0, image)
				image++
			}
		})
	}
}
