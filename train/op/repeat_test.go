package op_test

import (
	goruntime "runtime"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// checkRepeatable runs a row and its gradients again and on other numbers of
// cores: every run gives the same bytes, leaves the operands alone and shares no
// memory with them.
func checkRepeatable(t *testing.T, r row, values []array) {
	t.Helper()
	defer goruntime.GOMAXPROCS(goruntime.GOMAXPROCS(0))
	m := newMachine(t, r, tensor.Float32, values)
	before := contents(m.in)
	m.run(t)
	d := newGradients(t, r, tensor.Float32, values, outputWeight(m.last().Shape()))
	for _, g := range d.of {
		if g != nil {
			d.keep(g)
		}
	}
	d.compile(t)
	var first string
	for _, cores := range []int{1, 1, 2, 5} {
		goruntime.GOMAXPROCS(cores)
		m.run(t)
		d.run(t)
		var got strings.Builder
		got.WriteString(bytesOf(m.last()))
		for _, g := range d.of {
			if g != nil {
				got.WriteString(bytesOf(*d.read[g]))
			}
		}
		if first == "" {
			first = got.String()
		}
		if got.String() != first {
			t.Errorf("another run, on %d cores, gives other bytes", cores)
		}
		wreck(m.last())
		backward := contents(d.in)
		for i, v := range contents(m.in) {
			if v != before[i] || backward[i] != v {
				t.Fatalf("operand %d is not what it was before the run", i)
			}
		}
	}
}

func contents(nodes []*gorgonia.Node) []string {
	out := make([]string, len(nodes))
	for i, n := range nodes {
		out[i] = bytesOf(n.Value())
	}
	return out
}

// wreck overwrites a result, as an operator that works in place would.
func wreck(v gorgonia.Value) {
	if data, ok := v.Data().([]float32); ok {
		for i := range data {
			data[i] = -1e30
		}
	}
}
