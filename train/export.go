package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/export/pass"
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

// ExportOptions say what file an export becomes. The zero value is the plain model
// in one file.
type ExportOptions struct {
	Variant      pass.Variant
	ExternalData bool            // the weights in a file beside it, as by [export.WriteExternal]
	Runtime      runtime.Options // of the ONNX Runtime that it is held against
}

// ExportReport tells how an export came about, stage by stage.
type ExportReport struct {
	Title   string // "generator of guo-mlp after 468 steps, float16"
	Stages  []ExportStage
	Largest float64 // difference from the Gorgonia graph, as [verify.Difference] has it
}

// ExportStage is one thing that was done to a model, and what was found.
type ExportStage struct {
	Name  string
	Found []string
	Took  time.Duration
}

func (r *ExportReport) add(name string, start time.Time, found ...string) {
	r.Stages = append(r.Stages, ExportStage{name, found, time.Since(start)})
}

// last is the last comparison: of the largest batch, and of a variant with the
// plain model.
func (r *ExportReport) last() string {
	for _, s := range slices.Backward(r.Stages) {
		if s.Name == "compare" {
			return s.Found[len(s.Found)-1]
		}
	}
	return ""
}

// Export writes a network of the model as ONNX: it is checked, run on ONNX
// Runtime, and compared with the Gorgonia graph that it came from; then
// rewritten as the variant asks for, and compared with what it was. Where they
// differ by more than rounding explains, or nothing can be run, no file is
// written.
func (m *Model) Export(ctx context.Context, role arch.Role, path string, o ExportOptions) (*ExportReport, error) {
	report := &ExportReport{Title: fmt.Sprintf("%s of %s after %d steps", role, m.GAN.Name, m.Step)}
	data, err := m.verified(ctx, role, o.Runtime, report)
	if v := o.Variant; err == nil && v != (pass.Variant{}) {
		report.Title += ", " + v.String()
		data, err = m.varied(ctx, role, data, v, o.Runtime, report)
	}
	if err != nil {
		return report, fmt.Errorf("train: %s is not written: %w", path, err)
	}
	start := time.Now()
	names, err := writeModel(path, data, o.ExternalData)
	if err != nil {
		return report, err
	}
	var written []string
	for _, name := range names {
		info, err := os.Stat(filepath.Join(filepath.Dir(path), name))
		if err != nil {
			return report, fmt.Errorf("train: %w", err)
		}
		written = append(written, fmt.Sprintf("%s, %d bytes", name, info.Size()))
	}
	report.add("write", start, written...)
	return report, nil
}

// writeModel stores a serialised model, and returns the names of its files.
func writeModel(path string, data []byte, external bool) ([]string, error) {
	names := []string{filepath.Base(path)}
	if !external {
		return names, export.WriteFile(path, data)
	}
	model := new(onnxpb.ModelProto)
	if err := proto.Unmarshal(data, model); err != nil {
		return nil, err
	}
	weights, err := export.WriteExternal(path, model)
	if weights != "" {
		names = append(names, weights)
	}
	return names, err
}

// verified serialises a network and holds it against its graph.
func (m *Model) verified(ctx context.Context, role arch.Role, o runtime.Options, report *ExportReport) ([]byte, error) {
	start := time.Now()
	model, err := m.model(role)
	if err != nil {
		return nil, err
	}
	data, err := export.Marshal(model)
	if err != nil {
		return nil, err
	}
	weights, numbers := 0, 0
	for _, t := range model.Graph.Initializer {
		if t.DataType == int32(onnxpb.TensorProto_FLOAT) { // others are shapes and axes
			weights, numbers = weights+1, numbers+len(t.RawData)/4
		}
	}
	report.add("graph", start, fmt.Sprintf("%d nodes, %d weights, %d numbers, opset %d",
		len(model.Graph.Node), weights, numbers, model.OpsetImport[0].Version))
	start = time.Now()
	if err := verify.Check(model); err != nil {
		return nil, err
	}
	report.add("check", start, "each value is computed once, before it is read")
	cases, err := m.cases(role)
	if err != nil {
		return nil, err
	}
	r, err := verify.Model(ctx, data, o, cases...)
	if err != nil {
		return nil, err
	}
	report.Stages = append(report.Stages,
		ExportStage{"load", []string{"ONNX Runtime " + runtime.Version()}, r.Load},
		ExportStage{"run", []string{"batches of " + join(verifiedBatches, ", ")}, r.Run})
	report.Largest = r.Largest()
	var found []string
	for _, d := range r.Cases {
		found = append(found, fmt.Sprintf("%s at batch %d: on ONNX Runtime within %.1e of its graph, %.0e allowed", d.Output, d.Batch, d.Max, verify.Tolerance))
	}
	report.Stages = append(report.Stages, ExportStage{Name: "compare", Found: found})
	return data, nil
}

