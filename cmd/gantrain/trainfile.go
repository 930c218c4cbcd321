package main

import (
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/gantrain/gantrain/cmd/internal/command"
	"github.com/gantrain/gantrain/internal/nearest"
	"github.com/gantrain/gantrain/train/arch"
)

func newTrain() *cli.Command {
	return &cli.Command{
		Name: "train", Usage: "train a GAN of one's own", ArgsUsage: "FILE.yaml",
		Description: trainingHelp("The file describes the networks and the recipe; 'gantrain show NAME --yaml' prints one to start from. Without --data it is trained on the data set that the file names: mnist, fashion-mnist, svhn or points.",
			"gantrain show silva-dcgan --yaml > my-gan.yaml\n"+
				"gantrain train my-gan.yaml --data pictures --epochs 10"),
		Flags: trainFlags(),
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return command.Usage(c, "want one file that describes a GAN, got %d arguments", c.NArg())
			}
			gan, err := arch.ReadYAML(c.Args().First())
			if err != nil {
				return err
			}
			s := sourceOf(gan.Dataset)
			if s == nil && c.String("data") == "" {
				var known []string
				for _, s := range sources {
					known = append(known, s.name)
				}
				return command.Usage(c, "%s names none of the data sets %s, so --data must say where the data is%s",
					c.Args().First(), strings.Join(known, ", "), nearest.Hint(gan.Dataset, known))
			}
			return trainGAN(c, gan, s)
		},
	}
}

// isYAML tells a file from the name of a published GAN.
func isYAML(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}
