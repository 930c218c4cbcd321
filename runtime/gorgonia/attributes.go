package gorgonia

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// attributes are those of one node. Each that an operator asks for is taken
// out; what is left at the end, the operator doesn't honour.
type attributes struct {
	left     map[string]any
	problems []string
}

func (a *attributes) problem(format string, args ...any) {
	a.problems = append(a.problems, fmt.Sprintf(format, args...))
}

// take removes and returns an attribute of a type.
func take[T any](a *attributes, name string) (v T, ok bool) {
	raw, ok := a.left[name]
	if !ok {
		return v, false
	}
	delete(a.left, name)
	v, ok = raw.(T)
	if !ok {
		a.problem("attribute %s is of type %T, want %T", name, raw, v)
	}
	return v, ok
}

// int is bounded, so that sums and products of it don't overflow.
func (a *attributes) int(name string, otherwise int) int {
	v, ok := take[int64](a, name)
	if !ok {
		return otherwise
	}
	return a.bounded(name, v)
}

const maxAttribute = 1 << 28

func (a *attributes) bounded(name string, v int64) int {
	if v < -maxAttribute || v > maxAttribute {
		a.problem("attribute %s is %d", name, v)
		return 0
	}
	return int(v)
}

// ints returns nil where there is no such attribute.
func (a *attributes) ints(name string) []int {
	v, ok := take[[]int64](a, name)
	if !ok {
		return nil
	}
	out := make([]int, len(v))
	for i, n := range v {
		out[i] = a.bounded(name, n)
	}
	return out
}

// list is ints of a given length.
func (a *attributes) list(name string, otherwise ...int) []int {
	v := a.ints(name)
	if v == nil {
		return otherwise
	}
	if len(v) != len(otherwise) {
		a.problem("attribute %s is %v, want %d numbers", name, v, len(otherwise))
		return otherwise
	}
	return v
}

func (a *attributes) float(name string, otherwise float64) float64 {
	if v, ok := take[float32](a, name); ok {
		return float64(v)
	}
	return otherwise
}

// only refuses an attribute that has another value than the only one supported.
func (a *attributes) onlyInt(name string, want int) {
	if v := a.int(name, want); v != want {
		a.problem("attribute %s is %d, want %d", name, v, want)
	}
}

func (a *attributes) onlyFloat(name string, want float64) {
	if v := a.float(name, want); v != want {
		a.problem("attribute %s is %v, want %v", name, v, want)
	}
}

// done tells what can't be honoured.
func (a *attributes) done() error {
	for _, name := range slices.Sorted(maps.Keys(a.left)) {
		a.problem("attribute %s is not supported", short(name))
	}
	if a.problems == nil {
		return nil
	}
	return fmt.Errorf("%s", strings.Join(a.problems, ", "))
}
