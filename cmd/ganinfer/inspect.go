package main

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"
	"google.golang.org/protobuf/proto"

	"github.com/gantrain/gantrain/cmd/internal/command"
	"github.com/gantrain/gantrain/export/onnxpb"
	"github.com/gantrain/gantrain/runtime"
)

func newInspect() *cli.Command {
	return &cli.Command{
		Name:      "inspect",
		Usage:     "say what a model holds: inputs, outputs, metadata, layers",
		ArgsUsage: "FILE.onnx",
		Description: "Reads any ONNX file; needs no ONNX Runtime. Example:\n\n" +
			"ganinfer inspect runs/digits/generator.onnx\n\n" +
			"Asked for a runtime, it loads the model there too, and fails with what the runtime can't honour:\n\n" +
			"ganinfer inspect --runtime gorgonia keras.onnx",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "runtime", Usage: "load the model by `WHICH` too: onnxruntime or gorgonia", DefaultText: "none"},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return command.Usage(c, "%d arguments, want one ONNX file", c.NArg())
			}
			path := c.Args().First()
			if !c.IsSet("runtime") {
				return inspect(c.App.Writer, path)
			}
			name, err := runtimeOf(c)
			if err != nil {
				return err
			}
			if err := inspect(c.App.Writer, path); err != nil {
				return err
			}
			s, _, err := engine{runtime: name}.open(c.Context, path, c.App.ErrWriter)
			if err != nil {
				return err
			}
			fmt.Fprintf(c.App.Writer, "\nloads in %s\n", name)
			return s.Close()
		},
	}
}

// inspect writes a report on the model file to w.
func inspect(w io.Writer, path string) error {
	model, size, err := readModel(path)
	if err != nil {
		return err
	}
	return writeReport(w, path, size, model)
}

// readModel decodes an ONNX file and returns its size in bytes too.
func readModel(path string) (*onnxpb.ModelProto, int64, error) {
	b, err := runtime.ReadFile(path)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", path, err)
	}
	model := new(onnxpb.ModelProto)
	if proto.Unmarshal(b, model) != nil { // its error says no more
		return nil, 0, fmt.Errorf("%s: not an ONNX model, or one that is damaged or cut short", path)
	}
	if model.IrVersion <= 0 || model.Graph == nil {
		return nil, 0, fmt.Errorf("%s: not an ONNX model: it has no IR version or no graph", path)
	}
	return model, int64(len(b)), nil
}
