package dataset

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type orderCase struct {
	N    int
	Key  [3]uint64 // seed, stream, epoch or step
	Want []int
}

// TestOrderAgainstNumPy compares with testdata/order.py, whose words come from
// NumPy's Philox and whose arithmetic is Python's exact integers.
func TestOrderAgainstNumPy(t *testing.T) {
	raw, err := os.ReadFile("testdata/order.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct{ Permutations, Draws []orderCase }
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	for _, c := range want.Permutations {
		got := Permutation(c.N, c.Key[0], c.Key[1], c.Key[2])
		if diff := cmp.Diff(c.Want, got); diff != "" {
			t.Errorf("Permutation(%d, %v): (-want +got)\n%s", c.N, c.Key, diff)
		}
	}
	for _, c := range want.Draws {
		got := make([]int, len(c.Want))
		Draw(got, c.N, c.Key[0], c.Key[1], c.Key[2])
		if diff := cmp.Diff(c.Want, got); diff != "" {
			t.Errorf("Draw(%d, %v): (-want +got)\n%s", c.N, c.Key, diff)
		}
	}
	if len(want.Permutations) == 0 || len(want.Draws) == 0 {
		t.Error("testdata/order.json holds no cases")
	}
}

func TestPermutationHoldsEveryNumber(t *testing.T) {
	order := Permutation(60000, 1, 2, 3)
	slices.Sort(order)
	for i, n := range order {
		if i != n {
			t.Fatalf("sorted order has %d at %d", n, i)
		}
	}
	if got := Permutation(0, 1, 2, 3); len(got) != 0 {
		t.Errorf("Permutation(0) = %v", got)
	}
}

// TestOrderIsUniform counts the 24 orders of 4 things and the values of draws
// below 24, over epochs; a constant error in either would stand out.
func TestOrderIsUniform(t *testing.T) {
	const trials = 24000
	orders, draws := map[[4]int]int{}, map[int]int{}
	one := make([]int, 1)
	for epoch := range uint64(trials) {
		orders[[4]int(Permutation(4, 7, 0, epoch))]++
		Draw(one, 24, 7, 1, epoch)
		draws[one[0]]++
	}
	if len(orders) != 24 || len(draws) != 24 {
		t.Fatalf("%d of 24 orders and %d of 24 numbers came up", len(orders), len(draws))
	}
	check := func(what any, count int) {
		mean := trials / 24.0
		if d := math.Abs(float64(count) - mean); d > 5*math.Sqrt(mean) { // 5 standard deviations of a count
			t.Errorf("%v came up %d times, expected about %g", what, count, mean)
		}
	}
	for order, count := range orders {
		check(order, count)
	}
	for n, count := range draws {
		check(n, count)
	}
}
