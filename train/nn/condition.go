package nn

import (
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/op"
)

// condition joins to x what the layers within make of the labels.
func (n *Net) condition(r arch.Row, x *gorgonia.Node, labels []*gorgonia.Node, mask Masker) (*gorgonia.Node, error) {
	var made *gorgonia.Node
	for _, inner := range r.Rows {
		var err error
		if made, err = n.named(inner, made, labels, mask); err != nil {
			return nil, err
		}
	}
	return op.Concat(1, x, made)
}

// embedding looks up the labels of one array after the other.
func embedding(table *gorgonia.Node, labels []*gorgonia.Node) (y *gorgonia.Node, err error) {
	if len(labels) == 0 {
		return nil, fmt.Errorf("no labels are given")
	}
	for i, label := range labels {
		rows, err := op.Embedding(table, label)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			y = rows
		} else if y, err = op.Concat(0, y, rows); err != nil {
			return nil, err
		}
	}
	return y, nil
}
