package arch

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Of another recipe, no change is seen.
func TestChanges(t *testing.T) {
	d, g := Update{Trains: Discriminator, RealLabel: 1}, Update{Trains: Generator, Noise: 1, FakeLabel: 1}
	with := func(u Update, change func(*Update)) Update {
		change(&u)
		return u
	}
	noise := func(n int) func(*Update) { return func(u *Update) { u.Noise = n } }
	for _, c := range []struct {
		name   string
		before []Update
		change func(*Recipe)
		want   []Update
	}{
		{"minimax", []Update{d, g, g}, func(r *Recipe) { r.SetMinimax(true) },
			[]Update{d, {Trains: Generator, Noise: 1, Minimax: true}, {Trains: Generator, Noise: 1, Minimax: true}}},
		{"non-saturating", []Update{d, {Trains: Generator, Noise: 1, Minimax: true}}, func(r *Recipe) { r.SetMinimax(false) }, []Update{d, g}},
		{"smoothed", []Update{d, g}, func(r *Recipe) { r.Smooth(0.9) }, []Update{with(d, func(u *Update) { u.RealLabel = 0.9 }), g}},
		{"simultaneous", []Update{d, g}, func(r *Recipe) { r.SetSimultaneous(true) }, []Update{d, with(g, noise(0))}},
		{"alternating", []Update{d, g}, func(r *Recipe) { r.SetSimultaneous(false) }, []Update{d, g}},
		{"D three times", []Update{d, g}, func(r *Recipe) { r.Repeat(Discriminator, 3) }, []Update{
			d, {Trains: Discriminator, RealLabel: 1, Noise: 2, Real: 1}, {Trains: Discriminator, RealLabel: 1, Noise: 3, Real: 2}, g,
		}},
		{"G twice", []Update{g, d}, func(r *Recipe) { r.Repeat(Generator, 2) }, []Update{g, with(g, noise(2)), d}},
		{"G once of twice", []Update{d, g, with(g, noise(5))}, func(r *Recipe) { r.Repeat(Generator, 1) }, []Update{d, g}},
		{"G twice as it is", []Update{d, g, g}, func(r *Recipe) { r.Repeat(Generator, 2) }, []Update{d, g, g}},
		{"G three times of twice", []Update{d, g, g}, func(r *Recipe) { r.Repeat(Generator, 3) }, []Update{d, g, g, with(g, noise(2))}},
		{"D of none", []Update{g}, func(r *Recipe) { r.Repeat(Discriminator, 2) }, []Update{g}},
	} {
		other := Recipe{Updates: c.before}
		kept := append([]Update(nil), c.before...)
		r := other
		c.change(&r)
		if diff := cmp.Diff(c.want, r.Updates); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if diff := cmp.Diff(kept, other.Updates); diff != "" {
			t.Errorf("%s changes the recipe that it was made from:\n%s", c.name, diff)
		}
		if r.Simultaneous != (c.name == "simultaneous") {
			t.Errorf("%s: simultaneous is %v", c.name, r.Simultaneous)
		}
	}
}

func TestPhases(t *testing.T) {
	r := Recipe{
		Updates: []Update{{Trains: Discriminator}, {Trains: Generator}, {Trains: Generator}},
		Phases:  []Phase{{Discriminator, 3}, {Generator, 2}},
	}
	trained := map[Role]int{}
	for step := range 23 {
		want := []Role{Discriminator, Discriminator, Discriminator, Generator, Generator}[step%5]
		if got := r.Phase(step); got != want {
			t.Errorf("step %d trains the %s, want the %s", step, got, want)
		}
		for _, role := range []Role{Generator, Discriminator} {
			if got := r.Trained(role, step); got != trained[role] {
				t.Errorf("before step %d the %s was trained in %d steps, want %d", step, role, got, trained[role])
			}
		}
		trained[want]++
	}
	for role, want := range map[Role]int{"": 3, Generator: 2, Discriminator: 1} {
		if got := len(r.Alone(role).Updates); got != want {
			t.Errorf("%q alone has %d updates, want %d", role, got, want)
		}
	}
	if both := (Recipe{}); both.Phase(7) != "" || both.Trained(Generator, 7) != 7 {
		t.Errorf("without phases step 7 trains %q, after %d steps", both.Phase(7), both.Trained(Generator, 7))
	}
}
