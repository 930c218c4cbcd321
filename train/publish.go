package train

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/export/pass"
	"github.com/gantrain/gantrain/internal/safefile"
	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/runtime/latent"
	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/checkpoint"
	"github.com/gantrain/gantrain/train/record"
)

//go:embed card.md
var cardText string

//go:embed config.pbtxt
var tritonText string

var publishTemplates = template.Must(template.New("card").Funcs(template.FuncMap{
	"join":  strings.Join,
	"shape": func(s arch.Shape) string { return join(s, "x") },
}).Parse(cardText))

func init() { template.Must(publishTemplates.New("triton").Parse(tritonText)) }

// published is what the texts of a published generator are made of.
type published struct {
	GAN, Title      string
	Step            int
	Dataset         string
	Licence         string
	Latent, Classes int
	Uniform, Points bool
	Shape           []string // of a picture or a point
	Min, Max        float64
	Samples         string // a picture of the run; empty where it has none
	Asked, Results  []record.Fact
	Layers          []arch.Row
	Sizes           []string // of the files under onnx/, and how far each is from the first
}

// Publish makes a new folder of a run's newest generator, whole or not at all:
//
//	README.md                   a model card, with front matter that model hubs read
//	samples.png                 the newest samples, where the run has drawn some
//	model.safetensors           the weights
//	onnx/model.onnx             and, in half precision and with bytes for weights,
//	onnx/model_fp16.onnx
//	onnx/model_int8.onnx
//	triton/NAME/config.pbtxt    for NVIDIA's Triton server: give it the folder triton
//	triton/NAME/1/model.onnx
//
// Each model is verified like any export.
func Publish(ctx context.Context, run, folder string, o runtime.Options) error {
	folder = filepath.Clean(folder)
	if _, err := os.Lstat(folder); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("train: %s exists: want a new folder", folder)
	}
	report, err := ReadReport(run)
	if err != nil {
		return err
	}
	m, err := LatestModel(run)
	if err != nil {
		return err
	}
	if m.Step < report.Step {
		return fmt.Errorf("train: %s came to step %d, its newest checkpoint is of step %d: 'gantrain resume' trains the steps between", run, report.Step, m.Step)
	}
	temp, err := os.MkdirTemp(filepath.Dir(folder), "."+filepath.Base(folder)+".*.tmp")
	if err != nil {
		return fmt.Errorf("train: %s: %w", folder, safefile.Reason(err))
	}
	err = m.publish(ctx, run, temp, report, o)
	if err == nil {
		err = os.Chmod(temp, 0o755)
	}
	if err == nil {
		err = os.Rename(temp, folder)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(temp))
	}
	return nil
}

func (m *Model) publish(ctx context.Context, run, folder string, report Report, o runtime.Options) error {
	served := filepath.Join(folder, "triton", m.GAN.Name)
	for _, dir := range []string{filepath.Join(folder, "onnx"), filepath.Join(served, "1")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("train: %w", err)
		}
	}
	p, err := m.published(run, report)
	if err != nil {
		return err
	}
	for _, file := range []struct {
		name    string
		variant pass.Variant
	}{{"model.onnx", pass.Variant{}}, {"model_fp16.onnx", pass.Variant{Float16: true}}, {"model_int8.onnx", pass.Variant{Int8: true}}} {
		path := filepath.Join(folder, "onnx", file.name)
		r, err := m.Export(ctx, arch.Generator, path, ExportOptions{Variant: file.variant, Runtime: o})
		if errors.Is(err, pass.ErrNoLargeWeights) {
			continue
		}
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("train: %w", err)
		}
		p.Sizes = append(p.Sizes, fmt.Sprintf("| `onnx/%s` | %.1f MB | %s |", file.name, float64(info.Size())/1e6, r.last()))
	}
	if p.Samples != "" {
		if err := copyFile(p.Samples, filepath.Join(folder, "samples.png")); err != nil {
			return err
		}
	}
	weights, err := m.generatorWeights()
	if err != nil {
		return err
	}
	return errors.Join(
		copyFile(filepath.Join(folder, "onnx", "model.onnx"), filepath.Join(served, "1", "model.onnx")),
		safefile.Write(filepath.Join(served, "config.pbtxt"), func(w io.Writer) error { return publishTemplates.ExecuteTemplate(w, "triton", p) }),
		checkpoint.Write(filepath.Join(folder, "model.safetensors"), checkpoint.Checkpoint{
			Metadata: map[string]string{"format": "pt", "architecture": m.GAN.Name}, Tensors: weights,
		}),
		safefile.Write(filepath.Join(folder, "README.md"), func(w io.Writer) error { return publishTemplates.ExecuteTemplate(w, "card", p) }),
	)
}

func (m *Model) published(run string, report Report) (published, error) {
	gan := m.GAN
	report.Goal = m.Step // of a run that did not come to its goal
	p := published{
		GAN: gan.Name, Title: gan.Title, Step: m.Step, Dataset: m.Dataset, Licence: m.Licence,
		Latent: gan.Latent.Size, Classes: m.classes(arch.Generator), Uniform: gan.Latent.Distribution == string(latent.Uniform),
		Points: !gan.Image.Picture(), Min: gan.Min, Max: gan.Max, Asked: asked(report),
	}
	for _, s := range gan.Image {
		p.Shape = append(p.Shape, fmt.Sprint(s))
	}
	var err error
	if p.Samples, err = m.newestSamples(run); err != nil {
		return p, err
	}
	table, err := record.ReadLosses(filepath.Join(run, "losses.csv"))
	if err != nil {
		return p, err
	}
	p.Results = finalNumbers(table.Until(m.Step))
	p.Layers, err = gan.Generator.Rows()
	return p, err
}

// generatorWeights are those that the exported generator has, under the names
// that a checkpoint has them under.
func (m *Model) generatorWeights() (map[string]*tensor.Dense, error) {
	all, err := parameters(m.GAN)
	if err != nil {
		return nil, err
	}
	values, out := m.Weights(arch.Generator), map[string]*tensor.Dense{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if strings.HasPrefix(name, string(arch.Generator)+"/") {
			out[name] = values[name]
		}
	}
	return out, nil
}

// newestSamples is the newest picture of samples that a run has made by the step
// of the model, empty where it has none yet, or makes none.
func (m *Model) newestSamples(run string) (string, error) {
	found, err := fs.Glob(os.DirFS(run), "samples/step-*.png")
	if err != nil {
		return "", fmt.Errorf("train: %s: %w", run, err)
	}
	found = slices.DeleteFunc(found, func(name string) bool { return name > samplesName(m.Step) })
	if len(found) == 0 {
		return "", nil
	}
	return filepath.Join(run, slices.Max(found)), nil
}

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return safefile.Write(to, func(w io.Writer) error { _, err := w.Write(content); return err })
}
