package main

import "github.com/urfave/cli/v2"

func newFashionMNIST() *cli.Command {
	return trainsOn("fashion-mnist", "train a GAN on Fashion-MNIST's articles of clothing, or on data of one's own",
		"Fashion-MNIST (26 MB) is downloaded at first use.",
		"gantrain fashion-mnist --gan michelucci-dcgan --epochs 5 --out runs/fashion")
}
