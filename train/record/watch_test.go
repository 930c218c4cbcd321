package record

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorgonia.org/tensor"
)

// numbers are what a run gives a watch at a step. A spread of NaN is none.
type numbers struct{ spread, accuracy, loss, norm float64 }

// feed gives a watch the numbers of many steps, a spread every 50 of them, and
// halfway a new watch from the old one's JSON. It returns the step of each
// warning and the warnings.
func feed(t *testing.T, steps int, at func(step int) numbers) (when []int, said []string) {
	t.Helper()
	w := &Watch{StepsPerEpoch: 469}
	for step := 1; step <= steps; step++ {
		n := at(step)
		lines := w.Step(step, n.accuracy, n.loss, n.norm)
		if step%50 == 0 {
			lines = append(lines, w.Samples(step, n.spread*0.358, 0.358)...)
		}
		for _, line := range lines {
			when, said = append(when, step), append(said, line)
		}
		if step == steps/2 {
			state, err := json.Marshal(w)
			if err != nil {
				t.Fatal(err)
			}
			if len(state) > 2000 {
				t.Errorf("a state of %d bytes", len(state))
			}
			resumed := &Watch{}
			if err := json.Unmarshal(state, resumed); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(w, resumed); diff != "" {
				t.Errorf("state (-kept +read)\n%s", diff)
			}
			w = resumed
		}
	}
	if diff := cmp.Diff(said, w.Said); diff != "" {
		t.Errorf("said (-returned +kept)\n%s", diff)
	}
	return when, said
}

// series joins measured values, one every so many steps, by lines.
func series(every int, values ...float64) func(step int) float64 {
	return func(step int) float64 {
		i := step / every
		if i >= len(values)-1 {
			return values[len(values)-1]
		}
		part := float64(step%every) / float64(every)
		return values[i]*(1-part) + values[i+1]*part
	}
}

func constant(v float64) func(int) float64 { return func(int) float64 { return v } }

