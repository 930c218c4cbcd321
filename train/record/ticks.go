package record

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

// ticker puts about that many ticks on an axis, at multiples of 1, 2 or 5 times
// a power of ten: gonum's own labels as few as two.
type ticker struct {
	about float64
	whole bool // only whole numbers, for steps
}

func (t ticker) Ticks(low, high float64) []plot.Tick {
	width := math.Pow(10, math.Floor(math.Log10((high-low)/t.about)))
	for _, factor := range []float64{2, 2.5, 2} { // 1 becomes 2, 5, 10
		if (high-low)/width <= t.about {
			break
		}
		width *= factor
	}
	if t.whole {
		width = max(width, 1)
	}
	digits := max(0, int(-math.Floor(math.Log10(width))))
	var ticks []plot.Tick
	for n := math.Ceil(low / width); n*width <= high && float64(len(ticks)) <= 2*t.about; n++ {
		value := n*width + 0 // no negative zero
		ticks = append(ticks, plot.Tick{Value: value, Label: thousands(strconv.FormatFloat(value, 'f', digits, 64))})
	}
	return ticks
}

// thousands prints 20000 as 20,000; a fraction stays as it is.
func thousands(number string) string {
	digits := len(number)
	for i, c := range number {
		if c == '.' {
			digits = i
		}
	}
	for i := digits - 3; i > 0 && number[i-1] != '-'; i -= 3 {
		number = number[:i] + "," + number[i:]
	}
	return number
}
