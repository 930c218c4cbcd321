package train

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/gantrain/gantrain/internal/safefile"
	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train/op"
)

// Report is run.json: what was asked of a run, and how far it came.
type Report struct {
	Status    Status           `json:"status"`
	GAN       string           `json:"gan"`
	Variant   string           `json:"variant,omitempty"`
	Arguments string           `json:"arguments,omitempty"` // what differs from the published recipe
	Seed      uint64           `json:"seed"`
	Engine    Engine           `json:"engine"`
	Provider  runtime.Provider `json:"provider,omitempty"` // that ran ONNX Runtime's part; none on the tape
	Goal      int              `json:"goal"`               // steps
	Step      int              `json:"step"`               // of the newest checkpoint
	Losses    []float64        `json:"losses,omitempty"`
	Data      Data             `json:"data"`
	Versions  Versions         `json:"versions"`
	// NotExported says why the newest checkpoint has no models beside it.
	NotExported string `json:"not_exported,omitempty"`
}

// Status says whether a run has ended, and how.
type Status string

const (
	Running     Status = "running" // or was killed
	Interrupted Status = "interrupted"
	Finished    Status = "finished"
	Failed      Status = "failed"
)

// Data is what a run is trained on.
type Data struct {
	Name    string `json:"name"`
	Path    string `json:"path,omitempty"` // of one's own data; else it is the published one of that name
	Licence string `json:"licence,omitempty"`
	Images  int    `json:"images"`
	SHA256  string `json:"sha256"`                  // of the pixels or points
	Labels  string `json:"labels_sha256,omitempty"` // where the GAN takes labels
	// ClassNames are what the labels from 0 on stand for, where they have names.
	ClassNames []string `json:"class_names,omitempty"`
}

// Versions are those of the parts that numbers depend on.
type Versions struct {
	Gantrain string `json:"gantrain"`
	Gorgonia string `json:"gorgonia"`
	Go       string `json:"go"`
	Compute  string `json:"compute"` // what computes the steps: "ONNX Runtime 1.24.4 (cpu)", or the tape's BLAS
}

func newReport(m *Model, data Examples, goal int, source string, e Engine) Report {
	if e == "" {
		e = ORT
	}
	name, licence := data.About()
	return Report{
		Status: Running, GAN: m.GAN.Name, Variant: m.GAN.Variant, Arguments: m.Arguments,
		Seed: m.Seed, Engine: e, Goal: goal,
		Data: Data{
			Name: name, Path: source, Licence: licence, Images: data.Len(), SHA256: data.Sum(), Labels: labelSum(m.GAN, data), ClassNames: m.ClassNames,
		},
	}
}

// versions are known once an engine has compiled a step.
func versions(e Engine, p runtime.Provider) Versions {
	v := Versions{Gantrain: Version(), Compute: op.BLAS()}
	if e == ORT {
		v.Compute = fmt.Sprintf("ONNX Runtime %s (%s)", runtime.Version(), p)
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		v.Go = info.GoVersion
		for _, d := range info.Deps {
			if d.Path == "gorgonia.org/gorgonia" {
				v.Gorgonia = d.Version
			}
		}
	}
	return v
}

const maxReport = 1 << 20 // bytes; a report has some hundred

// ReadReport reads the report of a run folder.
func ReadReport(folder string) (Report, error) {
	var r Report
	path := filepath.Join(folder, "run.json")
	f, err := os.Open(path)
	if err != nil {
		return r, fmt.Errorf("train: %s is no run folder: %w", folder, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxReport))
	if err != nil {
		return r, fmt.Errorf("train: %w", err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("train: %s is no report of a run: %w", path, err)
	}
	if r.GAN == "" || r.Status == "" {
		return r, fmt.Errorf("train: %s is no report of a run: it names no GAN or no status", path)
	}
	return r, nil
}

func (r Report) write(folder string) error {
	err := safefile.Write(filepath.Join(folder, "run.json"), func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	})
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}

// check holds a checkpoint and the data against what the run began with.
func (r Report) check(m *Model, data Examples) error {
	switch {
	case m.GAN.Name != r.GAN || m.Seed != r.Seed:
		return fmt.Errorf("its checkpoint is of %s, seed %d; run.json says %s, seed %d", m.GAN.Name, m.Seed, r.GAN, r.Seed)
	case r.Engine != ORT && r.Engine != Tape:
		return fmt.Errorf("it was trained on engine %q, want %q or %q", r.Engine, ORT, Tape)
	case data.Len() == r.Data.Images && data.Sum() != r.Data.SHA256:
		return fmt.Errorf("it was trained on other images of %s than there are now", r.Data.Name)
	case data.Len() == r.Data.Images && labelSum(m.GAN, data) != r.Data.Labels:
		return fmt.Errorf("it was trained on other labels of %s than there are now", r.Data.Name)
	case data.Len() != r.Data.Images:
		return fmt.Errorf("it was trained on %d images of %s; there are %d now", r.Data.Images, r.Data.Name, data.Len())
	}
	return nil
}
