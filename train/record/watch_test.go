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
type numbers struct {
	spread float64
	step   Numbers
}

// feed gives a watch the numbers of many steps, a spread every 50 of them, and
// halfway a new watch from the old one's JSON. It returns the step of each
// warning and the warnings.
func feed(t *testing.T, steps int, at func(step int) numbers) (when []int, said []string) {
	t.Helper()
	w := &Watch{StepsPerEpoch: 469}
	for step := 1; step <= steps; step++ {
		n := at(step)
		lines := w.Step(step, n.step)
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
	// Spreads were measured every 100 steps from step 0, other numbers are means over
	// 100 steps; the last values go on.
	type values = func(int) float64
	guo := series(100, 0.4, 0.32, 0.31, 0.49, 0.75, 0.88, 0.9, 0.92, 0.9, 0.91, 0.96, 0.87, 0.87, 0.85, 0.92)
	intro := series(100, 0.44, 1.18, 1.65, 1.79, 1.52, 1.40, 1.11, 0.85, 0.78, 0.83, 0.90)
	dcgan := series(100, 0.04, 0.09, 0.01, 0.16, 0.001, 0.07, 0.31, 0.93, 0.18, 0.79, 0.78)
	points := series(100, 0.05, 0.1, 0.15, 0.18, 0.3, 0.47, 0.5, 0.56, 0.5, 0.42, 0.38, 0.36, 0.36)
	literal := series(100, 0.4, 0.18, 0.9, 0.83, 0.46, 0.35, 0.4, 0.03, 0.001, 0.002, 0.001, 0)
	literal3 := series(50, 0.4, 0.38, 0.39, 0.77, 0.36, 1.32, 0.34, 0.37, 0.21, 0.36, 0.32, 0.28, 0.69, 0.63, 0.83, 0.42, 0.77)
	tests := []struct {
		name                                   string
		spread, accuracy, real, fake, gradient values
		want                                   []string // beginnings of what is said
		from, to                               int      // steps of the first warning
	}{
		{name: "guo-mlp", spread: guo,
			accuracy: series(100, 0.607, 0.808, 0.904, 0.817, 0.813, 0.825, 0.843),
			real:     series(100, 0.714, 0.725, 0.759, 0.679, 0.663, 0.672, 0.678), fake: series(100, 0.533, 0.454, 0.340, 0.331, 0.314, 0.279, 0.259),
			gradient: series(50, 2.13, 1.88, 2.07, 2.01, 2.38, 2.16, 2.50, 2.45, 2.56, 2.55, 2.27, 2.73, 2.39)},
		{name: "intro-mlp", spread: intro,
			accuracy: series(100, 0.985, 1, 0.987, 0.959, 0.884, 0.869, 0.742, 0.714, 0.739, 0.772),
			real:     series(100, 0.985, 0.997, 0.988, 0.955, 0.875, 0.827, 0.710, 0.630, 0.662, 0.683), fake: series(100, 0.162, 0.022, 0.038, 0.085, 0.200, 0.238, 0.376, 0.455, 0.413, 0.394),
			gradient: series(100, 2.26, 3.23, 2.68, 3.20, 2.33, 3.67, 2.72, 1.62, 1.28, 1.41)},
		{name: "michelucci-cgan", spread: constant(0.9),
			accuracy: series(100, 0.758, 0.679, 0.616, 0.577, 0.649, 0.555, 0.612, 0.727, 0.712, 0.625, 0.590, 0.601, 0.624),
			real:     series(100, 0.670, 0.501, 0.481, 0.468, 0.488, 0.465, 0.478, 0.522, 0.544, 0.486, 0.468, 0.471, 0.477), fake: series(100, 0.457, 0.403, 0.413, 0.429, 0.406, 0.436, 0.424, 0.380, 0.362, 0.418, 0.429, 0.429, 0.424),
			gradient: constant(1)},
		{name: "michelucci-dcgan", spread: dcgan,
			accuracy: series(100, 0.563, 0.665, 0.752, 0.705, 0.664, 0.724, 0.747, 0.706, 0.696, 0.641, 0.681, 0.676, 0.549, 0.634, 0.745, 0.561, 0.735, 0.629, 0.725, 0.721, 0.711, 0.716, 0.690),
			real:     series(100, 0.755, 0.615, 0.602, 0.604, 0.576, 0.633, 0.623, 0.579, 0.587, 0.559, 0.571, 0.580, 0.504, 0.557, 0.597, 0.516, 0.571, 0.553, 0.601, 0.588, 0.606, 0.616, 0.591),
			fake:     series(100, 0.568, 0.483, 0.451, 0.418, 0.439, 0.411, 0.399, 0.426, 0.416, 0.444, 0.421, 0.430, 0.475, 0.446, 0.417, 0.473, 0.423, 0.452, 0.396, 0.412, 0.387, 0.390, 0.408),
			gradient: constant(3)},
		{name: "points", spread: points, accuracy: constant(0.5), real: constant(0.5), fake: constant(0.5), gradient: series(1000, 1.3, 0.5, 0.01, 0.007)},
		{name: "guo-mlp literal, seed 3", spread: literal3,
			accuracy: series(100, 0.907, 0.957, 0.953, 0.935, 0.945, 0.944, 0.935, 0.948, 0.935),
			real:     series(100, 0.822, 0.819, 0.818, 0.805, 0.803, 0.815, 0.805, 0.822, 0.805), fake: series(100, 0.222, 0.090, 0.085, 0.145, 0.143, 0.133, 0.134, 0.113, 0.111),
			gradient: series(50, 2.62, 3.23, 4.19, 2.99, 2.28, 2.55, 2.83, 2.16, 2.40, 2.94, 2.23, 3.05, 2.74, 1.91, 1.91, 1.97),
			want:     []string{"no convergence: "}, from: 700, to: 936},
		{name: "guo-mlp literal", spread: literal,
			accuracy: series(100, 0.924, 0.982, 0.988, 0.987, 1.000, 1.000, 0.986, 1.000),
			real:     series(100, 0.823, 0.856, 0.861, 0.870, 0.900, 0.900, 0.871, 0.894), fake: series(100, 0.198, 0.048, 0.036, 0.028, 0.002, 0.000, 0.026, 0.006),
			gradient: constant(2),
			want:     []string{"no convergence: ", "mode collapse: "}, from: 700, to: 936},
		{name: "black pictures from step 100 on", spread: series(100, 0.04, 0), accuracy: constant(0.8), real: constant(0.6), fake: constant(0.3), gradient: constant(1),
			want: []string{"mode collapse: the samples differ by 0% of what the data does (0 of 0.36), by less than 10% since step 650"}, from: 850, to: 850},
		{name: "collapsed late", spread: func(step int) float64 { return map[bool]float64{true: 0.9, false: 0.02}[step < 5000] }, accuracy: constant(0.7), real: constant(0.6), fake: constant(0.4), gradient: constant(1),
			want: []string{"mode collapse: the samples differ by 2% of what the data does (0.0072 of 0.36), by less than 10% since step 5000"}, from: 5200, to: 5200},
		{name: "half collapsed", spread: constant(0.2), accuracy: constant(0.7), real: constant(0.6), fake: constant(0.4), gradient: constant(1),
			want: []string{"mode collapse: the samples differ by 20% of what the data does (0.072 of 0.36), by less than 25% since step 650"}, from: 1650, to: 1650},
		{name: "won", spread: constant(0.9), accuracy: constant(0.995), real: constant(0.9), fake: constant(0.05), gradient: constant(1),
			want: []string{"no convergence: in steps 301 to 700 the discriminator told the samples from the data (D(x) 0.90, D(G(z)) 0.05, right on 99.5%), by 0.85 at first and 0.85 at last"}, from: 700, to: 700},
		{name: "won, of each kind alone", spread: constant(0.9), accuracy: constant(nan), real: constant(0.9), fake: constant(0.05), gradient: constant(1),
			want: []string{"no convergence: in steps 301 to 700 the discriminator told the samples from the data (D(x) 0.90, D(G(z)) 0.05), by 0.85 at first and 0.85 at last"}, from: 700, to: 700},
		{name: "winning, but less and less", spread: constant(0.9), accuracy: constant(0.995), real: constant(0.9), fake: func(step int) float64 { return 0.05 + float64(step)/5000 }, gradient: constant(1)},
		{name: "right, and unsure", spread: constant(0.9), accuracy: constant(0.97), real: constant(0.7), fake: constant(0.2), gradient: constant(1)},
		{name: "sure, and often wrong", spread: constant(0.9), accuracy: constant(0.85), real: constant(0.85), fake: constant(0.15), gradient: constant(1)},
		{name: "saturated", spread: constant(0.9), accuracy: constant(0.98), real: constant(0.95), fake: func(step int) float64 { return min(0.5, 0.05+float64(step)/5000) }, gradient: series(1000, 2, 0.001),
			want: []string{"vanishing gradients: in steps "}, from: 1000, to: 1500},
		{name: "not measured", spread: constant(nan), accuracy: constant(nan), real: constant(nan), fake: constant(nan), gradient: constant(nan)},
		{name: "gradients not measured", spread: constant(0.9), accuracy: constant(1), real: constant(0.7), fake: constant(0.4), gradient: constant(nan)},
		{name: "infinite", spread: constant(math.Inf(1)), accuracy: constant(1), real: constant(math.Inf(1)), fake: constant(math.Inf(1)), gradient: constant(math.Inf(1))},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			when, said := feed(t, 10000, func(step int) numbers {
				return numbers{test.spread(step), Numbers{
					Accuracy: test.accuracy(step), Real: test.real(step), Fake: test.fake(step), Gradient: test.gradient(step),
				}}
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
			fake := 0.3 - 0.05*float64((step-1)/100)
			said = append(said, w.Step(step, Numbers{Accuracy: 1, Real: 0.9, Fake: max(0, fake), Gradient: math.NaN()})...)
		}
		want := []string{"no convergence: in steps 301 to 700 the discriminator told the samples from the data (D(x) 0.90, D(G(z)) 0.07, right on 100.0%), by 0.78 at first and 0.88 at last"}
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
