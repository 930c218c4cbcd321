package main

import "github.com/urfave/cli/v2"

func newPoints() *cli.Command {
	return trainsOn("points", "train a GAN on points of a parabola, or on a CSV file of one's own",
		"The 1000 points are drawn from the seed.",
		"gantrain points --epochs 500 --out runs/parabola")
}
