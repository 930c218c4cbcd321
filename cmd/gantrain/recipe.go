package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/gantrain/gantrain/cmd/internal/command"
	"github.com/gantrain/gantrain/train"
	"github.com/gantrain/gantrain/train/arch"
)

// recipeFlags change a recipe; what is not given stays as published.
func recipeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "epochs", Usage: "train for `N` passes over the data", DefaultText: "the recipe's"},
		&cli.IntFlag{Name: "steps", Usage: "train for `N` steps, whatever the epochs", DefaultText: "the recipe's, or as many as the epochs have"},
		&cli.IntFlag{Name: "batch", Usage: "show `N` real images in a step", DefaultText: "the recipe's"},
		&cli.Float64Flag{Name: "d-rate", Usage: "set the discriminator's learning `RATE`", DefaultText: "the recipe's"},
		&cli.Float64Flag{Name: "g-rate", Usage: "set the generator's learning `RATE`", DefaultText: "the recipe's"},
	}
}

// recipe is what the flags change; 0 leaves the published value.
type recipe struct {
	epochs, steps, batch int
	rates                map[arch.Role]float64
}

func recipeOf(c *cli.Context) (recipe, error) {
	r := recipe{rates: map[arch.Role]float64{}}
	for _, number := range []struct {
		flag  string
		field *int
	}{{"epochs", &r.epochs}, {"steps", &r.steps}, {"batch", &r.batch}} {
		*number.field = c.Int(number.flag)
		if c.IsSet(number.flag) && *number.field < 1 {
			return r, command.Usage(c, "--%s %d: want at least 1", number.flag, *number.field)
		}
	}
	if r.batch > arch.MaxBatch {
		return r, command.Usage(c, "--batch %d: want at most %d", r.batch, arch.MaxBatch)
	}
	for _, rate := range rateFlags {
		if !c.IsSet(rate.flag) {
			continue
		}
		value := c.Float64(rate.flag)
		if !(value > 0 && value <= 1) {
			return r, command.Usage(c, "--%s %g: want a learning rate above 0, at most 1", rate.flag, value)
		}
		r.rates[rate.role] = value
	}
	return r, nil
}

// rateFlags set the learning rates.
var rateFlags = []struct {
	flag string
	role arch.Role
}{{"d-rate", arch.Discriminator}, {"g-rate", arch.Generator}}

// apply returns the GAN with the changes, and in words those that change
// numbers.
func (r recipe) apply(gan arch.GAN) (arch.GAN, string) {
	var changes []string
	if r.batch > 0 && r.batch != gan.Recipe.Batch {
		gan.Recipe.Batch = r.batch
		changes = append(changes, fmt.Sprintf("batch=%d", r.batch))
	}
	if r.epochs > 0 {
		gan.Recipe.Epochs, gan.Recipe.Steps = r.epochs, 0
	}
	for _, f := range rateFlags {
		adam := gan.Recipe.Adam[f.role]
		if rate, ok := r.rates[f.role]; ok && rate != adam.Rate {
			adam.Rate = rate
			gan.Recipe.Adam[f.role] = adam
			changes = append(changes, fmt.Sprintf("%s=%g", f.flag, rate))
		}
	}
	return gan, strings.Join(changes, " ")
}

// goal is the number of steps to train for.
func (r recipe) goal(gan arch.GAN, images int) (int, error) {
	perEpoch, steps := gan.Recipe.StepsPerEpoch(images), gan.Recipe.Steps
	if r.steps > 0 {
		steps = r.steps
	}
	switch {
	case steps > train.MaxSteps:
		return 0, fmt.Errorf("%d steps, want at most %d", steps, train.MaxSteps)
	case steps > 0:
		return steps, nil
	case perEpoch > 0 && gan.Recipe.Epochs > train.MaxSteps/perEpoch:
		return 0, fmt.Errorf("%d epochs of %d steps, want at most %d steps", gan.Recipe.Epochs, perEpoch, train.MaxSteps)
	}
	return gan.Recipe.Epochs * perEpoch, nil
}

// batchOf reads --batch of a command that has no other part of the recipe to
// change; without it the batch is 0.
func batchOf(c *cli.Context) (int, error) {
	n := c.Int("batch")
	if c.IsSet("batch") && (n < 1 || n > arch.MaxBatch) {
		return 0, command.Usage(c, "--batch %d: want 1 to %d", n, arch.MaxBatch)
	}
	return n, nil
}
