// Command ganinfer runs exported GANs on ONNX Runtime or Gorgonia: it makes pictures with a
// generator, judges pictures with a discriminator, and says what a model holds.
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
		Name:     "ganinfer",
		Usage:    "run exported GANs",
		Commands: []*cli.Command{newGenerate(), newDiscriminate(), newInspect(), newCrosscheck(), newVerify()},
	}
}
