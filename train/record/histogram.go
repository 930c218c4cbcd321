package record

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// bins is how many bars a histogram has.
const bins = 40

// Histogram draws how the discriminator's outputs on real and on generated data
// are distributed, one over the other, as a PNG of 1200 by 700 pixels. Outputs
// within [0, 1] are shown on all of it. Those that a float32 can't hold, and NaN,
// are left out.
func Histogram(path, title string, real, fake []float64) error {
	real, fake = finite(real), finite(fake)
	if len(real)+len(fake) == 0 {
		return fmt.Errorf("record: %s: holds no finite output to plot", path)
	}
	low, high := 0., 1.
	for _, values := range [][]float64{real, fake} {
		for _, v := range values {
			low, high = min(low, v), max(high, v)
		}
	}
	p := newPanel("discriminator's output", "share of each, in %")
	for _, s := range []struct {
		name   string
		values []float64
		ink    color.NRGBA
	}{{"real", real, blue}, {"generated", fake, orange}} {
		if len(s.values) == 0 {
			continue
		}
		bars := &plotter.Polygon{
			XYs:       []plotter.XYs{outline(s.values, low, high)},
			Color:     faint(s.ink, 0x60),
			LineStyle: draw.LineStyle{Color: s.ink, Width: vg.Points(1.5)},
		}
		p.Add(bars)
		p.legend(fmt.Sprintf("%s: %s, mean %.2f", s.name, thousands(fmt.Sprint(len(s.values))), mean(s.values)), bars)
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = low, high, 0, p.Y.Max*1.05
	if err := writePanels(path, title, 1200, 700, p); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// outline goes around the bars of a histogram in percent.
func outline(values []float64, low, high float64) plotter.XYs {
	counts := make([]int, bins)
	for _, v := range values {
		counts[min(bins-1, int(bins*(v-low)/(high-low)))]++
	}
	points := plotter.XYs{{X: low}}
	for i, n := range counts {
		percent := 100 * float64(n) / float64(len(values))
		for _, edge := range []int{i, i + 1} {
			at := float64(edge) / bins
			points = append(points, plotter.XY{X: low*(1-at) + high*at, Y: percent})
		}
	}
	return append(points, plotter.XY{X: high})
}

func finite(values []float64) []float64 {
	var kept []float64
	for _, v := range values {
		if math.Abs(v) <= math.MaxFloat32 {
			kept = append(kept, v)
		}
	}
	return kept
}

func mean(values []float64) float64 {
	var sum float64
	for _, v := range values {
		sum += v / float64(len(values))
	}
	return sum
}
