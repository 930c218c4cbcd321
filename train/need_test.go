package train

import (
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/internal/memory"
	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/engine"
	"github.com/gantrain/gantrain/train/nn"
	"github.com/gantrain/gantrain/train/op"
)

// chain is an update whose values, of 4 bytes each, are counted by hand: x [2, 3]
// -> a -> b -> c = a+b, and the loss, a scalar.
func chain(t *testing.T, links int) engine.Update {
	t.Helper()
	g := gorgonia.NewGraph()
	x := nn.Input(g, "x", tensor.Float32, 2, 3)
	a, b := x, x
	for range links {
		next, err := op.Tanh(b)
		if err != nil {
			t.Fatal(err)
		}
		a, b = b, next
	}
	c := gorgonia.Must(gorgonia.Add(a, b))
	return engine.Update{Name: "chain", Loss: gorgonia.Must(gorgonia.Sum(c))}
}

func TestComputed(t *testing.T) {
	const array, scalar = 2 * 3 * 4, 4
	for _, c := range []struct {
		name      string
		updates   []engine.Update
		sum, peak int64
	}{
		// a and b, of which c can take the place of one.
		{"two links", []engine.Update{chain(t, 2)}, 3*array + scalar, 2 * array},
		// However long, no more than the last two links.
		{"five links", []engine.Update{chain(t, 5)}, 6*array + scalar, 2 * array},
		// What two updates share is computed once, and kept for the second.
		{"the same twice", []engine.Update{chain(t, 2), chain(t, 2)}, 3*array + scalar, 2 * array},
		{"the same beginning", []engine.Update{chain(t, 1), chain(t, 3)}, 5*array + 2*scalar, 2*array + scalar},
	} {
		sum, peak, err := computed(c.updates)
		if err != nil {
			t.Fatal(err)
		}
		if sum != c.sum || peak != c.peak {
			t.Errorf("%s: %d bytes, %d at once; want %d and %d", c.name, sum, peak, c.sum, c.peak)
		}
	}
}

// What a step needs grows with its batch, as far as it lies in the machine's
// memory.
func TestNeedGrowsWithTheBatch(t *testing.T) {
	need := func(batch int, o Options) int64 {
		t.Helper()
		gan := tiny(simultaneous)
		gan.Recipe.Batch = batch
		plan, err := NewPlan(gan, batch, tensor.Float32)
		if err != nil {
			t.Fatal(err)
		}
		n, err := plan.need(o)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	ort, tape, cuda := Options{}, Options{Engine: Tape}, Options{Runtime: runtime.Options{Provider: runtime.CUDA}}
	if small, large := need(64, ort), need(6400, ort); large < 50*small {
		t.Errorf("ort: %d bytes at batch 64, %d at 6400", small, large)
	}
	if a, b := need(64, ort), need(64, tape); a >= b {
		t.Errorf("the tape keeps all, but takes %d bytes, ONNX Runtime %d", b, a)
	}
	if a, b := need(64, ort), need(64, cuda); b >= a {
		t.Errorf("a GPU takes %d bytes of the machine's memory, the CPU %d", b, a)
	}
}

// A file may describe more than a machine holds.
func TestWeightsBeyondMemory(t *testing.T) {
	if _, known := memory.Available(); !known {
		t.Skip("skipped: this machine doesn't tell its memory")
	}
	gan := tiny()
	layers := arch.Layers{arch.Flatten{}}
	for range 1000 { // 2^29 values between any two layers, 12 TB with their moments
		layers = append(layers, arch.Dense{Units: 1 << 9, Init: arch.Zeros}, arch.Dense{Units: 1 << 20, Init: arch.Zeros})
	}
	gan.Discriminator.Layers = append(layers, arch.Dense{Units: 1, Init: arch.Zeros})
	if _, err := NewState(gan, 1); err == nil || !strings.Contains(err.Error(), "GB of memory") {
		t.Errorf("error %v", err)
	}
}
