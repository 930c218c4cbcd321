package train

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/checkpoint"
	"github.com/gantrain/gantrain/train/engine"
	"github.com/gantrain/gantrain/train/record"
)

// Model is a GAN with its weights, moments and statistics at some step, and
// what has to be known to go on from there or to export it.
type Model struct {
	GAN     arch.GAN
	State   engine.State
	Step    int // steps done
	Seed    uint64
	Dataset string
	Licence string // of the data set
	// ClassNames are what the data set calls its classes, where it does.
	ClassNames []string
	// Arguments are the settings that differ from the published recipe, as
	// "batch=64".
	Arguments string
	// Plain: exports are of the generator's weights themselves, not of their
	// running average.
	Plain bool
	// Watch has seen the run so far.
	Watch record.Watch
}

// Weights are the values of a network's parameters for use: of the generator the
// running averages, where the recipe keeps some.
func (m *Model) Weights(role arch.Role) map[string]*tensor.Dense {
	if role != arch.Generator || !m.averaged() {
		return m.State
	}
	out := maps.Clone(m.State)
	for name := range out {
		if average, ok := m.State[averageName(name)]; ok {
			out[name] = average
		}
	}
	return out
}

// Sum is a checksum of the model's weights and statistics, in a few letters.
func (m *Model) Sum() (string, error) {
	names, err := parameters(m.GAN)
	if err != nil {
		return "", fmt.Errorf("train: %s: %w", m.GAN.Name, err)
	}
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(names)) {
		fmt.Fprintln(sum, name, names[name])
		if err := binary.Write(sum, binary.LittleEndian, floats(m.State[name])); err != nil {
			return "", fmt.Errorf("train: %s: %w", name, err)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:6]), nil
}

// averaged reports whether exports are of running averages.
func (m *Model) averaged() bool { return m.GAN.Recipe.EMA > 0 && !m.Plain }

// Save writes a checkpoint.
func (m *Model) Save(path string) error {
	gan, err := json.Marshal(m.GAN)
	if err != nil {
		return fmt.Errorf("train: %s: %w", path, err)
	}
	watch, err := json.Marshal(m.Watch)
	if err != nil {
		return fmt.Errorf("train: %s: %w", path, err)
	}
	names, err := json.Marshal(m.ClassNames)
	if err != nil {
		return fmt.Errorf("train: %s: %w", path, err)
	}
	return checkpoint.Write(path, checkpoint.Checkpoint{
		Metadata: map[string]string{
			"format":    "gantrain 1",
			"gan":       string(gan),
			"step":      strconv.Itoa(m.Step),
			"seed":      strconv.FormatUint(m.Seed, 10),
			"dataset":   m.Dataset,
			"licence":   m.Licence,
			"arguments": m.Arguments,
			"classes":   string(names),
			"watch":     string(watch),
		},
		Tensors: m.State,
	})
}

// LoadModel reads a checkpoint. A file that is damaged, that is no checkpoint
// of ours, or whose arrays are not those of its GAN is an error that says so.
func LoadModel(path string) (*Model, error) {
	c, err := checkpoint.Read(path)
	if err != nil {
		return nil, err
	}
	m, err := newModel(c)
	if err != nil {
		return nil, fmt.Errorf("train: %s: %w", path, err)
	}
	return m, nil
}

func newModel(c checkpoint.Checkpoint) (*Model, error) {
	if format := c.Metadata["format"]; format != "gantrain 1" {
		return nil, fmt.Errorf("not a checkpoint of this program: its format is %q, want %q", format, "gantrain 1")
	}
	m := &Model{
		State: c.Tensors, Dataset: c.Metadata["dataset"], Licence: c.Metadata["licence"],
		Arguments: c.Metadata["arguments"],
	}
	if err := json.Unmarshal([]byte(c.Metadata["gan"]), &m.GAN); err != nil {
		return nil, fmt.Errorf("its architecture can't be read: %w", err)
	}
	if err := m.GAN.Check(); err != nil {
		return nil, fmt.Errorf("its architecture: %w", err)
	}
	if names := c.Metadata["classes"]; names != "" { // older ones have none
		if err := json.Unmarshal([]byte(names), &m.ClassNames); err != nil {
			return nil, fmt.Errorf("the names of its classes can't be read: %w", err)
		}
	}
	if err := m.checkClassNames(); err != nil {
		return nil, err
	}
	if watch := c.Metadata["watch"]; watch != "" { // older ones have none
		if err := json.Unmarshal([]byte(watch), &m.Watch); err != nil {
			return nil, fmt.Errorf("what its run's watch has seen can't be read: %w", err)
		}
	}
	var err error
	if m.Step, err = strconv.Atoi(c.Metadata["step"]); err != nil || m.Step < 0 {
		return nil, fmt.Errorf("its step is %q, want a number from 0", c.Metadata["step"])
	}
	if m.Seed, err = strconv.ParseUint(c.Metadata["seed"], 10, 64); err != nil {
		return nil, fmt.Errorf("its seed is %q, want a number from 0", c.Metadata["seed"])
	}
	return m, m.check()
}

func (m *Model) checkClassNames() error {
	if len(m.ClassNames) > m.GAN.Classes {
		return fmt.Errorf("it names %d classes, and has %d", len(m.ClassNames), m.GAN.Classes)
	}
	return nil
}

// check holds the state against the arrays that the GAN wants.
func (m *Model) check() error {
	want, err := shapes(m.GAN)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(want)) { // the same file, the same error
		shape := want[name]
		v, ok := m.State[name]
		switch {
		case !ok:
			return fmt.Errorf("array %q is missing", name)
		case !slices.Equal(v.Shape(), shape) || v.Dtype() != tensor.Float32:
			return fmt.Errorf("array %q holds %v %v, want %v float32", name, v.Shape(), v.Dtype(), shape)
		}
	}
	if len(m.State) != len(want) {
		return fmt.Errorf("holds %d arrays, want %d", len(m.State), len(want))
	}
	return nil
}

// finite reports whether every value of the state is a finite number.
func (m *Model) finite() bool {
	for _, v := range m.State {
		for _, x := range v.Data().([]float32) {
			if x64 := float64(x); math.IsNaN(x64) || math.IsInf(x64, 0) {
				return false
			}
		}
	}
	return true
}

// MaxSteps is the longest that a run can be: the names of its checkpoints sort
// by nine digits.
const MaxSteps = 999_999_999

// checkpointName is the file of a step's checkpoint. Names sort by step.
func checkpointName(step int) string { return fmt.Sprintf("step-%09d.safetensors", step) }

// Checkpoints lists the checkpoints of a run folder, oldest first.
func Checkpoints(run string) ([]string, error) {
	folder := filepath.Join(run, "checkpoints")
	entries, err := os.ReadDir(folder) // sorted
	if err != nil {
		return nil, fmt.Errorf("train: %s is no run folder: %w", run, err)
	}
	var found []string
	for _, e := range entries {
		if ok, _ := filepath.Match("step-*.safetensors", e.Name()); ok {
			found = append(found, filepath.Join(folder, e.Name()))
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("train: %s holds no checkpoint", folder)
	}
	return found, nil
}
