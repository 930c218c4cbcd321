package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/gantrain/gantrain/cmd/internal/command"
	"github.com/gantrain/gantrain/train"
)

func newPublish() *cli.Command {
	return &cli.Command{
		Name:      "publish",
		Usage:     "make a folder of a run's generator, to be uploaded or served",
		ArgsUsage: "RUN FOLDER",
		Description: "Writes the newest generator as ONNX, plain, in half precision and with bytes for weights, its weights as safetensors, a model card with samples, and a model repository for NVIDIA's Triton server. The folder must not exist. Example:\n\n" +
			"gantrain publish runs/digits published",
		Flags: []cli.Flag{libraryFlag},
		Action: func(c *cli.Context) error {
			if c.NArg() != 2 {
				return command.Usage(c, "%d arguments, want a run folder and a new folder", c.NArg())
			}
			run, folder := c.Args().Get(0), c.Args().Get(1)
			if err := train.Publish(c.Context, run, folder, libraryOptions(c)); err != nil {
				return err
			}
			fmt.Fprintf(c.App.Writer, "%s: a model card, samples, weights, models and a repository for Triton\n", folder)
			return nil
		},
	}
}
