package keras

import (
	"fmt"
	"maps"
	"strings"

	"github.com/gantrain/gantrain/train"
	"github.com/gantrain/gantrain/train/arch"
)

// Model is a GAN with the weights of the files that were checked, one of each
// network at most, and fresh ones from the seed where there was none; no step has
// been done.
func Model(seed uint64, reports ...*Report) (*train.Model, error) {
	if len(reports) == 0 || len(reports) > 2 {
		return nil, fmt.Errorf("keras: %d files, want one or two", len(reports))
	}
	gan, err := common(reports)
	if err != nil {
		return nil, err
	}
	state, err := train.NewState(gan, seed)
	if err != nil {
		return nil, err
	}
	for _, r := range reports {
		maps.Copy(state, r.weights)
	}
	return &train.Model{GAN: gan, State: state, Seed: seed}, nil // what Keras trained it on, the files don't tell
}

// common is the GAN that all files are of, at their widths.
func common(reports []*Report) (arch.GAN, error) {
	var names []string
	for _, r := range reports {
		if r.Unknown != nil {
			return arch.GAN{}, fmt.Errorf("%s: %w", r.File, r.Unknown)
		}
		names = append(names, fmt.Sprintf("%s is the %s of %s", r.File, r.Network, r.GAN))
	}
	for _, m := range reports[0].matches {
		gan := m.whole()
		if len(reports) == 1 {
			return gan, nil
		}
		for _, other := range reports[1].matches {
			if other.gan.Name != m.gan.Name || other.gan.Variant != m.gan.Variant || other.role == m.role {
				continue
			}
			if other.role == arch.Generator {
				gan.Generator = other.net
			} else {
				gan.Discriminator = other.net
			}
			return gan, nil
		}
	}
	return arch.GAN{}, fmt.Errorf("keras: %s: no generator and discriminator of one GAN", strings.Join(names, ", "))
}
