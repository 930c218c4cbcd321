package modelinfo

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gantrain/gantrain/runtime/latent"
)

var (
	generator = Info{
		Architecture: "guo-mlp", Variant: "literal", Network: Generator,
		Latent: 100, Distribution: latent.Normal, Min: -1, Max: 1, Classes: 10, ClassNames: []string{"cat", "a \"dog\""},
		Dataset: "mnist", DatasetLicence: "CC BY-SA 3.0",
		Seed: math.MaxUint64, Step: 93600, Arguments: "batch=64 lr=0.0002", Average: 0.999,
	}
	discriminator = Info{Architecture: "points", Network: Discriminator, Max: 0.1, Seed: 3}
)

func TestMap(t *testing.T) {
	for name, c := range map[string]struct {
		info Info
		want map[string]string
	}{
		"generator": {generator, map[string]string{
			"gan.architecture": "guo-mlp", "gan.variant": "literal", "gan.network": "generator",
			"gan.latent.size": "100", "gan.latent.distribution": "normal",
			"gan.value.min": "-1", "gan.value.max": "1", "gan.classes": "10", "gan.classes.names": `["cat","a \"dog\""]`,
			"gan.dataset": "mnist", "gan.dataset.licence": "CC BY-SA 3.0",
			"gan.seed": "18446744073709551615", "gan.step": "93600", "gan.arguments": "batch=64 lr=0.0002", "gan.average.decay": "0.999",
		}},
		"discriminator": {discriminator, map[string]string{
			"gan.architecture": "points", "gan.network": "discriminator",
			"gan.value.min": "0", "gan.value.max": "0.1", "gan.seed": "3", "gan.step": "0",
		}},
	} {
		if diff := cmp.Diff(c.want, c.info.Map()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestParseReadsMap(t *testing.T) {
	for _, want := range []Info{{}, generator, discriminator} {
		m := want.Map()
		m["classes"] = "['cat', 'dog']" // another tool's
		got, err := Parse(m)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if got, err := Parse(nil); err != nil || !cmp.Equal(got, Info{}) {
		t.Errorf("Parse(nil) = %v, %v, want the zero value", got, err)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ key, value string }{
		{"gan.network", "encoder"},
		{"gan.latent.size", "0"},
		{"gan.latent.size", "-5"},
		{"gan.latent.size", "1e9"},
		{"gan.latent.size", "4294967296"},
		{"gan.latent.distribution", "cauchy"},
		{"gan.value.min", "1"},
		{"gan.value.min", "2"},
		{"gan.value.min", "low"},
		{"gan.value.max", "NaN"},
		{"gan.value.max", "+Inf"},
		{"gan.classes", "ten"},
		{"gan.classes.names", "cat"},
		{"gan.classes.names", "[1]"},
		{"gan.classes.names", `["1","2","3","4","5","6","7","8","9","10","11"]`},
		{"gan.seed", "-1"},
		{"gan.seed", "18446744073709551616"},
		{"gan.step", "-1"},
	} {
		m := generator.Map()
		m[c.key] = c.value
		if _, err := Parse(m); err == nil || !strings.Contains(err.Error(), c.key) || !strings.Contains(err.Error(), strconv.Quote(c.value)) {
			t.Errorf("%s = %q: error %v, want one that names both", c.key, c.value, err)
		}
	}
	if _, err := Parse(map[string]string{"gan.value.min": "-1"}); err == nil || !strings.Contains(err.Error(), "gan.value.max") {
		t.Errorf("a lone minimum: error %v, want one that names gan.value.max", err)
	}
}
