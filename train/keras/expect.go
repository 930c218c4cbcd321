package keras

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/internal/safefile"
)

// recording is what Keras itself has computed: files of NumPy arrays beside each
// other.
type recording struct {
	folder, stem    string
	inputs, outputs map[string]string // files, by the graph's names
}

// findRecording finds STEM.in.*.npy and STEM.out.*.npy of a model STEM.onnx.
// Which is which says a models*.json in the folder or one of the two above it;
// else their shapes.
func findRecording(folder, model string, n *network) (*recording, error) {
	r := &recording{folder: folder, stem: strings.TrimSuffix(filepath.Base(model), ".onnx"), inputs: map[string]string{}, outputs: map[string]string{}}
	var inputs, outputs []stored
	for _, in := range n.inputs {
		inputs = append(inputs, stored{name: in.name, dims: in.dims})
	}
	for _, o := range n.outputs {
		outputs = append(outputs, o.stored)
	}
	listed, err := r.listed()
	if err != nil {
		return nil, err
	}
	for _, side := range []struct {
		kind   string
		ports  []stored
		listed []listedFile
		to     map[string]string
	}{{"in", inputs, listed.Inputs, r.inputs}, {"out", outputs, listed.Outputs, r.outputs}} {
		files, err := filepath.Glob(filepath.Join(escapeGlob(folder), escapeGlob(r.stem)+"."+side.kind+".*.npy"))
		if err != nil {
			return nil, err
		}
		if len(files) != len(side.ports) {
			return nil, fmt.Errorf("%s: holds %d files %s.%s.*.npy, %s has %d", folder, len(files), r.stem, side.kind, filepath.Base(model), len(side.ports))
		}
		for _, p := range side.ports {
			file, err := choose(p, files, side.listed)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", folder, err)
			}
			side.to[p.name] = file
		}
	}
	return r, nil
}

// escapeGlob keeps a path from being taken as a pattern.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// listing is what a models.json says of a model.
type listing struct {
	Folder  string       `json:"dir"`
	Network string       `json:"net"`
	Inputs  []listedFile `json:"inputs"`
	Outputs []listedFile `json:"outputs"`
}

type listedFile struct {
	ONNX string `json:"onnx"` // name in the graph
	File string `json:"file"`
}

const maxListing = 1 << 20 // bytes

// listed looks for the model in a models*.json.
func (r *recording) listed() (listing, error) {
	folder, err := filepath.Abs(r.folder)
	if err != nil {
		return listing{}, err
	}
	for up := range 3 {
		above := filepath.Join(folder, strings.Repeat("../", up))
		files, err := filepath.Glob(filepath.Join(escapeGlob(above), "models*.json"))
		if err != nil {
			return listing{}, err
		}
		for _, path := range files {
			text, err := readSome(path, maxListing)
			if err != nil {
				return listing{}, fmt.Errorf("%s: %w", path, err)
			}
			var all struct {
				Files []listing `json:"files"`
			}
			if err := json.Unmarshal(text, &all); err != nil {
				return listing{}, fmt.Errorf("%s: %w", path, err)
			}
			for _, l := range all.Files {
				if l.Network == r.stem && filepath.Join(above, filepath.FromSlash(l.Folder)) == folder {
					return l, nil
				}
			}
		}
	}
	return listing{}, nil
}

// readSome reads a file of at most so many bytes. Its errors leave the path to
// the caller.
func readSome(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, safefile.Reason(err)
	}
	if !info.Mode().IsRegular() || info.Size() > most {
		return nil, fmt.Errorf("want a regular file of at most %d bytes", most)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, safefile.Reason(err)
	}
	defer f.Close()
	b := make([]byte, info.Size())
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, safefile.Reason(err)
	}
	return b, nil
}

// choose finds the file of an input or output: the listed one, the only one of
// its shape, or the only one of its shape that has its name.
func choose(p stored, files []string, list []listedFile) (string, error) {
	for _, l := range list {
		for _, f := range files {
			if l.ONNX == p.name && filepath.Base(f) == l.File {
				return f, nil
			}
		}
	}
	var fitting []string
	for _, f := range files {
		a, err := readArray(f)
		if err != nil {
			return "", err
		}
		if len(a.shape) > 0 && slices.Equal(a.shape[1:], p.dims) {
			fitting = append(fitting, f)
		}
	}
	if len(fitting) > 1 {
		fitting = slices.DeleteFunc(fitting, func(f string) bool { return !strings.HasSuffix(strings.TrimSuffix(f, ".npy"), "."+p.name) })
	}
	if len(fitting) != 1 {
		return "", fmt.Errorf("which file is %q, of %v an example, can't be told: a models.json says so", brief(p.name), p.dims)
	}
	return fitting[0], nil
}

const maxArrayFile = 1 << 30 // bytes

