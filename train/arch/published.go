package arch

import (
	"fmt"
	"strings"

	"github.com/gantrain/gantrain/internal/nearest"
)

// Variant is another recipe for the same networks.
type Variant struct {
	Name, Doc string
	change    func(*GAN)
}

// Published is a GAN of this package.
type Published struct {
	GAN
	Variants []Variant
}

// All lists the published GANs by name.
func All() []Published {
	return []Published{fredriksson2D(), guoMLP(), introMLP(), michelucciCGAN(), michelucciDCGAN(), silvaDCGAN()}
}

// Find returns a GAN by its name, with the recipe of a variant unless that is
// empty. An unknown name is answered with the nearest one.
func Find(name, variant string) (GAN, error) {
	var names []string
	for _, p := range All() {
		if p.Name == name {
			return p.variant(variant)
		}
		names = append(names, p.Name)
	}
	hint := nearest.Hint(name, names)
	if hint == "" {
		hint = ": want one of " + strings.Join(names, ", ")
	}
	return GAN{}, fmt.Errorf("unknown GAN %q%s", name, hint)
}

func (p Published) variant(name string) (GAN, error) {
	if name == "" {
		return p.GAN, nil
	}
	var names []string
	for _, v := range p.Variants {
		if v.Name == name {
			v.change(&p.GAN)
			p.GAN.Variant = name
			return p.GAN, nil
		}
		names = append(names, v.Name)
	}
	if len(names) == 0 {
		return GAN{}, fmt.Errorf("%s has no variants, so none called %q", p.Name, name)
	}
	return GAN{}, fmt.Errorf("%s has no variant %q: it has %s", p.Name, name, strings.Join(names, ", "))
}