// varied rewrites a serialised network and holds it against what it was.
func (m *Model) varied(ctx context.Context, role arch.Role, plain []byte, v pass.Variant, o runtime.Options, report *ExportReport) ([]byte, error) {
	if exact := v.Exact(); v != exact && exact != (pass.Variant{}) {
		// What moves numbers is held tightly before they are rounded as well.
		if _, err := m.varied(ctx, role, plain, exact, o, report); err != nil {
			return nil, err
		}
	}
	start := time.Now()
	model, was := new(onnxpb.ModelProto), new(onnxpb.ModelProto)
	if err := errors.Join(proto.Unmarshal(plain, model), proto.Unmarshal(plain, was)); err != nil {
		return nil, err
	}
	if err := v.Apply(model); err != nil {
		return nil, err
	}
	most, mean := v.Allowed(was, model)
	if err := verify.Check(model); err != nil {
		return nil, err
	}
	data, err := export.Marshal(model)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(data, plain) {
		report.add("rewrite", start, fmt.Sprintf("%v: nothing to change", v))
		return data, nil
	}
	report.add("rewrite", start, fmt.Sprintf("%v: %d nodes, %.2f of the bytes", v, len(model.Graph.Node), float64(len(data))/float64(len(plain))))

	start = time.Now()
	before, err := runtime.Load(ctx, plain, o)
	if err != nil {
		return nil, err
	}
	defer before.Close()
	after, err := runtime.Load(ctx, data, o)
	if err != nil {
		return nil, err
	}
	defer after.Close()
	batches := verifiedBatches
	if v.Batch > 0 {
		batches = []int{v.Batch}
	}
	var found []string
	for _, batch := range batches {
		in := map[string]*tensor.Dense{}
		for _, x := range m.Inputs(role, batch) {
			for _, p := range before.Inputs() { // labels alone are whole numbers
				if p.Dtype == x.Dtype() {
					in[p.Name] = x
				}
			}
		}
		pairs, err := verify.Pairs(ctx, after, before, in)
		if err != nil {
			return nil, err
		}
		for _, p := range pairs {
			if !(p.Max <= most && p.Mean <= mean) {
				return nil, fmt.Errorf("as %v, %s at batch %d departs from the plain model by %.2g at most and %.2g on average, more than %.2g and %.2g allowed",
					v, p.Output, p.Batch, p.Max, p.Mean, most, mean)
			}
			found = append(found, departure(p, most, mean))
		}
	}
	report.add("compare", start, found...)
	return data, nil
}

// departure tells how far a variant lies from the plain model.
func departure(p verify.Pair, most, mean float64) string {
	s := fmt.Sprintf("%s at batch %d: within %.1e of the plain model's", p.Output, p.Batch, p.Max)
	if !math.IsInf(most, 1) {
		s += fmt.Sprintf(" (%.1e allowed)", most)
	}
	s += fmt.Sprintf(", %.1e on average", p.Mean)
	if math.IsInf(most, 1) {
		s += fmt.Sprintf(" (%.1e allowed)", mean)
	}
	if p.Levels > 0 {
		s += fmt.Sprintf(", %.1f levels of 255", p.Levels)
	}
	return s
}

// ONNX serialises a network of the model. The same model gives the same bytes.
func (m *Model) ONNX(role arch.Role) ([]byte, error) {
	model, err := m.model(role)
	if err != nil {
		return nil, err
	}
	return export.Marshal(model)
}

// model is a network of the model as ONNX.
func (m *Model) model(role arch.Role) (*onnxpb.ModelProto, error) {
	// Any batch size does: the axis becomes symbolic.
	g, err := nn.NewInference(role, m.network(role), m.Weights(role), 1)
	if err != nil {
		return nil, err
	}
	// OpenCV 4 reads a symbolic batch of an image as another one than that of a label
	// behind it.
	inputs := slices.Clone(g.Inputs)
	slices.SortStableFunc(inputs, func(a, b export.Port) int { return a.Node.Dims() - b.Node.Dims() })
	return export.Graph(export.Model{
		Name:            string(role),
		Inputs:          inputs,
		Outputs:         g.Outputs,
		BatchAxis:       "batch",
		Producer:        "gantrain",
		ProducerVersion: Version(),
		Metadata:        m.info(role).Map(),
	})
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
	if info.Classes = m.classes(role); info.Classes > 0 {
		info.ClassNames = m.ClassNames
	}
	return info
}

// classes is of how many a network's labels are, 0 where it takes none.
func (m *Model) classes(role arch.Role) int {
	if m.network(role).Conditional() {
		return m.GAN.Classes
	}
	return 0
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
	if m.classes(role) > 0 {
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
