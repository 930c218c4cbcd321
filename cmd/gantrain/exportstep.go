package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/gantrain/gantrain/cmd/internal/command"
	"github.com/gantrain/gantrain/train"
	"github.com/gantrain/gantrain/train/arch"
)

// exportStep writes a training step, and beside it the state that it starts
// from.
func exportStep(c *cli.Context, o exportOptions) error {
	if c.IsSet("network") {
		return command.Usage(c, "--network: not with --step, which trains both")
	}
	for _, flag := range []string{"target", "fold-batchnorm", "float16", "int8", "uint8-image", "nhwc", "opset", "external-data", "report"} {
		if c.IsSet(flag) {
			return command.Usage(c, "--%s: not with --step", flag)
		}
	}
	if o.plain {
		return command.Usage(c, "--plain: not with --step, which keeps both")
	}
	if _, err := batchOf(c); err != nil {
		return err
	}
	if c.IsSet("gan") && c.NArg() != 0 || !c.IsSet("gan") && c.NArg() != 1 {
		return command.Usage(c, "want --gan or one run folder or checkpoint, got %d arguments", c.NArg())
	}
	if o.to == "" {
		o.to = "step.onnx"
	}
	model, err := stepModel(c, o)
	if err != nil {
		return err
	}
	state := strings.TrimSuffix(o.to, ".onnx") + ".safetensors"
	for _, path := range []string{o.to, state} {
		if err := command.NewFile(path, o.force); err != nil {
			return err
		}
	}
	if err := model.ExportStep(c.Context, o.to, o.options.Runtime); err != nil {
		return err
	}
	if err := model.Save(state); err != nil {
		return err
	}
	fmt.Fprintf(o.stdout, "%s: a training step of %s at batch %d: on ONNX Runtime with the losses of its graphs\n",
		o.to, model.GAN.Name, model.GAN.Recipe.Batch)
	fmt.Fprintf(o.stdout, "%s: its state after %d steps\n", state, model.Step)
	return nil
}

// stepModel is the model whose step is asked for.
func stepModel(c *cli.Context, o exportOptions) (*train.Model, error) {
	var model *train.Model
	if c.IsSet("gan") {
		gan, err := arch.Find(o.gan, "")
		if err != nil {
			return nil, command.Usage(c, "%s", err)
		}
		const seed = 1 // as that of a run
		state, err := train.NewState(gan, seed)
		if err != nil {
			return nil, err
		}
		model = &train.Model{GAN: gan, State: state, Seed: seed}
	} else {
		var err error
		if model, err = loadModel(o.from); err != nil {
			return nil, err
		}
	}
	if o.batch > 0 && o.batch != model.GAN.Recipe.Batch {
		model.GAN.Recipe.Batch = o.batch
		model.Arguments = withArguments(model.Arguments, fmt.Sprintf("batch=%d", o.batch))
	}
	return model, nil
}
