package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/cmd/internal/command"
	"github.com/gantrain/gantrain/internal/nearest"
	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/runtime/modelinfo"
)

// sessionFlags say where and how a model runs.
func sessionFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "provider", Value: string(runtime.CPU), Usage: "run the model on `WHERE`: cpu, cuda, or auto (cuda where it loads, else cpu)"},
		&cli.StringFlag{Name: "onnxruntime", Usage: "load ONNX Runtime from the shared library `PATH` instead of the bundled one"},
	}
}

func sessionOptions(c *cli.Context) (runtime.Options, error) {
	given := c.String("provider")
	provider, err := runtime.ParseProvider(given)
	if err != nil {
		names := []string{string(runtime.CPU), string(runtime.CUDA), string(runtime.Auto)}
		return runtime.Options{}, command.Usage(c, "--provider %s: want cpu, cuda or auto%s", given, nearest.Hint(given, names))
	}
	return runtime.Options{Provider: provider, Library: c.String("onnxruntime")}, nil
}

// open loads a model, reads its metadata, and says on stderr what its session
// has to say.
func open(ctx context.Context, path string, o runtime.Options, stderr io.Writer) (*runtime.Session, modelinfo.Info, error) {
	s, err := runtime.Open(ctx, path, o)
	if err != nil {
		return nil, modelinfo.Info{}, err
	}
	if note := s.Note(); note != "" {
		fmt.Fprintf(stderr, "ganinfer: %s\n", note)
	}
	info, err := modelinfo.Parse(s.Metadata())
	if err != nil {
		s.Close()
		return nil, info, fmt.Errorf("%s: %w", path, err)
	}
	return s, info, nil
}

// defaults fills in the range that a model without our metadata does not tell,
// and says so; what is what else it is silent about.
func defaults(info *modelinfo.Info, path, what string, stderr io.Writer) {
	if info.Min == info.Max {
		info.Min, info.Max = -1, 1
		fmt.Fprintf(stderr, "ganinfer: %s does not tell its range of values: taking -1 to 1%s\n", path, what)
	}
}

// names lists ports for an error.
func names(ports []runtime.Port) string {
	var all []string
	for _, p := range ports {
		all = append(all, printable(p.String()))
	}
	return strings.Join(all, ", ")
}

// onlyInput returns a model's input if it has one only, of float32 numbers with
// so many axes.
func onlyInput(path string, s *runtime.Session, rank int) (runtime.Port, error) {
	in := s.Inputs()
	if len(in) != 1 || in[0].Dtype != tensor.Float32 || len(in[0].Shape) != rank {
		return runtime.Port{}, fmt.Errorf("%s: inputs %s, want a single one of float32 with %d axes", path, names(in), rank)
	}
	return in[0], nil
}

// floats returns the numbers of an output that a model has just given.
func floats(path, name string, outputs map[string]*tensor.Dense) ([]float32, tensor.Shape, error) {
	t := outputs[name]
	if t == nil {
		return nil, nil, fmt.Errorf("%s: the model gave no output %s", path, name)
	}
	data, ok := t.Data().([]float32)
	if !ok {
		return nil, nil, fmt.Errorf("%s: output %s is of %v, want float32", path, name, t.Dtype())
	}
	return data, t.Shape(), nil
}
