package train

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/export/verify"
	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/runtime/latent"
	"github.com/gantrain/gantrain/runtime/modelinfo"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/nn"
)

// verifiedBatches are the batch sizes at which an export is run before it is
// written: one, and two that share no factor.
var verifiedBatches = []int{1, 2, 5}

// Export writes a network of the model as ONNX, after running it on ONNX
// Runtime and comparing it with the Gorgonia graph that it came from. Where
// they differ, or nothing can be run, no file is written.
func (m *Model) Export(ctx context.Context, role arch.Role, path string, o runtime.Options) (verify.Report, error) {
	data, report, err := m.verified(ctx, role, o)
	if err != nil {
		return report, fmt.Errorf("train: %s is not written: %w", path, err)
	}
	return report, export.WriteFile(path, data)
}

// verified serialises a network and holds it against its graph.
func (m *Model) verified(ctx context.Context, role arch.Role, o runtime.Options) ([]byte, verify.Report, error) {
	data, err := m.ONNX(role)
	if err != nil {
		return nil, verify.Report{}, err
	}
	cases, err := m.cases(role)
	if err != nil {
		return nil, verify.Report{}, err
	}
	report, err := verify.Model(ctx, data, o, cases...)
	return data, report, err
}

// ONNX serialises a network of the model. The same model gives the same bytes.
func (m *Model) ONNX(role arch.Role) ([]byte, error) {
	// Any batch size does: the axis becomes symbolic.
	g, err := nn.NewInference(role, m.network(role), m.Weights(role), 1)
	if err != nil {
		return nil, err
	}
	// OpenCV 4 reads a symbolic batch of an image as another one than that of a label
	// behind it.
	inputs := slices.Clone(g.Inputs)
	slices.SortStableFunc(inputs, func(a, b export.Port) int { return a.Node.Dims() - b.Node.Dims() })
	model, err := export.Graph(export.Model{
		Name:            string(role),
		Inputs:          inputs,
		Outputs:         g.Outputs,
		BatchAxis:       "batch",
		Producer:        "gantrain",
		ProducerVersion: Version(),
		Metadata:        m.info(role).Map(),
	})
	if err != nil {
		return nil, err
	}
	return export.Marshal(model)
}

func (m *Model) network(role arch.Role) arch.Network {
	if role == arch.Generator {
		return m.GAN.Generator
	}
	return m.GAN.Discriminator
}

func (m *Model) info(role arch.Role) modelinfo.Info {
	info := modelinfo.Info{
		Architecture: m.GAN.Name, Variant: m.GAN.Variant, Network: string(role),
		Min: m.GAN.Min, Max: m.GAN.Max,
		Dataset: m.Dataset, DatasetLicence: m.Licence,
		Seed: m.Seed, Step: m.Step, Arguments: m.Arguments,
	}
	if role == arch.Generator {
		info.Latent, info.Distribution = m.GAN.Latent.Size, latent.Distribution(m.GAN.Latent.Distribution)
		if m.averaged() {
			info.Average = m.GAN.Recipe.EMA
		}
	}
	if m.network(role).Conditional() {
		info.Classes = m.GAN.Classes
	}
	return info
}

// cases are inputs of a network with what the graph makes of them.
func (m *Model) cases(role arch.Role) ([]verify.Case, error) {
	var cases []verify.Case
	for _, batch := range verifiedBatches {
		g, err := nn.NewInference(role, m.network(role), m.Weights(role), batch)
		if err != nil {
			return nil, err
		}
		in := m.Inputs(role, batch)
		out, err := g.Run(in...)
		if err != nil {
			return nil, err
		}
		c := verify.Case{Inputs: map[string]*tensor.Dense{}, Want: map[string]*tensor.Dense{}}
		for i, p := range g.Inputs {
			c.Inputs[p.Name] = in[i]
		}
		for i, p := range g.Outputs {
			c.Want[p.Name] = out[i]
		}
		cases = append(cases, c)
	}
	return cases, nil
}

// Inputs are a batch of inputs for a network, in its order: latent vectors, or
// noise over the whole range of pixels, and labels where it takes them. They
// depend on the seed.
func (m *Model) Inputs(role arch.Role, batch int) []*tensor.Dense {
	in := []*tensor.Dense{m.example(role, batch)}
	if m.network(role).Conditional() {
		in = append(in, m.exampleLabels(batch))
	}
	return in
}

// example is a batch of inputs: latent vectors, or noise over the whole range
// of pixels, normal where there are none.
func (m *Model) example(role arch.Role, batch int) *tensor.Dense {
	shape, values := m.network(role).Input, m.GAN.Latent
	pixels := role == arch.Discriminator && shape.Picture()
	switch {
	case pixels:
		values = arch.Latent{Size: shape.Size(), Distribution: string(latent.Uniform)}
	case role == arch.Discriminator:
		values = arch.Latent{Size: shape.Size(), Distribution: string(latent.Normal)}
	}
	x := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(append([]int{batch}, shape...)...))
	fillNoise(floats(x), values, m.Seed, pictureStream, 0)
	if pixels {
		for i, u := range floats(x) { // from [-1, 1]
			floats(x)[i] = float32(m.GAN.Min + (float64(u)+1)/2*(m.GAN.Max-m.GAN.Min))
		}
	}
	return x
}

// exampleLabels are classes one after the other, from another one on in a batch
// of another size.
func (m *Model) exampleLabels(batch int) *tensor.Dense {
	x := tensor.New(tensor.Of(tensor.Int64), tensor.WithShape(batch, 1))
	for i := range batch {
		labels(x)[i] = int64((batch + i) % m.GAN.Classes)
	}
	return x
}

// Version is the version of the module, as the Go toolchain stamped it.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
