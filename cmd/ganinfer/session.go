package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"gorgonia.org/tensor"

	"github.com/gantrain/gantrain/cmd/internal/command"
	"github.com/gantrain/gantrain/internal/nearest"
	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/runtime/gorgonia"
	"github.com/gantrain/gantrain/runtime/modelinfo"
)

// session is an open model, on ONNX Runtime or on Gorgonia.
type session interface {
	Inputs() []runtime.Port
	Outputs() []runtime.Port
	Metadata() map[string]string
	Run(ctx context.Context, in map[string]*tensor.Dense) (map[string]*tensor.Dense, error)
	Close() error
}

// The runtimes, as --runtime names them.
const (
	onGorgonia    = "gorgonia"
	onONNXRuntime = "onnxruntime"
)

// engine says where and how a model runs.
type engine struct {
	runtime         string
	runtime.Options // of ONNX Runtime
}

// sessionFlags are what an engine is asked for by.
func sessionFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "runtime", Value: onONNXRuntime, Usage: "run the model by `WHICH`: onnxruntime, or gorgonia, which needs no shared library"},
	}, nativeFlags()...)
}

// nativeFlags are what ONNX Runtime is asked for by.
func nativeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "provider", Value: string(runtime.CPU), Usage: "run the model on `WHERE`: cpu, cuda, or auto (cuda where it loads, else cpu)"},
		&cli.StringFlag{Name: "onnxruntime", Usage: "load ONNX Runtime from the shared library `PATH` instead of the bundled one"},
	}
}

// runtimeOf reads --runtime.
func runtimeOf(c *cli.Context) (string, error) {
	name := c.String("runtime")
	if known := []string{onONNXRuntime, onGorgonia}; !slices.Contains(known, name) {
		return "", command.Usage(c, "--runtime %s: want onnxruntime or gorgonia%s", name, nearest.Hint(name, known))
	}
	return name, nil
}

// engineOf reads the flags.
func engineOf(c *cli.Context) (engine, error) {
	name, err := runtimeOf(c)
	if err != nil {
		return engine{}, err
	}
	for _, flag := range []string{"provider", "onnxruntime"} {
		if name == onGorgonia && c.IsSet(flag) {
			return engine{}, command.Usage(c, "--%s and --runtime gorgonia: want one of them", flag)
		}
	}
	options, err := nativeOptions(c)
	return engine{name, options}, err
}

// nativeOptions reads the flags for ONNX Runtime.
func nativeOptions(c *cli.Context) (runtime.Options, error) {
	given := c.String("provider")
	provider, err := runtime.ParseProvider(given)
	if err != nil {
		names := []string{string(runtime.CPU), string(runtime.CUDA), string(runtime.Auto)}
		return runtime.Options{}, command.Usage(c, "--provider %s: want cpu, cuda or auto%s", given, nearest.Hint(given, names))
	}
	return runtime.Options{Provider: provider, Library: c.String("onnxruntime")}, nil
}

// open opens a model. gpu says that a GPU computes. What the runtime has to say
// goes to stderr.
func (e engine) open(ctx context.Context, path string, stderr io.Writer) (s session, gpu bool, err error) {
	if e.runtime == onGorgonia {
		s, err := gorgonia.Open(ctx, path)
		if err != nil {
			return nil, false, err // and not a session that holds nil
		}
		return s, false, nil
	}
	native, err := runtime.Open(ctx, path, e.Options)
	if err != nil {
		return nil, false, err
	}
	sayProvider(native, stderr)
	return native, native.Provider() == runtime.CUDA, nil
}

// sayProvider says that auto has come to the CPU.
func sayProvider(s *runtime.Session, stderr io.Writer) {
	if note := s.Note(); note != "" {
		fmt.Fprintf(stderr, "ganinfer: %s; the model runs on the CPU\n", note)
	}
}

// maxNumbers bounds the input and the output of a run: a gibibyte of float32.
const maxNumbers = 1 << 28

// network is an open model that takes a batch of one kind of input.
type network struct {
	path    string
	session session
	gpu     bool           // computes
	info    modelinfo.Info // the range is set
	input   string
	label   string // the input for labels; "" where the model takes none
	batch   int    // rows in every run
}

// openNetwork loads a model whose metadata names that kind of network
// (modelinfo.Generator or Discriminator) or none, and returns its input of rank
// axes. The range and the batch are not set yet.
func openNetwork(ctx context.Context, path string, e engine, kind string, rank int, stderr io.Writer) (network, runtime.Port, error) {
	s, gpu, err := e.open(ctx, path, stderr)
	if err != nil {
		return network{}, runtime.Port{}, err
	}
	info, err := modelinfo.Parse(s.Metadata())
	if err != nil {
		s.Close()
		return network{}, runtime.Port{}, fmt.Errorf("%s: %w", path, err)
	}
	if info.Network != "" && info.Network != kind {
		s.Close()
		return network{}, runtime.Port{}, fmt.Errorf("%s: a %s, want a %s", path, info.Network, kind)
	}
	in, label, err := inputs(path, s, rank)
	if err != nil {
		s.Close()
		return network{}, runtime.Port{}, err
	}
	return network{path: path, session: s, gpu: gpu, info: info, input: in.Name, label: label}, in, nil
}

// fits returns an error where a batch of a port's rows is more than a run may
// hold. An axis whose size is not known yet, 0 or less, counts as 1.
func (n *network) fits(p runtime.Port, row ...int64) error {
	numbers := float64(n.batch) // a float, since a file may claim any size
	for _, size := range row {
		numbers *= float64(max(size, 1))
	}
	if numbers > maxNumbers {
		return fmt.Errorf("%s: %s has %.3g numbers for a batch of %d, want at most %d",
			n.path, printable(p.String()), numbers, n.batch, maxNumbers)
	}
	return nil
}

// defaults fills in the usual range where a model without our metadata does not tell
// its own, and says so; what is what else it is silent about.
func defaults(info *modelinfo.Info, lo, hi float64, path, what string, stderr io.Writer) {
	if info.Min == info.Max {
		info.Min, info.Max = lo, hi
		fmt.Fprintf(stderr, "ganinfer: %s does not tell its range of values: taking %g to %g%s\n", path, lo, hi, what)
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