func readArray(path string) (array, error) {
	b, err := readSome(path, maxArrayFile)
	if err != nil {
		return array{}, fmt.Errorf("%s: %w", path, err)
	}
	a, err := parseArray(b)
	if err != nil {
		return array{}, fmt.Errorf("%s: %w", path, err)
	}
	return a, nil
}

// ours reads the recorded inputs as our network takes them.
func (r *recording) ours(n *network) ([]*tensor.Dense, error) {
	var x, label *tensor.Dense
	for _, in := range n.inputs {
		path := r.inputs[in.name]
		a, err := readArray(path)
		if err != nil {
			return nil, err
		}
		if len(a.shape) == 0 || !slices.Equal(a.shape[1:], in.dims) {
			return nil, fmt.Errorf("%s: has shape %v, want a batch of %v", path, a.shape, in.dims)
		}
		batch := a.shape[0]
		if in.label {
			label = tensor.New(tensor.Of(tensor.Int64), tensor.WithShape(batch, 1))
			for i, v := range a.data {
				if v != math.Trunc(v) || v < 0 || v >= maxLabels {
					return nil, fmt.Errorf("%s: holds %g, want labels from 0", path, v)
				}
				label.Int64s()[i] = int64(v)
			}
			continue
		}
		data, shape := make([]float32, len(a.data)), a.shape
		for i, v := range a.data {
			data[i] = float32(v)
		}
		if len(in.dims) == 3 {
			data = rearranged(data, permuted(in.dims, []int{2, 0, 1}))
			shape = []int{batch, in.dims[2], in.dims[0], in.dims[1]}
		}
		x = tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
	}
	if label == nil {
		return []*tensor.Dense{x}, nil
	}
	if label.Shape()[0] != x.Shape()[0] {
		return nil, fmt.Errorf("%s: %d labels for %d examples", r.folder, label.Shape()[0], x.Shape()[0])
	}
	return []*tensor.Dense{x, label}, nil
}

// expect evaluates both networks on the recorded inputs and holds the outputs
// against the recorded ones; where Keras' weights lie beside them, the file's
// weights against those.
func (r *Report) expect(ctx context.Context, s *subject, file map[string]*tensor.Dense, o Options) error {
	rec, err := findRecording(o.Expect, r.File, s.net)
	if err != nil {
		return err
	}
	if s.inputs, err = rec.ours(s.net); err != nil {
		return err
	}
	s.batch = s.inputs[0].Shape()[0]
	// Inputs of ours that are flat in Keras.
	shape := append([]int{s.batch}, s.match.net.Input...)
	if err := s.inputs[0].Reshape(shape...); err != nil {
		return err
	}
	all, err := s.evaluate(ctx, o.Runtime)
	if err != nil {
		return err
	}
	for i, p := range s.probes {
		if !p.output {
			continue
		}
		path := rec.outputs[p.keras.name]
		a, err := readArray(path)
		if err != nil {
			return err
		}
		if len(a.shape) == 0 || a.shape[0] != s.batch || !slices.Equal(a.shape[1:], p.keras.dims) {
			return fmt.Errorf("%s: has shape %v, want %d of %v", path, a.shape, s.batch, p.keras.dims)
		}
		want := make([]float32, len(a.data))
		for k, v := range a.data {
			want[k] = float32(v)
		}
		want = rearranged(want, p.from)
		for w := range ways {
			d := differ(all[w][i], want)
			e := Expected{Output: p.ours, File: filepath.Base(path), Way: int(w), Difference: d, Holds: d.Relative <= r.Tolerance}
			r.Expected, r.Holds = append(r.Expected, e), r.Holds && e.Holds
		}
	}
	return r.expectWeights(rec, s.match, file)
}

// expectWeights holds the file's weights against Keras' own in
// STEM.weights.npz, by which a difference in an output is brought home to the
// tensor it comes from.
func (r *Report) expectWeights(rec *recording, m match, file map[string]*tensor.Dense) error {
	name := rec.stem + ".weights.npz"
	path := filepath.Join(rec.folder, name)
	if _, err := os.Stat(path); err != nil {
		r.Skipped = append(r.Skipped, fmt.Sprintf("the weights: %s holds no %s", rec.folder, name))
		return nil
	}
	a, err := openArchive(path)
	if err != nil {
		return err
	}
	defer a.Close()
	all, err := params(m.role, m.net)
	if err != nil {
		return err
	}
	theirs := map[string]*tensor.Dense{}
	for _, p := range all {
		_, keras, _ := strings.Cut(p.keras, ".")
		v, err := a.read(keras)
		if err != nil {
			return err
		}
		if !slices.Equal(v.shape, p.shape) {
			return fmt.Errorf("%s: %s is %v, the network in the file has %v", path, keras, v.shape, p.shape)
		}
		own := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(file[p.ours].Shape()...))
		for i, x := range p.layout.ours(v.data) {
			own.Float32s()[i] = float32(x)
		}
		theirs[p.ours] = own
	}
	r.hold(m, file, theirs, name)
	return nil
}
