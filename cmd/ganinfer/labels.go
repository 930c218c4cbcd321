package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/cmd/internal/command"
	"github.com/gantrain/gantrain/internal/nearest"
	"github.com/gantrain/gantrain/runtime"
)

// labels are the classes of pictures in order, over and over.
type labels []int64

// of is the class of a picture.
func (l labels) of(picture int) int64 { return l[picture%len(l)] }

// classesOf reads --label and --labels, each class a number or a name; without them
// there are none.
func classesOf(c *cli.Context) ([]string, error) {
	switch {
	case c.IsSet("label") && c.IsSet("labels"):
		return nil, command.Usage(c, "--label and --labels: want one of them")
	case c.IsSet("label"):
		return []string{c.String("label")}, nil
	case !c.IsSet("labels"):
		return nil, nil
	}
	all := strings.Split(c.String("labels"), ",")
	for i, class := range all {
		all[i] = strings.TrimSpace(class)
	}
	return all, nil
}

// labelsOf are the labels of classes, none of which the model must lack.
func (n *network) labelsOf(classes []string) (all labels, err error) {
	if n.label == "" && len(classes) > 0 {
		return nil, fmt.Errorf("%s takes no labels, and some are asked for", n.path)
	}
	for _, class := range classes {
		label, err := n.labelOf(class)
		if err != nil {
			return nil, err
		}
		all = append(all, label)
	}
	return all, nil
}

// labelOf finds a class by its name, which may be a number too, or by its number.
func (n *network) labelOf(class string) (int64, error) {
	known, names := n.info.Classes, n.info.ClassNames
	if i := slices.Index(names, class); i >= 0 {
		return int64(i), nil
	}
	label, err := strconv.ParseInt(class, 10, 64)
	switch {
	case err == nil && label >= 0 && (known == 0 || label < int64(known)):
		return label, nil
	case known == 0:
		return 0, fmt.Errorf("%s has no class %.80q: want a number from 0 on", n.path, class)
	case len(names) == 0:
		return 0, fmt.Errorf("%s has no class %.80q: want 0 to %d", n.path, class, known-1)
	}
	return 0, fmt.Errorf("%s has no class %.80q: want 0 to %d, or one of %.200q%s", n.path, class, known-1, strings.Join(names, ", "), nearest.Hint(class, names))
}

// everyClass lists the classes that the model's metadata tells of.
func (n *network) everyClass() (labels, error) {
	if n.info.Classes == 0 {
		return nil, fmt.Errorf("%s takes labels, but does not tell its number of classes: give some by --label or --labels", n.path)
	}
	all := make(labels, n.info.Classes)
	for class := range all {
		all[class] = int64(class)
	}
	return all, nil
}

// folderLabels reads the class of each file off the folder that it lies in.
func (n *network) folderLabels(files []string) (all labels, err error) {
	for _, file := range files {
		path, err := filepath.Abs(file)
		if err != nil {
			return nil, err
		}
		label, err := n.labelOf(filepath.Base(filepath.Dir(path)))
		if err != nil {
			return nil, fmt.Errorf("%s: its folder tells no class, nor do --label and --labels: %w", file, err)
		}
		all = append(all, label)
	}
	return all, nil
}

// feed is the input of one run: rows, and, where the model takes labels, those
// of the pictures from first on.
func (n *network) feed(rows *tensor.Dense, all labels, first int) map[string]*tensor.Dense {
	in := map[string]*tensor.Dense{n.input: rows}
	if n.label != "" {
		batch := make([]int64, n.batch)
		for i := range batch {
			batch[i] = all.of(first + i)
		}
		in[n.label] = tensor.New(tensor.WithShape(n.batch, 1), tensor.WithBacking(batch))
	}
	return in
}

// inputs returns the input of float32 numbers with so many axes and, where there
// is one, that of labels: int64 [batch, 1].
func inputs(path string, s session, rank int) (in runtime.Port, label string, err error) {
	var found, labels []runtime.Port
	for _, p := range s.Inputs() {
		switch {
		case p.Dtype == tensor.Float32 && len(p.Shape) == rank:
			found = append(found, p)
		case p.Dtype == tensor.Int64 && len(p.Shape) == 2 && p.Shape[1] == 1:
			labels = append(labels, p)
		}
	}
	if len(found) != 1 || len(labels) > 1 || len(found)+len(labels) != len(s.Inputs()) {
		return in, "", fmt.Errorf("%s: inputs %s, want one of float32 with %d axes, and no other but int64 labels [batch, 1]", path, names(s.Inputs()), rank)
	}
	if len(labels) == 1 {
		label = labels[0].Name
	}
	return found[0], label, nil
}
