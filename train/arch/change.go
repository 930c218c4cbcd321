package arch

import "slices"

// What documents discuss and none of them does in its listing: changes of a
// recipe. Each leaves the updates of other recipes alone.

// SetMinimax makes the generator lower log(1 - D(G(z))) instead of -log D(G(z)),
// or the other way round (Goodfellow and others 2014, equation 1 and the end of
// section 3).
func (r *Recipe) SetMinimax(on bool) {
	r.each(Generator, func(u *Update) {
		u.Minimax, u.FakeLabel = on, 1
		if on {
			u.FakeLabel = 0
		}
	})
}

// Smooth labels the discriminator's real examples, and those alone (Salimans and
// others 2016, section 3.4).
func (r *Recipe) Smooth(label float64) {
	r.each(Discriminator, func(u *Update) { u.RealLabel = label })
}

// SetSimultaneous makes all updates of a step start from the weights before it,
// and from the same noise; or each from what the one before it left.
func (r *Recipe) SetSimultaneous(on bool) {
	r.Simultaneous = on
	if on {
		first := r.Updates[0].Noise
		r.each("", func(u *Update) { u.Noise = first })
	}
}

// Repeat trains a network n times in a step (Goodfellow and others 2014,
// algorithm 1, has the discriminator trained so). What comes to be repeated sees
// noise of its own and, the discriminator, real examples of its own.
func (r *Recipe) Repeat(trained Role, n int) {
	updates, noise, real := slices.Clone(r.Updates), 0, r.Reals()
	var places []int // of the network's updates
	for i, u := range updates {
		noise = max(noise, u.Noise)
		if u.Trains == trained {
			places = append(places, i)
		}
	}
	for ; len(places) > n; places = places[:len(places)-1] {
		last := places[len(places)-1]
		updates = slices.Delete(updates, last, last+1)
	}
	for len(places) > 0 && len(places) < n {
		last := places[len(places)-1]
		u := updates[last]
		noise++
		u.Noise = noise
		if trained == Discriminator {
			u.Real = real
			real++
		}
		updates, places = slices.Insert(updates, last+1, u), append(places, last+1)
	}
	r.Updates = updates
}

// each changes the updates of a network, or all, in a list of their own.
func (r *Recipe) each(trained Role, change func(*Update)) {
	r.Updates = slices.Clone(r.Updates)
	for i := range r.Updates {
		if trained == "" || r.Updates[i].Trains == trained {
			change(&r.Updates[i])
		}
	}
}
