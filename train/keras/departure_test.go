package keras_test

import (
	"archive/zip"
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gantrain/gantrain/train"
	"github.com/gantrain/gantrain/train/keras"
)

// change alters a recording: arrays by their names, given the numbers' bytes, and
// the settings of training.json.
type change struct {
	arrays   map[string]func(numbers []byte)
	settings func(variant map[string]any)
}

// float adds to number i of an array of float32.
func float(i int, add float32) func([]byte) {
	return func(numbers []byte) {
		at := numbers[4*i:]
		v := math.Float32frombits(binary.LittleEndian.Uint32(at))
		binary.LittleEndian.PutUint32(at, math.Float32bits(v+add))
	}
}

// altered is a copy of a GAN's recording with a change to it and to a variant's
// settings.
func altered(t *testing.T, gan, variant string, c change) string {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	folder := t.TempDir()
	check(os.Mkdir(filepath.Join(folder, "training"), 0o755))
	text, err := os.ReadFile("testdata/training.json")
	check(err)
	var about map[string]any
	check(json.Unmarshal(text, &about))
	if c.settings != nil {
		c.settings(about["archs"].(map[string]any)[gan].(map[string]any)[variant].(map[string]any))
	}
	text, err = json.Marshal(about)
	check(err)
	check(os.WriteFile(filepath.Join(folder, "training.json"), text, 0o644))

	from, err := zip.OpenReader(filepath.Join("testdata", "training", gan+".npz"))
	check(err)
	defer from.Close()
	path := filepath.Join(folder, "training", gan+".npz")
	file, err := os.Create(path)
	check(err)
	to := zip.NewWriter(file)
	left := len(c.arrays)
	for _, f := range from.File {
		r, err := f.Open()
		check(err)
		data, err := io.ReadAll(r)
		check(err)
		if alter := c.arrays[strings.TrimSuffix(f.Name, ".npy")]; alter != nil {
			alter(data[10+binary.LittleEndian.Uint16(data[8:]):])
			left--
		}
		w, err := to.CreateHeader(&zip.FileHeader{Name: f.Name})
		check(err)
		_, err = w.Write(data)
		check(err)
	}
	check(to.Close())
	check(file.Close())
	if left != 0 {
		t.Fatalf("%d arrays of the change are not in the recording", left)
	}
	return path
}

// What a wrong trainer, or a recording of another, would look like: each change
// is found, in the first loss or the tensor that it reaches.
func TestDepartures(t *testing.T) {
	set := func(name string, value any) func(map[string]any) {
		return func(v map[string]any) { v["settings"].(map[string]any)[name] = value }
	}
	arrays := func(name string, alter func([]byte)) map[string]func([]byte) {
		return map[string]func([]byte){name: alter}
	}
	for _, c := range []struct {
		name, gan, variant string
		change             change
		step               int    // of the first loss that departs; 0: none does
		loss               string // its name
		tensor             string // the only one that departs; empty: some or none
	}{
		{"nothing", "guo-mlp", "main", change{}, 0, "", ""},
		{"a weight at the end", "guo-mlp", "main",
			change{arrays: arrays("main.final64.D.dense_1.kernel", float(77, 1e-4))}, 0, "", "discriminator/dense2/weight"},
		{"a weight at the start", "michelucci-dcgan", "nodrop",
			change{arrays: arrays("init.G.conv2d_transpose.kernel", float(77, 0.1))}, 1, "d_loss", ""},
		{"a generator's pixel of weights mirrored", "michelucci-cgan", "main",
			change{arrays: arrays("init.G.conv2d.kernel", func(numbers []byte) { // [7, 7, in, 1]
				for _, row := range slices.Collect(slices.Chunk(numbers, len(numbers)/7)) {
					left := slices.Clone(row[:len(row)/7])
					copy(row, row[len(row)-len(left):])
					copy(row[len(row)-len(left):], left)
				}
			})}, 1, "d_loss_fake", ""},
		{"a pixel", "michelucci-cgan", "sum", change{arrays: arrays("batch.real", float(784*16+300, 1))}, 2, "d_loss", ""},
		{"a class asked for", "michelucci-cgan", "main",
			change{arrays: arrays("batch.labels_g", func(numbers []byte) {
				binary.LittleEndian.PutUint32(numbers, math.Float32bits(9-math.Float32frombits(binary.LittleEndian.Uint32(numbers))))
			})}, 1, "g_loss", ""},
		{"noise", "silva-dcgan", "main", change{arrays: arrays("batch.z", float(0, 1))}, 1, "d_loss", ""},
		{"a mask of the generator's step", "guo-mlp", "both2e4",
			change{arrays: arrays("batch.mask2_g", func(numbers []byte) { numbers[0] = 1 - numbers[0] })}, 1, "g_loss", ""},
		{"no dropout", "michelucci-dcgan", "main", change{settings: set("dropout", "none")}, 1, "d_loss", ""},
		{"another rate", "guo-mlp", "both2e4", change{settings: set("g_lr", 2.5e-4)}, 2, "d_loss", ""},
		{"another beta", "guo-mlp", "both2e4", change{settings: set("g_b1", 0.9)}, 3, "d_loss", ""}, // the first step of Adam is the same
		{"no batch normalisation", "intro-mlp", "main", change{settings: set("bn", false)}, 1, "d_loss", ""},
		{"a tolerance", "intro-mlp", "main", change{settings: func(v map[string]any) {
			v["suggested_weight_tol"].(map[string]any)["G.dense_3.kernel"] = 1e-12
		}}, 0, "", "generator/dense4/weight"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := keras.OpenFixture(altered(t, c.gan, c.variant, c.change))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			p, err := f.Parity(t.Context(), c.variant, keras.ParityOptions{Engine: train.ORT})
			if err != nil {
				t.Fatal(err)
			}
			first := slices.IndexFunc(p.Losses, func(l keras.LossParity) bool { return !l.Holds() })
			switch {
			case c.step == 0 && first >= 0:
				t.Errorf("%+v departs", p.Losses[first])
			case c.step > 0 && first < 0:
				t.Error("all losses hold")
			case c.step > 0:
				if l := p.Losses[first]; l.Step != c.step || l.Name != c.loss {
					t.Errorf("%s of step %d departs first, want %s of step %d", l.Name, l.Step, c.loss, c.step)
				}
			}
			var tensors []string
			for _, x := range p.Tensors {
				if !x.Holds() {
					tensors = append(tensors, x.Name)
				}
			}
			if c.tensor != "" && !slices.Equal(tensors, []string{c.tensor}) {
				t.Errorf("%q depart, want %q alone", tensors, c.tensor)
			}
			if want := c.step == 0 && c.tensor == ""; p.Holds() != want {
				t.Errorf("it holds: %t, want %t", p.Holds(), want)
			}
		})
	}
}

