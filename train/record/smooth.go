package record

import (
	"math"
	"slices"

	"gonum.org/v1/plot/plotter"
)

// downsample averages runs of neighbouring rows, so that about most points are
// left. Values that are not finite are left out, and with them a point that
// has no others.
func downsample(steps []int, values []float64, most int) plotter.XYs {
	var points plotter.XYs
	width := (len(steps) + most - 1) / most
	for begin := 0; begin < len(steps); begin += width {
		var x, y float64
		var n int
		for i := begin; i < min(begin+width, len(steps)); i++ {
			if v := values[i]; !math.IsNaN(v) && !math.IsInf(v, 0) {
				x, y, n = x+float64(steps[i]), y+v, n+1
			}
		}
		if n > 0 {
			points = append(points, plotter.XY{X: x / float64(n), Y: y / float64(n)})
		}
	}
	return points
}

// smooth weighs each point's neighbours up to reach on either side by a
// triangle (a moving average, twice). Near the ends it reaches less far, so
// that a steep start stays steep, but not so little that the last point is
// noise again.
func smooth(points plotter.XYs, reach int) plotter.XYs {
	for range 2 {
		sums := make([]float64, len(points)+1)
		for i, p := range points {
			sums[i+1] = sums[i] + p.Y
		}
		points = slices.Clone(points)
		for i := range points {
			r := min(reach/2, max(i, reach/8), max(len(points)-1-i, reach/8))
			from, to := max(0, i-r), min(len(points), i+r+1)
			points[i].Y = (sums[to] - sums[from]) / float64(to-from)
		}
	}
	return points
}

// verticalRange is where the smoothed lines lie and all but the most extreme
// hundredth of the raw values: one early spike would flatten all that follows.
// Losses that are never negative are shown from zero.
func verticalRange(curves []curve) (low, high float64) {
	var values []float64
	for _, c := range curves {
		for _, p := range c.raw {
			values = append(values, p.Y)
		}
	}
	slices.Sort(values)
	cut := len(values) / 200
	low, high = values[cut], values[len(values)-1-cut]
	for _, c := range curves {
		for _, p := range c.smoothed {
			low, high = min(low, p.Y), max(high, p.Y)
		}
	}
	if values[0] >= 0 {
		low = 0
	}
	margin := 0.05 * (high - low)
	if margin == 0 {
		margin = max(math.Abs(high), 1) / 2
	}
	if low != 0 {
		low -= margin
	}
	return low, high + margin
}
