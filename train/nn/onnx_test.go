package nn_test

import (
	"fmt"
	"strings"
	"testing"
	"text/tabwriter"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/export/verify"
	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/nn"
)

// TestPublishedNetworksOnONNXRuntime runs every published network at full size,
// with biases and statistics away from their starts, on Gorgonia and on ONNX
// Runtime. With -v it prints the largest differences.
func TestPublishedNetworksOnONNXRuntime(t *testing.T) {
	batches := []int{1, 2, 5}
	var report strings.Builder
	table := tabwriter.NewWriter(&report, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "network\tbatch 1\tbatch 2\tbatch 5")
	for _, p := range arch.All() {
		for role, net := range map[arch.Role]arch.Network{arch.Generator: p.Generator, arch.Discriminator: p.Discriminator} {
			values := used(t, role, net)
			session := exported(t, role, net, values)
			fmt.Fprintf(table, "%s %s", p.Name, role)
			for _, n := range batches {
				g, err := nn.NewInference(role, net, values, n)
				if err != nil {
					t.Fatal(err)
				}
				x := []*tensor.Dense{single(n, net.Input)}
				if labels := labelsOf(n, net); labels != nil {
					x = append(x, tensor.New(tensor.WithShape(n, 1), tensor.WithBacking(labels)))
				}
				want, err := g.Run(x...)
				if err != nil {
					t.Fatal(err)
				}
				feed := map[string]*tensor.Dense{}
				for i, p := range g.Inputs {
					feed[p.Name] = x[i]
				}
				got, err := session.Run(t.Context(), feed)
				if err != nil {
					t.Fatal(err)
				}
				worst := 0.0
				for i, output := range g.Outputs {
					d, err := verify.Compare(got[output.Name], want[i])
					if err != nil {
						t.Fatal(err)
					}
					if !(d <= 1e-5) { // as promised; float32 on both sides, sums of up to 12800 terms
						t.Errorf("%s %s at batch %d: ONNX Runtime departs from Gorgonia by %.1e in %s", p.Name, role, n, d, output.Name)
					}
					worst = max(worst, d)
				}
				fmt.Fprintf(table, "\t%.1e", worst)
			}
			fmt.Fprintln(table)
		}
	}
	table.Flush()
	t.Logf("largest difference between Gorgonia and ONNX Runtime:\n%s", &report)
}

// exported opens a network on ONNX Runtime, built at a batch size that no case
// has.
func exported(t *testing.T, role arch.Role, net arch.Network, values map[string]*tensor.Dense) *runtime.Session {
	t.Helper()
	g, err := nn.NewInference(role, net, values, 3)
	if err != nil {
		t.Fatal(err)
	}
	model, err := export.Graph(export.Model{Name: string(role), Inputs: g.Inputs, Outputs: g.Outputs, BatchAxis: "batch"})
	if err != nil {
		t.Fatal(err)
	}
	data, err := export.Marshal(model)
	if err != nil {
		t.Fatal(err)
	}
	session, err := runtime.Load(t.Context(), data, runtime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	return session
}

// single is batch in float32.
func single(n int, shape arch.Shape) *tensor.Dense {
	x, _ := batch(n, shape)
	data := make([]float32, x.Size())
	for i, v := range x.Data().([]float64) {
		data[i] = float32(v)
	}
	return tensor.New(tensor.WithShape(x.Shape()...), tensor.WithBacking(data))
}
