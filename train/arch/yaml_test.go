package arch

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestPublishedSurviveYAML(t *testing.T) {
	for _, gan := range everything(t) {
		text, err := gan.YAML()
		if err != nil {
			t.Fatal(err)
		}
		back, err := parseYAML(text, "file")
		if err != nil {
			t.Fatalf("%s %s: %v", gan.Name, gan.Variant, err)
		}
		if diff := cmp.Diff(gan, back, cmpopts.IgnoreFields(GAN{}, "Sources")); diff != "" {
			t.Errorf("%s %s (-before +after):\n%s", gan.Name, gan.Variant, diff)
		}
	}
}

// Every field away from what is usual, so that none is lost.
func TestEveryFieldSurvivesYAML(t *testing.T) {
	gan := small()
	gan.Variant, gan.Title, gan.Dataset, gan.Min, gan.Max = "other", "A: title, 'quoted' # and so on", "noise", 0, 1
	gan.Latent.Distribution = "uniform"
	gan.Generator.Layers = Layers{
		Dense{Units: 32, NoBias: true, Init: Normal(0.02)}, BatchNorm{0.9, 1e-3}, ReLU{}, Reshape{Shape{2, 4, 4}},
		ConvTranspose2D{Filters: 1, Kernel: 5, Stride: 2, NoBias: true, Init: Ones}, Tanh{},
	}
	gan.Discriminator.Layers = Layers{Flatten{}, LeakyReLU{0.2}, Dropout{0.3}, Dense{Units: 1, Init: Glorot}, Sigmoid{}}
	gan.Discriminator.Logit = true
	gan.Recipe = Recipe{
		Batch: 4, Epochs: 3, Steps: 5, Sampling: Fixed, Simultaneous: true,
		Updates: []Update{
			{Trains: Generator, Noise: 3, RealLabel: 0.5, FakeLabel: 0, Epsilon: 1e-12},
			{Trains: Discriminator, RealLabel: 0, FakeLabel: 0.25, Joined: true, Predicted: true},
		},
		Adam: map[Role]Adam{Generator: {1, 0, 0, 1e-300}, Discriminator: {0.1, 0.2, 0.3, 0.4}},
	}
	gan.Grid = Grid{Rows: 3, Columns: 4, Inverted: true, Border: 1, Every: 5, Steps: 6, Start: true, Keep: true, Print: 7}
	text, err := gan.YAML()
	if err != nil {
		t.Fatal(err)
	}
	back, err := parseYAML(text, "file")
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if diff := cmp.Diff(gan, back); diff != "" {
		t.Errorf("(-before +after):\n%s\n%s", diff, text)
	}
}

// shortest says as little as a file can.
const shortest = `image: [1, 8, 8]
generator: [dense: 64, tanh, reshape: [1, 8, 8]]
discriminator: [flatten, dense: 1]
`

