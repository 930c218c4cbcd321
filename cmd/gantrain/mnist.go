package main

import "github.com/urfave/cli/v2"

func newMNIST() *cli.Command {
	return trainsOn("mnist", "train a GAN on MNIST's digits, or on data of one's own",
		"Real MNIST is fetched at first use.",
		"gantrain mnist --gan guo-mlp --epochs 3 --seed 1 --out runs/digits")
}
