package record

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"gonum.org/v1/plot/plotter"
)

func TestDownsample(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	tests := []struct {
		name   string
		values []float64
		most   int
		want   plotter.XYs
	}{
		{"all fit", []float64{5, 6, 7}, 3, plotter.XYs{{X: 0, Y: 5}, {X: 10, Y: 6}, {X: 20, Y: 7}}},
		{"pairs", []float64{1, 3, 5, 9}, 2, plotter.XYs{{X: 5, Y: 2}, {X: 25, Y: 7}}},
		{"short last", []float64{1, 3, 5}, 2, plotter.XYs{{X: 5, Y: 2}, {X: 20, Y: 5}}},
		{"not finite", []float64{nan, 3, inf, -inf, 8, 10}, 3, plotter.XYs{{X: 10, Y: 3}, {X: 45, Y: 9}}},
		{"nothing finite", []float64{nan, nan}, 5, nil},
		{"no rows", nil, 5, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var steps []int
			for i := range test.values {
				steps = append(steps, 10*i)
			}
			if diff := cmp.Diff(test.want, downsample(steps, test.values, test.most)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func points(values ...float64) plotter.XYs {
	var xys plotter.XYs
	for i, v := range values {
		xys = append(xys, plotter.XY{X: float64(i), Y: v})
	}
	return xys
}

func TestSmooth(t *testing.T) {
	tests := []struct {
		name   string
		values plotter.XYs
		reach  int
		want   plotter.XYs
	}{
		{"impulse gives a triangle", points(0, 0, 0, 9, 0, 0, 0), 2, points(0, 1, 2, 3, 2, 1, 0)},
		{"constant stays", points(2, 2, 2, 2, 2), 4, points(2, 2, 2, 2, 2)},
		{"slope stays", points(1, 2, 3, 4, 5), 4, points(1, 2, 3, 4, 5)},
		{"one point", points(3), 9, points(3)},
		{"reach beyond the ends", points(1, 3), 100, points(2, 2)},
	}
	near := cmpopts.EquateApprox(0, 1e-12) // float64, sums of a few small numbers
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := append(plotter.XYs(nil), test.values...)
			if diff := cmp.Diff(test.want, smooth(test.values, test.reach), near); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(before, test.values); diff != "" {
				t.Errorf("the argument was changed:\n%s", diff)
			}
		})
	}
}

func TestVerticalRange(t *testing.T) {
	spike := make([]float64, 1000)
	for i := range spike {
		spike[i] = 1
	}
	spike[0] = 500
	tests := []struct {
		name          string
		raw, smoothed plotter.XYs
		low, high     float64
	}{
		{"from zero", points(1, 2), points(1, 2), 0, 2.1},
		{"negative", points(-2, 2), points(-1, 1), -2.2, 2.2},
		{"a spike lies beyond", points(spike...), points(1, 1), 0, 1.05},
		{"a smoothed line never does", points(spike...), points(8, 1), 0, 8.4},
		{"all zero", points(0, 0), points(0, 0), 0, 0.5},
		{"constant and negative", points(-4, -4), points(-4, -4), -6, -2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			low, high := verticalRange([]curve{{raw: test.raw, smoothed: test.smoothed}})
			if math.Abs(low-test.low) > 1e-12 || math.Abs(high-test.high) > 1e-12 { // float64, a few roundings
				t.Errorf("%g to %g, want %g to %g", low, high, test.low, test.high)
			}
		})
	}
}

func TestTicks(t *testing.T) {
	tests := []struct {
		name      string
		low, high float64
		ticker    ticker
		want      []string
	}{
		{"loss", 0, 4.2, ticker{about: 7}, []string{"0", "1", "2", "3", "4"}},
		{"small", 0, 0.21, ticker{about: 7}, []string{"0.00", "0.05", "0.10", "0.15", "0.20"}},
		{"both signs", -0.45, 0.5, ticker{about: 7}, []string{"-0.4", "-0.2", "0.0", "0.2", "0.4"}},
		{"steps", 1, 93600, ticker{about: 10, whole: true}, []string{
			"10,000", "20,000", "30,000", "40,000", "50,000", "60,000", "70,000", "80,000", "90,000",
		}},
		{"few steps", 1, 3, ticker{about: 10, whole: true}, []string{"1", "2", "3"}},
		{"large", -1.5e6, 1.5e6, ticker{about: 7}, []string{"-1,500,000", "-1,000,000", "-500,000", "0", "500,000", "1,000,000", "1,500,000"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, tick := range test.ticker.Ticks(test.low, test.high) {
				got = append(got, tick.Label)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