func TestWatch(t *testing.T) {
	nan := math.NaN()
	// Measured every 100 steps, from step 0; the last values go on.
	guo := series(100, 0.4, 0.32, 0.31, 0.49, 0.75, 0.88, 0.9, 0.92, 0.9, 0.91, 0.96, 0.87, 0.87, 0.85, 0.92)
	intro := series(100, 0.44, 1.18, 1.65, 1.79, 1.52, 1.40, 1.11, 0.85, 0.78, 0.83, 0.90)
	dcgan := series(100, 0.04, 0.09, 0.01, 0.16, 0.001, 0.07, 0.31, 0.93, 0.18, 0.79, 0.78)
	points := series(100, 0.05, 0.1, 0.15, 0.18, 0.3, 0.47, 0.5, 0.56, 0.5, 0.42, 0.38, 0.36, 0.36)
	literal := series(100, 0.4, 0.18, 0.9, 0.83, 0.46, 0.35, 0.4, 0.03, 0.001, 0.002, 0.001, 0)
	literalLoss := series(100, 0.74, 5.7, 7.1, 5.9, 6.3, 7.4, 7.6, 8.2, 10.8, 11.8, 12.4, 12.6, 13)
	tests := []struct {
		name                         string
		spread, accuracy, loss, norm func(int) float64
		want                         []string // beginnings of what is said
		from, to                     int      // steps of the first warning
	}{
		{name: "guo-mlp", spread: guo, accuracy: series(100, 0.5, 0.5, 0.98, 0.9, 0.9), loss: series(100, 0.7, 1.1, 1.3, 2, 2.4, 2), norm: constant(2.3)},
		{name: "intro-mlp", spread: intro, accuracy: series(100, 0.6, 1, 1, 0.985, 0.985, 0.95, 0.75, 0.9, 0.8), loss: series(100, 0.6, 2.3, 1.4, 2, 0.9, 1.2, 0.3, 0.7, 0.4), norm: series(100, 0.65, 3.2, 3.2, 4.7, 4, 4.9, 3.4, 2, 1.4)},
		{name: "michelucci-dcgan", spread: dcgan, accuracy: constant(0.8), loss: constant(1), norm: constant(3)},
		{name: "points", spread: points, accuracy: constant(0.5), loss: constant(0.69), norm: series(1000, 1.3, 0.5, 0.01, 0.007)},
		{name: "guo-mlp literal", spread: literal, accuracy: constant(0.999), loss: literalLoss, norm: constant(2),
			want: []string{"no convergence: ", "mode collapse: "}, from: 600, to: 938},
		{name: "black pictures from step 100 on", spread: series(100, 0.04, 0), accuracy: constant(0.8), loss: constant(1), norm: constant(1),
			want: []string{"mode collapse: the samples differ by 0% of what the data does (0 of 0.36), by less than 10% since step 650"}, from: 850, to: 850},
		{name: "collapsed late", spread: func(step int) float64 { return map[bool]float64{true: 0.9, false: 0.02}[step < 5000] }, accuracy: constant(0.7), loss: constant(1), norm: constant(1),
			want: []string{"mode collapse: the samples differ by 2% of what the data does (0.0072 of 0.36), by less than 10% since step 5000"}, from: 5200, to: 5200},
		{name: "half collapsed", spread: constant(0.2), accuracy: constant(0.7), loss: constant(1), norm: constant(1),
			want: []string{"mode collapse: the samples differ by 20% of what the data does (0.072 of 0.36), by less than 25% since step 650"}, from: 1650, to: 1650},
		{name: "won", spread: constant(0.9), accuracy: constant(0.995), loss: func(step int) float64 { return 4 + float64(step)/500 }, norm: constant(1),
			want: []string{"no convergence: in steps 301 to 700 the discriminator was right on 99.5%, and the generator's loss rose from 4.8 to 5.2"}, from: 700, to: 700},
		{name: "winning, but less and less", spread: constant(0.9), accuracy: constant(0.995), loss: func(step int) float64 { return 9 - float64(step)/3000 }, norm: constant(1)},
		{name: "a strong discriminator", spread: constant(0.9), accuracy: constant(0.97), loss: func(step int) float64 { return 3 + float64(step)/2000 }, norm: constant(1)},
		{name: "saturated", spread: constant(0.9), accuracy: constant(0.98), loss: constant(1e-4), norm: series(1000, 2, 0.001),
			want: []string{"vanishing gradients: in steps "}, from: 1000, to: 1500},
		{name: "not measured", spread: constant(nan), accuracy: constant(nan), loss: constant(nan), norm: constant(nan)},
		{name: "norms not measured", spread: constant(0.9), accuracy: constant(1), loss: constant(1), norm: constant(nan)},
		{name: "infinite", spread: constant(math.Inf(1)), accuracy: constant(1), loss: constant(math.Inf(1)), norm: constant(math.Inf(1))},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			when, said := feed(t, 10000, func(step int) numbers {
				return numbers{test.spread(step), test.accuracy(step), test.loss(step), test.norm(step)}
			})
			if len(said) != len(test.want) {
				t.Fatalf("said %q at %v, want %q", said, when, test.want)
			}
			for i, want := range test.want {
				if !strings.HasPrefix(said[i], want) {
					t.Errorf("said %q, want %q", said[i], want)
				}
				if strings.ContainsAny(said[i], "\n\r") || strings.Contains(said[i], "NaN") {
					t.Errorf("said %q", said[i])
				}
			}
			if len(when) > 0 && (when[0] < test.from || when[0] > test.to) {
				t.Errorf("said at %v, want the first from %d to %d", when, test.from, test.to)
			}
		})
	}
}

// TestWatchSparsely gives numbers every 25 steps: what is said does not depend
// on how often they come.
func TestWatchSparsely(t *testing.T) {
	for _, every := range []int{1, 25, 100} {
		w := &Watch{StepsPerEpoch: 469}
		var said []string
		for step := every; step <= 2000; step += every {
			said = append(said, w.Step(step, 1, float64(4+(step-1)/100), math.NaN())...)
		}
		want := []string{"no convergence: in steps 301 to 700 the discriminator was right on 100.0%, and the generator's loss rose from 7.5 to 9.5"}
		if diff := cmp.Diff(want, said); diff != "" {
			t.Errorf("every %d steps (-want +got)\n%s", every, diff)
		}
	}
}

func TestSpread(t *testing.T) {
	data := []float32{
		1, 5, -2,
		3, 5, 2, // deviations 1, 0 and 2
	}
	got, err := Spread(tensor.New(tensor.WithShape(2, 1, 3), tensor.WithBacking(data)))
	if err != nil || got != 1 {
		t.Errorf("spread %g, %v, want 1", got, err)
	}
	large := []float32{1e6, 1e6 + 2, 1e6, 1e6 + 2} // a sum of squares would lose it in float32
	if got, err = Spread(tensor.New(tensor.WithShape(4, 1), tensor.WithBacking(large))); err != nil || got != 1 {
		t.Errorf("spread %g, %v, want 1", got, err)
	}
	for _, bad := range []*tensor.Dense{
		tensor.New(tensor.WithShape(4), tensor.Of(tensor.Float32)),
		tensor.New(tensor.WithShape(4, 2), tensor.Of(tensor.Float64)),
	} {
		if _, err := Spread(bad); err == nil || !strings.Contains(err.Error(), "expected row-major float32 [N, ...]") {
			t.Errorf("error %v", err)
		}
	}
}
