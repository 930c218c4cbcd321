// Command gantrain trains GANs and exports them as ONNX.
package main

import (
	"os"

	"github.com/urfave/cli/v2"

	"github.com/gantrain/gantrain/cmd/internal/command"
)

func main() {
	os.Exit(command.Run(app(), os.Args, os.Stdout, os.Stderr))
}

func app() *cli.App {
	return &cli.App{
		Name:  "gantrain",
		Usage: "train GANs and export them as ONNX",
		Commands: []*cli.Command{
			newMNIST(), newFashionMNIST(), newSVHN(), newPoints(), newTrain(),
			newResume(), newExport(), newPublish(), newBench(), newParity(), newList(), newShow(),
		},
	}
}