func TestWhatAFileNeedNotSay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "my-gan.yaml")
	if err := os.WriteFile(path, []byte(shortest), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := ReadYAML(path)
	if err != nil {
		t.Fatal(err)
	}
	adam := Adam{2e-4, 0.5, 0.999, 1e-7}
	image := Shape{1, 8, 8}
	want := GAN{
		Name: "my-gan", Image: image, Min: -1, Max: 1, Latent: Latent{100, "normal"},
		Generator:     Network{Input: Shape{100}, Layers: Layers{Dense{Units: 64, Init: Glorot}, Tanh{}, Reshape{image}}},
		Discriminator: Network{Input: image, Layers: Layers{Flatten{}, Dense{Units: 1, Init: Glorot}}},
		Recipe: Recipe{
			Batch: 128, Epochs: 20, Sampling: Shuffled,
			Updates: []Update{{Trains: Discriminator, RealLabel: 1}, {Trains: Generator, FakeLabel: 1}},
			Adam:    map[Role]Adam{Discriminator: adam, Generator: adam},
		},
		Grid: Grid{Rows: 8, Columns: 8, Every: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAFileMaySayThings(t *testing.T) {
	for text, holds := range map[string]func(GAN) bool{
		"latent: 7":                       func(g GAN) bool { return g.Latent == Latent{7, "normal"} },
		"latent: {distribution: uniform}": func(g GAN) bool { return g.Latent == Latent{100, "uniform"} },
		"recipe: {steps: 9}":              func(g GAN) bool { return g.Recipe.Steps == 9 && g.Recipe.Epochs == 0 },
		"grid: {steps: 9, rows: 2}":       func(g GAN) bool { return g.Grid == Grid{Rows: 2, Columns: 8, Steps: 9} },
		"name: 2022":                      func(g GAN) bool { return g.Name == "2022" },
		"min: 0\nmax: 1":                  func(g GAN) bool { return g.Min == 0 && g.Max == 1 },
		"recipe: {updates: [generator]}":  func(g GAN) bool { return len(g.Recipe.Updates) == 1 },
		"recipe: {adam: {rate: 0.5}}":     func(g GAN) bool { return g.Recipe.Adam[Generator] == Adam{0.5, 0.5, 0.999, 1e-7} },
		"recipe: {adam: {generator: &a {rate: 0.5}, discriminator: *a}}": func(g GAN) bool {
			return g.Recipe.Adam[Discriminator].Rate == 0.5
		},
		"recipe: {adam: {generator: {rate: 1e-3}}}": func(g GAN) bool {
			return g.Recipe.Adam[Generator].Rate == 1e-3 && g.Recipe.Adam[Discriminator] == usualAdam
		},
	} {
		got, err := parseYAML([]byte(shortest+text), "file")
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if !holds(got) {
			t.Errorf("%s: read as %+v", text, got)
		}
	}
}

// lines is a file whose lines can be replaced one by one.
var lines = []string{
	1:  "name: small",
	2:  "image: [1, 8, 8]",
	3:  "latent: 4",
	4:  "generator:",
	5:  "  - dense: 32",
	6:  "  - batchnorm",
	7:  "  - relu",
	8:  "  - reshape: [2, 4, 4]",
	9:  "  - deconv: {filters: 1, kernel: 5, stride: 2}",
	10: "  - tanh",
	11: "discriminator:",
	12: "  layers:",
	13: "    - conv: {filters: 3, kernel: 3, stride: 2}",
	14: "    - leakyrelu: 0.2",
	15: "    - flatten",
	16: "    - dense: 1",
	17: "recipe:",
	18: "  batch: 4",
	19: "  updates:",
	20: "    - discriminator: {real_label: 0.9}",
	21: "    - generator: {noise: 1}",
	22: "  adam: {rate: 1e-3}",
	23: "grid: {rows: 2, columns: 2}",
}

func TestYAMLRefusesByLine(t *testing.T) {
	if _, err := parseYAML([]byte(strings.Join(lines[1:], "\n")), "file"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		line int
		text string
		want string // after the line's number
		at   int    // 0: the same line
	}{
		{5, "  - dens: 32", `unknown layer "dens": did you mean dense?`, 0},
		{5, "  - attention", `unknown layer "attention"`, 0},
		{5, "  - dense: {unit: 32}", `unknown field "unit": did you mean units?`, 0},
		{5, "  - dense: {units: 32, units: 32}", "a second units", 0},
		{5, "  - dense: {init: zeros}", "dense: its units is missing", 0},
		{5, "  - dense", "dense: its units is missing", 0},
		{5, "  - dense: 3.5", `"3.5", want a whole number`, 0},
		{5, "  - dense: 1e30", `"1e30", want a whole number`, 0},
		{5, "  - dense: 99999999999999999999", `"99999999999999999999", want a whole number`, 0},
		{5, "  - dense: 0x8000000000000000", `"0x8000000000000000", want a whole number`, 0},
		{5, "  - dense: many", `"many", want a whole number`, 0},
		{5, "  - dense: [32]", "a list, want a whole number", 0},
		{5, "  - dense: -1", "generator: layer dense1: -1 units", 0},
		{5, "  - dense: 4000000000000", "generator: layer dense1: shape [4000000000000] is empty or holds more than", 0},
		{5, "  - dense: {units: 32, init: gloro}", `weights that start as "gloro": did you mean glorot?`, 0},
		{5, "  - dense: {units: 32, init: normal}", "normal has a scale where", 0},
		{5, "  - dense: {units: 32, init: {zeros: 1}}", "zeros has a scale where", 0},
		{5, "  - dense: {units: 32, init: {normal: -1}}", "a scale of -1 is not above 0", 0},
		{5, "  - {dense: 32, relu: }", `2 fields, want one layer, as 'dense: 256'`, 0},
		{5, "  - [dense]", "a list, want one layer", 0},
		{5, "  - ", `unknown layer ""`, 0},
		{7, "  - relu: 0.2", `"0.2", where there are no settings`, 0},
		{8, "  - reshape: [2, 4, 5]", "generator: layer reshape1: makes [2 4 5] of [32]: 40 values of 32", 0},
		{8, "  - reshape: 32", `"32", want a list`, 0},
		{9, "  - deconv: {filters: 1, stride: 2}", "deconv: its kernel is missing", 0},
		{9, "  - deconv: {filters: 67108864, kernel: 1024}", "generator: layer deconv1: ", 0},
		{9, "  - deconv: {filters: 3, kernel: 5, stride: 2}", "generator: its layers must end in shape [1 8 8]", 4},
		{14, "    - leakyrelu: .nan", `".nan", want a number`, 0},
		{14, "    - leakyrelu", "leakyrelu: its slope is missing", 0},
		{14, "    - dropout: 1", "discriminator: layer dropout1: rate 1 is not in [0, 1)", 0},
		{16, "    - dense: &a [*a]", "a list, want a whole number", 0},
		{15, "    - tanh", "discriminator: layer dense1: takes a flat input", 16},
		{2, "image: [1, 8]", "image: shape [1 8] is neither", 0},
		{2, "image: &a [1, *b]", "unknown anchor 'b' referenced", 0},
		{2, "image: &a [1, *a, 8]", "*a stands within what it stands for", 0},
		{3, "latent: {size: 4, distribution: gaussian}", `latent vectors are "gaussian"`, 0},
		{3, "latent: 0", "latent: shape [0] is empty", 0},
		{18, "  batch: 0", "recipe: batch of 0, want 1 to 65536", 17},
		{18, "  batch: 70000", "recipe: batch of 70000, want 1 to 65536", 17},
		{20, "    - discriminator: {real_label: 2}", "recipe: update 1 has labels 2 and 0", 0},
		{20, "    - discriminator: {trains: generator}", `unknown field "trains"`, 0},
		{20, "    - discriminator: 0.9", `"0.9", want fields such as noise`, 0},
		{21, "    - generater: {noise: 1}", `an update of "generater", want discriminator or generator: did you mean generator?`, 0},
		{21, "    - generator: {joined: 1}", `"1", want true or false`, 0},
		{22, "  adam: {rate: 2}", "recipe: discriminator: learning rate 2 is not in (0, 1]", 0},
		{22, "  adam: 0.1", `"0.1", want fields such as rate`, 0},
		{22, "  adam: {generator: {}, critic: {}}", `an optimiser of "critic"`, 0},
		{23, "grid: {rows: 1000}", "a grid of 1000x8 samples every 1 epochs", 0},
		{18, "  epochs: 0", "epochs: 0, want at least 1", 0},
		{23, "grid: {every: 0}", "every: 0, want at least 1", 0},
		{23, "min: -1", "half of a value range: want min and max, or neither", 0},
		{23, "max: 255", "half of a value range: want min and max, or neither", 0},
		{23, "grid: ", "nothing, want fields such as rows", 0},
		{23, "grids: {}", `unknown field "grids": did you mean grid?`, 0},
		{1, "name: ../../etc", `the name "../../etc": want letters`, 0},
		{1, "name: [a]", "a list, want a text", 0},
		{1, "\tname: small", "found character that cannot start any token", 0},
	} {
		file := append([]string{}, lines...)
		file[c.line] = c.text
		_, err := parseYAML([]byte(strings.Join(file[1:], "\n")), "file")
		t.Log(err)
		at := c.line
		if c.at > 0 {
			at = c.at
		}
		if want := fmt.Sprintf("line %d: %s", at, c.want); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", c.text, err, want)
		}
	}
}

func TestYAMLThatIsNoGAN(t *testing.T) {
	aliases := "image: &a [" + strings.Repeat("1, ", 300) + "]\ngenerator: [" + strings.Repeat("reshape: *a, ", 300) + "]\n"
	for text, want := range map[string]string{
		"":                             "is empty",
		"# nothing":                    "is empty",
		"hello":                        `line 1: "hello", want fields such as name`,
		"[1, 2]":                       "line 1: a list, want fields such as name",
		"\n\nname: a":                  "line 3: the image is missing",
		"image: [1":                    "line 1: did not find expected ',' or ']'",
		"image: *a":                    "unknown anchor 'a' referenced",
		"\x00":                         "control characters are not allowed",
		strings.Repeat("[", 1e5):       "exceeded max depth",
		strings.Repeat("#", maxYAML+1): "holds more than 262144 bytes",
		aliases:                        "line 1: more than 65536 values",
	} {
		_, err := parseYAML([]byte(text), "file")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: error %v, want %s", text, err, want)
		}
	}
}

var lineNumber = regexp.MustCompile(`^(line [1-9]\d*: |is empty$|holds more than )`)

// A file is refused with a line, or read; what is read can be written, and
// means the same then. Reading it takes memory in proportion to it.
func FuzzYAML(f *testing.F) {
	f.Add([]byte(shortest))
	f.Add([]byte(strings.Join(lines[1:], "\n")))
	for _, p := range All() {
		text, err := p.YAML()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		gan, err := parseYAML(text, "file")
		runtime.ReadMemStats(&after)
		// A node of YAML takes some hundred bytes, a layer's shapes and errors more.
		if took, most := after.TotalAlloc-before.TotalAlloc, uint64(4<<20+2000*len(text)); took > most {
			t.Errorf("%d bytes allocated for a file of %d, want at most %d", took, len(text), most)
		}
		if err != nil {
			if !lineNumber.MatchString(err.Error()) {
				t.Errorf("an error without a line: %v", err)
			}
			return
		}
		again, err := gan.YAML()
		if err != nil {
			t.Fatal(err)
		}
		back, err := parseYAML(again, "other")
		if err != nil {
			t.Fatalf("%v in\n%s", err, again)
		}
		if diff := cmp.Diff(gan, back, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-before +after):\n%s\n%s", diff, again)
		}
	})
}
