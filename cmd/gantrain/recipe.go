package main

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/gantrain/gantrain/cmd/internal/command"
	"github.com/gantrain/gantrain/internal/nearest"
	"github.com/gantrain/gantrain/train"
	"github.com/gantrain/gantrain/train/arch"
)

// setting is a flag that changes a recipe; what is not given stays as published.
type setting struct {
	flag cli.Flag
	read reader
}

// reader returns the change that a flag asks for, or says what the flag wants.
type reader func(c *cli.Context, name string) (change func(*arch.Recipe), want string)

// recipeSettings are in the order in which they change a recipe.
func recipeSettings() []setting {
	const published = "the recipe's"
	above0 := func(x float64) bool { return x > 0 && x <= 1 }
	below1 := func(x float64) bool { return x > 0 && x < 1 }
	rate := func(role arch.Role) func(*arch.Recipe, float64) {
		return func(r *arch.Recipe, rate float64) {
			adam := r.Adam[role]
			adam.Rate = rate
			r.Adam = maps.Clone(r.Adam)
			r.Adam[role] = adam
		}
	}
	repeat := func(role arch.Role) func(*arch.Recipe, int) {
		return func(r *arch.Recipe, n int) { r.Repeat(role, n) }
	}
	alone := func(role arch.Role) func(*arch.Recipe, int) {
		return func(r *arch.Recipe, n int) { r.Phases = append(r.Phases, arch.Phase{Trains: role, Steps: n}) }
	}
	const wantRate = "a learning rate above 0, at most 1"
	return []setting{
		{
			&cli.IntFlag{Name: "epochs", Usage: "train for `N` passes over the data", DefaultText: published},
			integer(0, func(r *arch.Recipe, n int) { r.Epochs, r.Steps = n, 0 }),
		}, {
			&cli.IntFlag{Name: "steps", Usage: "train for `N` steps, whatever the epochs", DefaultText: "the recipe's, or as many as the epochs have"},
			integer(0, func(r *arch.Recipe, n int) { r.Steps = n }),
		}, {
			&cli.IntFlag{Name: "batch", Usage: "show `N` real images at a time", DefaultText: published},
			integer(arch.MaxBatch, func(r *arch.Recipe, n int) { r.Batch = n }),
		}, {
			&cli.Float64Flag{Name: "d-rate", Usage: "set the discriminator's learning `RATE`", DefaultText: published},
			number(wantRate, above0, rate(arch.Discriminator)),
		}, {
			&cli.Float64Flag{Name: "g-rate", Usage: "set the generator's learning `RATE`", DefaultText: published},
			number(wantRate, above0, rate(arch.Generator)),
		}, {
			&cli.StringFlag{Name: "g-loss", Usage: "make the generator lower `LOSS`: non-saturating is -log D(G(z)), minimax log(1 - D(G(z)))", DefaultText: published},
			word("non-saturating", "minimax", (*arch.Recipe).SetMinimax),
		}, {
			&cli.Float64Flag{Name: "smooth", Usage: "show the discriminator real images with the `LABEL`, as 0.9", DefaultText: published},
			number("a label above 0, at most 1", above0, (*arch.Recipe).Smooth),
		}, {
			&cli.StringFlag{Name: "order", Usage: "train the networks in `ORDER`: alternating, one after the other, or simultaneous, both from the weights before the step", DefaultText: published},
			word("alternating", "simultaneous", (*arch.Recipe).SetSimultaneous),
		}, {
			&cli.IntFlag{Name: "d-steps", Usage: "train the discriminator `N` times in a step", DefaultText: published},
			integer(maxRepeats, repeat(arch.Discriminator)),
		}, {
			&cli.IntFlag{Name: "g-steps", Usage: "train the generator `N` times in a step", DefaultText: published},
			integer(maxRepeats, repeat(arch.Generator)),
		}, {
			&cli.IntFlag{Name: "d-alone", Usage: "train the discriminator alone for `N` steps, then the generator for --g-alone, and again", DefaultText: "both in each step"},
			integer(arch.MaxPhase, alone(arch.Discriminator)),
		}, {
			&cli.IntFlag{Name: "g-alone", Usage: "train the generator alone for `N` steps after --d-alone", DefaultText: "both in each step"},
			integer(arch.MaxPhase, alone(arch.Generator)),
		}, {
			&cli.Float64Flag{Name: "ema", Usage: "export a running average of the generator's weights, which decays by `DECAY` with each update, as 0.999", DefaultText: "none"},
			number("a decay above 0, below 1", below1, func(r *arch.Recipe, decay float64) { r.EMA = decay }),
		},
	}
}

