package keras

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recorded copies what Keras computed with a model into a folder of its own.
func recorded(t *testing.T, gan, net string, change func(folder string)) string {
	t.Helper()
	folder := t.TempDir()
	files, err := filepath.Glob("testdata/tf/models/" + gan + "/" + net + ".*.npy")
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, filepath.Base(f)), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	change(folder)
	return folder
}

func expectIn(t *testing.T, gan, net, folder string) (*Report, error) {
	t.Helper()
	o := usual
	o.Expect = folder
	return check(t.Context(), net+".onnx", load(t, "tf/models/"+gan+"/"+net+".onnx"), o)
}

// Without a models.json files are told apart by their shapes, and by the
// graph's own names.
func TestExpectWithoutListing(t *testing.T) {
	r, err := expectIn(t, "michelucci-cgan", "D", recorded(t, "michelucci-cgan", "D", func(string) {}))
	if err != nil {
		t.Fatal(err)
	}
	if !r.Holds || len(r.Expected) == 0 || len(r.Skipped) != 1 {
		t.Errorf("%s; %d outputs, skipped %q", r.Verdict(), len(r.Expected), r.Skipped)
	}
	rename := func(from, to string) func(string) {
		return func(folder string) {
			if err := os.Rename(filepath.Join(folder, from), filepath.Join(folder, to)); err != nil {
				t.Fatal(err)
			}
		}
	}
	r, err = expectIn(t, "silva-dcgan", "D", recorded(t, "silva-dcgan", "D", func(folder string) {
		rename("D.out.logit.npy", "D.out.Identity_1:0.npy")(folder)
		rename("D.out.probability.npy", "D.out.Identity:0.npy")(folder)
	}))
	if err != nil || !r.Holds {
		t.Errorf("by the graph's names: %v", err)
	}
	// The other way round they depart.
	r, err = expectIn(t, "silva-dcgan", "D", recorded(t, "silva-dcgan", "D", func(folder string) {
		rename("D.out.logit.npy", "D.out.Identity:0.npy")(folder)
		rename("D.out.probability.npy", "D.out.Identity_1:0.npy")(folder)
	}))
	if err != nil || r.Holds || !strings.Contains(r.Verdict(), "departs from D.out.Identity") {
		t.Errorf("logit and probability changed over hold: %v", err)
	}
}

func TestExpectRefuses(t *testing.T) {
	write := func(name, text string) func(string) {
		return func(folder string) {
			if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(name string) func(string) {
		return func(folder string) {
			if err := os.Remove(filepath.Join(folder, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	npy := func(descr, shape, data string) string {
		header := "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (" + shape + "), }\n"
		return "\x93NUMPY\x01\x00" + string([]byte{byte(len(header)), 0}) + header + data
	}
	five := strings.Repeat("\x00\x00\x00\x3f", 5) // of 0.5
	for name, c := range map[string]struct {
		gan, net string
		change   func(string)
		want     string
	}{
		"outputs of one shape": {"silva-dcgan", "D", func(string) {}, "can't be told: a models.json says so"},
		"an input missing":     {"michelucci-cgan", "D", remove("D.in.labels.npy"), "holds 1 files D.in.*.npy, D.onnx has 2"},
		"one output too many":  {"michelucci-cgan", "D", write("D.out.more.npy", ""), "holds 2 files D.out.*.npy, D.onnx has 1"},
		"a listing cut short":  {"michelucci-cgan", "D", write("models.json", "{"), "models.json: unexpected end"},
		"no array":             {"michelucci-cgan", "D", write("D.in.labels.npy", "text"), "D.in.labels.npy: not an array"},
		"labels of halves":     {"michelucci-cgan", "D", write("D.in.labels.npy", npy("<f4", "5, 1", five)), "holds 0.5, want labels from 0"},
		"fewer labels":         {"michelucci-cgan", "D", write("D.in.labels.npy", npy("<f4", "4, 1", strings.Repeat("\x00", 16))), "4 labels for 5 examples"},
		"another output":       {"michelucci-cgan", "D", write("D.out.out.npy", npy("<f4", "5", five)), "can't be told"},
		"fewer outputs":        {"michelucci-cgan", "D", write("D.out.out.npy", npy("<f4", "4, 1", five[:16])), "has shape [4 1], want 5 of [1]"},
		"weights of no kind":   {"michelucci-cgan", "D", write("D.weights.npz", "text"), "D.weights.npz: not a NumPy .npz file"},
	} {
		_, err := expectIn(t, c.gan, c.net, recorded(t, c.gan, c.net, c.change))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}
