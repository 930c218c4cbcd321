package runtime

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gorgonia.org/tensor"
)

// CheckInputs compares what Run was given with what the model wants, so that
// the error can name the input. ONNX Runtime checks the same less clearly, and
// not that axes of one name agree: it may broadcast one array to the other.
func CheckInputs(ports []Port, in map[string]*tensor.Dense) error {
	type axis struct {
		input string
		size  int
	}
	named := map[string]axis{}
	for _, p := range ports {
		d, ok := in[p.Name]
		if !ok || d == nil {
			return fmt.Errorf("input %q is missing: expected %v", p.Name, p)
		}
		if d.Dtype() != p.Dtype {
			return fmt.Errorf("input %q is of type %v: expected %v", p.Name, d.Dtype(), p)
		}
		if !p.fits(d.Shape()) {
			return fmt.Errorf("input %q has shape %v: expected %v", p.Name, []int(d.Shape()), p)
		}
		for i, name := range p.Dims {
			if name == "" {
				continue
			}
			first, seen := named[name]
			if !seen {
				named[name] = axis{p.Name, d.Shape()[i]}
			} else if first.size != d.Shape()[i] {
				return fmt.Errorf("input %q has %s %d, but %q has %d", p.Name, name, d.Shape()[i], first.input, first.size)
			}
		}
	}
	if len(in) == len(ports) {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(in)) {
		if !slices.ContainsFunc(ports, func(p Port) bool { return p.Name == name }) {
			return fmt.Errorf("no input is called %q: expected %s", name, names(ports))
		}
	}
	return nil
}

func names(ports []Port) string {
	all := make([]string, len(ports))
	for i, p := range ports {
		all[i] = fmt.Sprintf("%q", p.Name)
	}
	return strings.Join(all, ", ")
}