// maxRepeats bounds the updates of one network in a step: each is a part of the
// model that runs it.
const maxRepeats = 16

func recipeFlags() (flags []cli.Flag) {
	for _, s := range recipeSettings() {
		flags = append(flags, s.flag)
	}
	return flags
}

// withRecipe returns a GAN with the recipe that the flags ask for, and in words
// those that change the numbers of a step.
func withRecipe(c *cli.Context, gan arch.GAN) (arch.GAN, string, error) {
	if c.IsSet("d-alone") != c.IsSet("g-alone") {
		return gan, "", command.Usage(c, "--d-alone and --g-alone go together: one network trained alone stays alone")
	}
	if c.IsSet("d-alone") {
		gan.Recipe.Phases = nil // the flags are all of them
	}
	var changes []string
	for _, s := range recipeSettings() {
		name := s.flag.Names()[0]
		if !c.IsSet(name) {
			continue
		}
		change, want := s.read(c, name)
		if want != "" {
			return gan, "", command.Usage(c, "--%s %v: want %s", name, c.Value(name), want)
		}
		before := gan.Recipe
		change(&gan.Recipe)
		if name != "epochs" && name != "steps" && !reflect.DeepEqual(before, gan.Recipe) {
			changes = append(changes, fmt.Sprintf("%s=%v", name, c.Value(name)))
		}
	}
	apart := func(u arch.Update) bool { return u.Only != "" }
	switch repeated := slices.IndexFunc([]string{"d-steps", "g-steps"}, c.IsSet); {
	case len(gan.Recipe.Phases) > 0 && repeated >= 0:
		return gan, "", command.Usage(c, "--d-steps and --g-steps share out a step that trains both networks; with --d-alone and --g-alone, or phases in a file, there is none")
	case c.IsSet("d-steps") && slices.ContainsFunc(gan.Recipe.Updates, apart):
		return gan, "", command.Usage(c, "--d-steps: this recipe shows the discriminator real and generated images in turn, one update for each")
	}
	if err := gan.Check(); err != nil {
		return gan, "", command.Usage(c, "the flags make no recipe: %s", err)
	}
	return gan, strings.Join(changes, " "), nil
}

// integer reads a number from 1 on; most 0 sets no limit.
func integer(most int, change func(*arch.Recipe, int)) reader {
	return func(c *cli.Context, name string) (func(*arch.Recipe), string) {
		n := c.Int(name)
		switch {
		case n < 1:
			return nil, "at least 1"
		case most > 0 && n > most:
			return nil, fmt.Sprintf("at most %d", most)
		}
		return func(r *arch.Recipe) { change(r, n) }, ""
	}
}

func number(want string, allowed func(float64) bool, change func(*arch.Recipe, float64)) reader {
	return func(c *cli.Context, name string) (func(*arch.Recipe), string) {
		x := c.Float64(name)
		if !allowed(x) {
			return nil, want
		}
		return func(r *arch.Recipe) { change(r, x) }, ""
	}
}

// word reads one of two words, of which the second sets what change is told.
func word(off, on string, change func(*arch.Recipe, bool)) reader {
	return func(c *cli.Context, name string) (func(*arch.Recipe), string) {
		w := c.String(name)
		if w != off && w != on {
			return nil, fmt.Sprintf("%s or %s%s", off, on, nearest.Hint(w, []string{off, on}))
		}
		return func(r *arch.Recipe) { change(r, w == on) }, ""
	}
}

// goal is the number of steps of a recipe.
func goal(gan arch.GAN, images int) (int, error) {
	perEpoch, steps := gan.Recipe.StepsPerEpoch(images), gan.Recipe.Steps
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