// Recordings that can't be followed are errors that say what is wrong.
func TestFixtureErrors(t *testing.T) {
	settings := func(name string, value any) change {
		return change{settings: func(v map[string]any) { v["settings"].(map[string]any)[name] = value }}
	}
	for name, c := range map[string]struct {
		gan, variant string
		change       change
		want         string
	}{
		"an unknown setting": {"guo-mlp", "main", settings("smooth", 0.9), `training.json: settings: json: unknown field "smooth"`},
		"an unknown dropout": {"guo-mlp", "main", settings("dropout", "some"), `training.json: settings: dropout is "some", want "mask" or "none"`},
		"an unknown recipe":  {"guo-mlp", "main", settings("recipe", "third"), `training.json: settings: recipe is "third", want "half" or "sum"`},
		"a recipe of another GAN": {"guo-mlp", "main", settings("recipe", "half"),
			`guo-mlp.npz: variant main: guo-mlp has no variant "half-batches": it has literal`},
		"a rate beyond all": {"guo-mlp", "main", settings("g_lr", 2), "variant main: guo-mlp: recipe: generator: learning rate 2"},
		"another number of losses": {"michelucci-cgan", "main", settings("recipe", "sum"),
			`array "main.d_loss64" has shape [5 2], want [5]`},
		"no tolerance": {"guo-mlp", "main", change{settings: func(v map[string]any) {
			delete(v["suggested_weight_tol"].(map[string]any), "D.dense.bias")
		}}, "training.json gives no suggested_weight_tol of guo-mlp, variant main, for D.dense.bias"},
		"a number that is none": {"guo-mlp", "main", change{arrays: map[string]func([]byte){
			"batch.z_d": float(3, float32(math.NaN())),
		}}, `array "batch.z_d": number 3 is NaN`},
		"a class that is none": {"michelucci-cgan", "main", change{arrays: map[string]func([]byte){
			"batch.labels_real": float(0, 10),
		}}, `array "batch.labels_real": a label of 1`},
		"a mask that is none": {"guo-mlp", "main", change{arrays: map[string]func([]byte){
			"batch.mask1_real": func(numbers []byte) { numbers[0] = 2 },
		}}, "array batch.mask1_real holds 2, want 0 or 1"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := keras.OpenFixture(altered(t, c.gan, c.variant, c.change))
			if err == nil {
				defer f.Close()
				_, err = f.Parity(t.Context(), c.variant, keras.ParityOptions{Engine: train.Tape})
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}
