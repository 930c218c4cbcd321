package arch

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// everything lists the published GANs, each with its usual recipe and with
// those of its variants.
func everything(t *testing.T) []GAN {
	t.Helper()
	var gans []GAN
	for _, p := range All() {
		for _, v := range append([]Variant{{}}, p.Variants...) {
			gan, err := Find(p.Name, v.Name)
			if err != nil {
				t.Fatal(err)
			}
			gans = append(gans, gan)
		}
	}
	return gans
}

func TestPublishedAreWhole(t *testing.T) {
	for _, gan := range everything(t) {
		if err := gan.Check(); err != nil {
			t.Error(err)
		}
		if gan.Name == "" || gan.Title == "" || gan.Dataset == "" {
			t.Errorf("%s: title %q, data set %q: none may be empty", gan.Name, gan.Title, gan.Dataset)
		}
		for _, topic := range Topics {
			switch s := gan.Sources[topic].Source; s {
			case Listing, AuthorCode, Keras, Choice:
			default:
				t.Errorf("%s %s: the source of %s is %q", gan.Name, gan.Variant, topic, s)
			}
		}
		if len(gan.Sources) != len(Topics) {
			t.Errorf("%s: %d sources for %d topics", gan.Name, len(gan.Sources), len(Topics))
		}
	}
}

func TestPublishedSurviveJSON(t *testing.T) {
	for _, gan := range everything(t) {
		text, err := json.Marshal(gan)
		if err != nil {
			t.Fatal(err)
		}
		var back GAN
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(gan, back); diff != "" {
			t.Errorf("%s %s (-before +after):\n%s", gan.Name, gan.Variant, diff)
		}
	}
}

// Sums of weights and biases, a BatchNorm's four arrays included:
//
//	guo-mlp G   100·256+256 + 256·512+512 + 512·1024+1024 + 1024·784+784
//	guo-mlp D   784·1024+1024 + 1024·512+512 + 512·256+256 + 256·1+1
//	dcgan G     100·12544 + 4·12544 + 256·128·25 + 4·128 + 128·64·25 + 4·64 + 64·1·25
//	dcgan D     1·64·25+64 + 64·128·25+128 + 7·7·128·1+1
//	cgan G      100·6272+6272 + 10·50 + 50·49+49 + 129·128·16+128 + 128·128·16+128 + 128·1·49+1
//	cgan D      10·50 + 50·784+784 + 2·128·9+128 + 128·128·9+128 + 7·7·128·1+1
//	silva G     100·8192+8192 + 4·512 + 512·256·25+256 + 4·256 + 256·128·25+128 + 4·128 + 128·3·25+3
//	silva D     3·64·25+64 + 64·128·25+128 + 4·128 + 128·256·25+256 + 4·256 + 4·4·256·1+1
//	2d G        2·10+10 + 10·10+10 + 10·2+2
//	2d D        2·10+10 + 10·10+10 + 10·1+1
//	intro G     128·256+256 + 256·512+512 + 512·1024+1024 + 4·1024 + 1024·784+784
//	intro D     784·512+512 + 512·256+256 + 256·1+1
//
// For MNIST silva has one channel instead of three: G 2·128·25 + 2 less, D 2·64·25.
func TestParameterCounts(t *testing.T) {
	want := map[string][2]int{ // generator, discriminator
		"fredriksson-2d":               {162, 151},
		"guo-mlp":                      {1486352, 1460225},
		"guo-mlp literal":              {1486352, 1460225},
		"intro-mlp":                    {1497616, 533505},
		"intro-mlp nobn":               {1493520, 533505},
		"michelucci-cgan":              {1169336, 196773},
		"michelucci-cgan half-batches": {1169336, 196773},
		"michelucci-cgan sum":          {1169336, 196773},
		"michelucci-dcgan":             {2330944, 212865},
		"silva-dcgan":                  {4936963, 1034881},
		"silva-dcgan mnist":            {4930561, 1031681},
	}
	got := map[string][2]int{}
	for _, p := range everything(t) {
		var count [2]int
		for i, net := range []Network{p.Generator, p.Discriminator} {
			rows, err := net.Rows()
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rows {
				count[i] += r.Count()
			}
		}
		got[strings.TrimSpace(p.Name+" "+p.Variant)] = count
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
}

func TestFind(t *testing.T) {
	const all = ": want one of fredriksson-2d, guo-mlp, intro-mlp, michelucci-cgan, michelucci-dcgan, silva-dcgan"
	for _, c := range []struct{ name, variant, want string }{
		{"guo-mpl", "", `unknown GAN "guo-mpl": did you mean guo-mlp?`},
		{"michelucci_dcgan", "", `unknown GAN "michelucci_dcgan": did you mean michelucci-dcgan?`},
		{"style", "", `unknown GAN "style"` + all},
		{"", "", `unknown GAN ""` + all},
		{"guo-mlp", "litteral", `guo-mlp has no variant "litteral": it has literal`},
		{"michelucci-dcgan", "literal", `michelucci-dcgan has no variants, so none called "literal"`},
	} {
		if _, err := Find(c.name, c.variant); err == nil || err.Error() != c.want {
			t.Errorf("Find(%q, %q): error %v, want %s", c.name, c.variant, err, c.want)
		}
	}
}

// A variant changes a GAN of its own, not the one that the next caller gets.
func TestVariantsShareNothing(t *testing.T) {
	usual, err := Find("guo-mlp", "")
	if err != nil {
		t.Fatal(err)
	}
	literal, err := Find("guo-mlp", "literal")
	if err != nil {
		t.Fatal(err)
	}
	if got := literal.Recipe.Adam[Generator]; got != (Adam{1e-3, 0.9, 0.999, 1e-7}) {
		t.Errorf("literal trains its generator by %v", got)
	}
	if literal.Recipe.Adam[Discriminator] != usual.Recipe.Adam[Discriminator] {
		t.Error("literal changes the discriminator's optimiser too")
	}
	again, err := Find("guo-mlp", "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(usual, again); diff != "" || usual.Recipe.Adam[Generator].Rate != 2e-4 {
		t.Errorf("the usual recipe has changed:\n%s", diff)
	}
}
