package bench

import (
	"context"
	"math"
	"testing"

	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train/arch"
)

func TestCountFLOPs(t *testing.T) {
	for _, c := range []struct {
		op      string
		x, w, y []int
		want    float64 // multiplications, by loops in one's head
	}{
		{"Conv", []int{2, 3, 9, 9}, []int{4, 3, 5, 5}, []int{2, 4, 3, 3}, 2 * 4 * 3 * 3 * 3 * 5 * 5},
		{"Conv", []int{2, 6, 9, 9}, []int{4, 3, 5, 5}, []int{2, 4, 3, 3}, 2 * 4 * 3 * 3 * 3 * 5 * 5}, // two groups
		{"ConvTranspose", []int{2, 4, 3, 3}, []int{4, 3, 5, 5}, []int{2, 3, 9, 9}, 2 * 4 * 3 * 3 * 3 * 5 * 5},
		{"MatMul", []int{2, 3}, []int{3, 5}, []int{2, 5}, 2 * 3 * 5},
		{"MatMul", []int{7, 2, 3}, []int{7, 3, 5}, []int{7, 2, 5}, 7 * 2 * 3 * 5},
		{"MatMul", []int{7, 2, 3}, []int{3, 5}, []int{7, 2, 5}, 7 * 2 * 3 * 5},
		{"Gemm", []int{3, 2}, []int{5, 3}, []int{2, 5}, 2 * 3 * 5}, // both transposed
		{"Mul", []int{3, 2}, []int{3, 2}, []int{3, 2}, 0},
	} {
		p := runtime.Profile{{Op: c.op, Inputs: [][]int{c.x, c.w}, Outputs: [][]int{c.y}}}
		got, err := countFLOPs(p)
		if err != nil || math.Abs(got-2*c.want) > 1e-6*c.want {
			t.Errorf("%s %v %v -> %v: %v, %v, want %v", c.op, c.x, c.w, c.y, got, err, 2*c.want)
		}
	}
	if _, err := countFLOPs(runtime.Profile{{Op: "Conv"}}); err == nil {
		t.Error("a convolution without shapes: no error")
	}
}

// The count from the exported step is that from the layers.
func TestStepFLOPs(t *testing.T) {
	for _, gan := range []string{"guo-mlp", "michelucci-dcgan"} {
		o := options(t, gan)
		got, err := stepFLOPs(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		want := 2 * layerMultiplications(t, o.GAN)
		if math.Abs(got-want) > 1e-6*want {
			t.Errorf("%s: %v, want %v", gan, got, want)
		}
	}
}

// layerMultiplications counts those of a step, layer by layer.
func layerMultiplications(t *testing.T, gan arch.GAN) float64 {
	g, g1 := multiplicationsOf(t, gan.Generator)
	d, d1 := multiplicationsOf(t, gan.Discriminator)
	discriminator := 2 * (d + d + d - d1) // real and fake: forward, weights' gradients, all but the first layer's inputs'
	generator := d + g + g - g1           // through the discriminator, then as above
	forward := g                          // shared, as is the discriminator's on the fakes
	if !gan.Recipe.Simultaneous {
		forward = g + g + d
	}
	return float64(gan.Recipe.Batch) * (discriminator + generator + forward)
}

// multiplicationsOf counts those of one picture's forward pass, and of its
// first layer.
func multiplicationsOf(t *testing.T, net arch.Network) (all, first float64) {
	t.Helper()
	rows, err := net.Rows()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		places := 0 // that each weight is used at
		switch r.Layer.(type) {
		case arch.Dense:
			places = 1
		case arch.Conv2D:
			places = r.Output[1] * r.Output[2]
		case arch.ConvTranspose2D:
			places = r.Input[1] * r.Input[2]
		}
		if places > 0 {
			n := float64(places * r.Params[0].Shape.Size())
			if all == 0 {
				first = n
			}
			all += n
		}
	}
	return all, first
}
