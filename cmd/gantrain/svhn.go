package main

import "github.com/urfave/cli/v2"

func newSVHN() *cli.Command {
	return trainsOn("svhn", "train a GAN on SVHN's house numbers, or on data of one's own",
		"SVHN (182 MB, for non-commercial use) is downloaded at first use.",
		"gantrain svhn --gan silva-dcgan --epochs 1 --out runs/numbers")
}
