package train

import (
	"crypto/sha256"
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/gantrain/gantrain/train/arch"
	"github.com/gantrain/gantrain/train/dataset"
)

func labels(v gorgonia.Value) []int64 { return v.Data().([]int64) }

// checkLabels refuses data whose labels are none of the discriminator's classes.
func checkLabels(gan arch.GAN, data Examples) error {
	if !gan.Discriminator.Conditional() {
		return nil
	}
	name, _ := data.About()
	for i := range data.Len() {
		switch label := data.Label(i); {
		case label < 0:
			return fmt.Errorf("train: %s: its examples have no labels, which %s takes: want an IDX file of labels, or pictures in a folder for each class, 256 at most, with none beside those", name, gan.Name)
		case label >= gan.Classes:
			return fmt.Errorf("train: %s: example %d has label %d, %s takes 0 to %d", name, i, label, gan.Name, gan.Classes-1)
		}
	}
	return nil
}

// unseen are the classes of which the data has no example.
func unseen(gan arch.GAN, data Examples) (classes []int) {
	if !gan.Discriminator.Conditional() {
		return nil
	}
	seen := make([]bool, gan.Classes)
	for i := range data.Len() {
		seen[data.Label(i)] = true
	}
	for class, ok := range seen {
		if !ok {
			classes = append(classes, class)
		}
	}
	return classes
}

// drawLabels fills dst with classes, each equally likely.
func drawLabels(dst []int64, classes int, seed, stream, step uint64) {
	drawn := make([]int, len(dst))
	dataset.Draw(drawn, classes, seed, stream, step)
	for i, c := range drawn {
		dst[i] = int64(c)
	}
}

// labelSum is a checksum of the labels that a GAN learns from, empty if it
// takes none.
func labelSum(gan arch.GAN, data Examples) string {
	if !gan.Discriminator.Conditional() {
		return ""
	}
	h := sha256.New()
	for i := range data.Len() {
		fmt.Fprintln(h, data.Label(i))
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}
