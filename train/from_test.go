package train

import (
	"slices"
	"strings"
	"testing"

	"github.com/gantrain/gantrain/train/arch"
)

// A model's weights and statistics begin another run, with fresh moments and
// averages that start from them.
func TestStateFromAModel(t *testing.T) {
	gan := tiny()
	from := tinyModel(t, gan)
	for _, v := range from.State { // moments among them
		for i := range floats(v) {
			floats(v)[i] += 0.25
		}
	}
	gan.Recipe.EMA = 0.9
	state, err := StateFrom(gan, 3, from)
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := NewState(gan, 3)
	if err != nil {
		t.Fatal(err)
	}
	own, err := parameters(gan)
	if err != nil {
		t.Fatal(err)
	}
	averages := 0
	for name, v := range state {
		want := fresh[name]
		if _, ok := own[name]; ok {
			want = from.State[name]
		} else if of, ok := strings.CutSuffix(name, averageName("")); ok {
			want = from.State[of]
			averages++
		}
		if !slices.Equal(floats(v), floats(want)) {
			t.Errorf("%s does not begin as it should", name)
		}
	}
	if averages == 0 {
		t.Error("no running averages were looked at")
	}
	for name := range own {
		floats(state[name])[0]++
		if floats(from.State[name])[0] == floats(state[name])[0] {
			t.Errorf("%s is shared with the model", name)
		}
	}
}

func TestStateFromRefusesOtherNetworks(t *testing.T) {
	gan := tiny()
	from := tinyModel(t, gan)
	wide := tiny(func(g *arch.GAN) {
		g.Discriminator.Layers[0] = arch.Conv2D{Filters: 4, Kernel: 3, Stride: 2, Init: arch.Glorot}
	})
	deep := tiny(func(g *arch.GAN) {
		g.Generator.Layers = slices.Insert(g.Generator.Layers, 0, arch.Layer(arch.Dense{Units: 4, Init: arch.Glorot}))
	})
	shallow := tiny(func(g *arch.GAN) {
		g.Discriminator.Layers = slices.DeleteFunc(g.Discriminator.Layers, func(l arch.Layer) bool { return l.Kind() == arch.BatchNorm{}.Kind() })
	})
	for name, c := range map[string]struct {
		gan  arch.GAN
		want string
	}{
		"wider":     {wide, "discriminator/conv1/bias is [3] in the checkpoint, tiny wants [4]"},
		"deeper":    {deep, "the checkpoint, of tiny, has no generator/dense1/bias, which tiny has"},
		"shallower": {shallow, "the checkpoint, of tiny, has discriminator/batchnorm1/beta, which tiny has not"},
	} {
		if _, err := StateFrom(c.gan, 1, from); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}
