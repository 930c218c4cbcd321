package arch

import (
	"fmt"
	"slices"
)

// Embedding looks up Size values for the example's label, which counts from 0;
// its weight is [classes, size]. It stands at the beginning of a [Condition].
type Embedding struct {
	Classes, Size int
	Init          Init
}

// Condition shows the network the example's label: what its layers make of it,
// an Embedding first, is joined to the input as further channels of a picture
// or as further features.
type Condition struct{ Layers Layers }

func (Embedding) Kind() string { return "embedding" }
func (Condition) Kind() string { return "condition" }

// Output of an embedding: the shape of a label is nil.
func (l Embedding) Output(in Shape) (Shape, error) {
	if in != nil {
		return nil, fmt.Errorf("takes a label, not %v: its place is the beginning of a condition", in)
	}
	if l.Classes < 1 || l.Classes > maxClasses {
		return nil, fmt.Errorf("%d classes, want 1 to %d", l.Classes, maxClasses)
	}
	return Shape{l.Size}, nil
}

func (l Condition) Output(in Shape) (Shape, error) {
	rows, err := l.rows("")
	if err != nil {
		return nil, err
	}
	made := rows[len(rows)-1].Output
	if len(made) != len(in) || !slices.Equal(made[1:], in[1:]) {
		return nil, fmt.Errorf("makes %v of the label, which can't be joined to %v", made, in)
	}
	out := slices.Clone(in)
	out[0] += made[0]
	return out, nil
}

// rows follows a label through the layers.
func (l Condition) rows(prefix string) ([]Row, error) {
	if len(l.Layers) == 0 {
		return nil, fmt.Errorf("has no layers")
	}
	if _, ok := l.Layers[0].(Embedding); !ok {
		return nil, fmt.Errorf("begins without an embedding of the label")
	}
	if l.Layers.conditional() {
		return nil, fmt.Errorf("holds another condition")
	}
	return stack(prefix, nil, l.Layers)
}

func (l Layers) conditional() bool {
	return slices.ContainsFunc(l, func(l Layer) bool {
		_, ok := l.(Condition)
		return ok
	})
}

func (l Embedding) Params(Shape) []Param {
	return []Param{{Name: "weight", Shape: Shape{l.Classes, l.Size}, Init: l.Init}}
}

// Params are those of the layers within: "embedding1/weight".
func (l Condition) Params(Shape) []Param {
	rows, _ := l.rows("") // an error is Output's to tell
	var params []Param
	for _, r := range rows {
		for _, p := range r.Params {
			p.Name = r.Name + "/" + p.Name
			params = append(params, p)
		}
	}
	return params
}

// Conditional reports whether the network takes labels.
func (n Network) Conditional() bool { return n.Layers.conditional() }

// checkClasses holds what the networks take for labels against the GAN's classes.
func (g GAN) checkClasses() error {
	if g.Classes != 0 && !g.Generator.Conditional() && !g.Discriminator.Conditional() {
		return fmt.Errorf("%d classes, and neither network takes labels", g.Classes)
	}
	for _, part := range []struct {
		role Role
		net  Network
	}{{Generator, g.Generator}, {Discriminator, g.Discriminator}} {
		rows, err := part.net.Rows()
		if err != nil {
			return err
		}
		for _, r := range rows {
			if len(r.Rows) == 0 {
				continue
			}
			if e := r.Rows[0].Layer.(Embedding); e.Classes != g.Classes {
				return fmt.Errorf("%s: layer %s: takes labels of %d classes, the GAN has %d", part.role, r.Name, e.Classes, g.Classes)
			}
		}
	}
	return nil
}
