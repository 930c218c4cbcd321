// Package engine runs training steps.
//
// A step is a list of updates. An update is a pure function, written as one
// Gorgonia graph with one loss: it reads the state and what is fed to it, and
// gives the loss and new values for a part of the state. An engine compiles
// the list and runs it, step after step.
package engine

import (
	"fmt"
	"maps"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
)

// Update is one graph of a step.
type Update struct {
	Name   string // in errors
	Inputs []export.Port
	Loss   *gorgonia.Node // a scalar
	Report []export.Port  // scalars besides the loss, each under a name of its own in the step
	New    []export.Port  // named as the state that they replace
}

// Step is what an engine repeats.
type Step struct {
	Updates []Update
	// Simultaneous: all updates read the state as it was before the step.
	// Otherwise an update reads what the one before it wrote.
	Simultaneous bool
}

// State holds the arrays that go from one step into the next, by name.
type State map[string]*tensor.Dense

// Clone copies the state.
func (s State) Clone() State {
	out := State{}
	for name, v := range s {
		out[name] = v.Clone().(*tensor.Dense)
	}
	return out
}

// Names lists the state's names in order.
func (s State) Names() []string { return slices.Sorted(maps.Keys(s)) }

// Feed holds the inputs of one step that are not state: real images, noise,
// labels, masks, rates (gorgonia scalars), by name.
type Feed map[string]gorgonia.Value

// Program is a compiled step.
type Program interface {
	// Run performs the step and returns the loss of each update, each from its
	// own forward pass, before its update, then what the updates report.
	Run(Feed) ([]float64, error)
	// Rows says that an input is best fed as [features, batch], and in which
	// order of the features, counted as they lie in the plan's [batch,
	// features...]; nil if that is the best. Both are taken.
	Rows(input string) []int
	// Load takes up the state from its arrays, after somebody else changed them;
	// Store writes it there. Between the two a program may keep it elsewhere, and
	// the arrays may hold anything.
	Load() error
	Store() error
	Close() error
}

// check reports new state without a place. What else an input may read is fed.
func (s Step) check(state State) error {
	for _, u := range s.Updates {
		for _, p := range u.New {
			v, ok := state[p.Name]
			if !ok {
				return fmt.Errorf("engine: %s: writes %q, which is not part of the state", u.Name, p.Name)
			}
			if !slices.Equal(v.Shape(), p.Node.Shape()) {
				return fmt.Errorf("engine: %s: writes %q with shape %v, the state has %v", u.Name, p.Name, p.Node.Shape(), v.Shape())
			}
		}
	}
	return nil
}

// copyValues copies the elements of an array into another of its type and size.
func copyValues(to, from gorgonia.Value) {
	switch v := from.Data().(type) {
	case []float32:
		copy(to.Data().([]float32), v)
	case []float64:
		copy(to.Data().([]float64), v)
	case []uint8:
		copy(to.Data().([]uint8), v)
	case []int64:
		copy(to.Data().([]int64), v)
	}
}
