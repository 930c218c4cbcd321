package main

import (
	"github.com/urfave/cli/v2"

	"github.com/gantrain/gantrain/cmd/internal/command"
	"github.com/gantrain/gantrain/internal/nearest"
	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/train"
)

func providerFlag(byDefault string) cli.Flag {
	return &cli.StringFlag{
		Name: "provider", Usage: "run ONNX Runtime on `WHERE`: cpu, cuda, or auto (cuda where it loads, else cpu)", DefaultText: byDefault,
	}
}

// providerOf reads --provider; without it the provider is empty.
func providerOf(c *cli.Context) (runtime.Provider, error) {
	if !c.IsSet("provider") {
		return "", nil
	}
	given := c.String("provider")
	provider, err := runtime.ParseProvider(given)
	if err != nil {
		names := []string{string(runtime.CPU), string(runtime.CUDA), string(runtime.Auto)}
		return "", command.Usage(c, "--provider %s: want cpu, cuda or auto%s", given, nearest.Hint(given, names))
	}
	if c.String("engine") == string(train.Tape) {
		return "", command.Usage(c, "--provider %s: engine tape has no providers", given)
	}
	return provider, nil
}
