package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/cmd/internal/command"
	"github.com/gantrain/gantrain/runtime"
)

// labels are the classes of pictures in order, over and over.
type labels []int64

// of is the class of a picture.
func (l labels) of(picture int) int64 { return l[picture%len(l)] }

// labelsOf reads --label and --labels; without them there are none.
func labelsOf(c *cli.Context) (labels, error) {
	flag := "labels"
	switch {
	case c.IsSet("label") && c.IsSet("labels"):
		return nil, command.Usage(c, "--label and --labels: want one of them")
	case c.IsSet("label"):
		flag = "label"
	case !c.IsSet("labels"):
		return nil, nil
	}
	words := []string{c.String(flag)}
	if flag == "labels" {
		words = strings.Split(words[0], ",")
	}
	var all labels
	for _, word := range words {
		label, err := strconv.ParseInt(strings.TrimSpace(word), 10, 64)
		if err != nil || label < 0 {
			return nil, command.Usage(c, "--%s %s: %q is no class, which is a number from 0 on", flag, c.String(flag), word)
		}
		all = append(all, label)
	}
	return all, nil
}

// checkLabels holds classes against the model, which must take labels if there
// are any.
func (n *network) checkLabels(all labels) error {
	if n.label == "" && len(all) > 0 {
		return fmt.Errorf("%s takes no labels, and some are asked for", n.path)
	}
	for _, label := range all {
		if n.info.Classes > 0 && label >= int64(n.info.Classes) {
			return fmt.Errorf("%s has no class %d: want 0 to %d", n.path, label, n.info.Classes-1)
		}
	}
	return nil
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
func folderLabels(files []string) (labels, error) {
	var all labels
	for _, file := range files {
		path, err := filepath.Abs(file)
		if err != nil {
			return nil, err
		}
		label, err := strconv.ParseUint(filepath.Base(filepath.Dir(path)), 10, 63)
		if err != nil {
			return nil, fmt.Errorf("%s: nothing tells its class: want --label, --labels, or a folder called by the class, as in 7/a.png", file)
		}
		all = append(all, int64(label))
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
