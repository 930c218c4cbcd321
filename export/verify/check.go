package verify

import (
	"fmt"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// Check holds a model against what ONNX asks of any: every value has a name and
// is computed once, before it is read; what the model gives is computed; a
// weight has as many bytes as its type and shape ask for, here or in a file.
//
// Source: https://onnx.ai/onnx/repo-docs/IR.html
func Check(m *onnxpb.ModelProto) error {
	defined := map[string]bool{"": true} // an input left out
	define := func(what, name string) error {
		switch {
		case name == "":
			return fmt.Errorf("verify: %s has no name", what)
		case defined[name]:
			return fmt.Errorf("verify: %s %q has the name of another value", what, name)
		}
		defined[name] = true
		return nil
	}
	for _, v := range m.Graph.Input {
		if err := define("input", v.Name); err != nil {
			return err
		}
	}
	for _, t := range m.Graph.Initializer {
		if err := define("weight", t.Name); err != nil {
			return err
		}
		if want, ok := size(t); !ok || t.DataLocation == onnxpb.TensorProto_DEFAULT && int64(len(t.RawData)) != want {
			return fmt.Errorf("verify: weight %q has %d bytes, want %v %v", t.Name, len(t.RawData), onnxpb.TensorProto_DataType(t.DataType), t.Dims)
		}
	}
	for _, n := range m.Graph.Node {
		for _, name := range n.Input {
			if !defined[name] {
				return fmt.Errorf("verify: node %q (%s) reads %q, which nothing before it computes", n.Name, n.OpType, name)
			}
		}
		for _, name := range n.Output {
			if name == "" {
				continue
			}
			if err := define("the output of node "+n.Name, name); err != nil {
				return err
			}
		}
	}
	for _, v := range m.Graph.Output {
		if !defined[v.Name] {
			return fmt.Errorf("verify: nothing computes output %q", v.Name)
		}
	}
	return nil
}

// size is how many bytes a weight has.
func size(t *onnxpb.TensorProto) (bytes int64, ok bool) {
	bytes, ok = map[onnxpb.TensorProto_DataType]int64{
		onnxpb.TensorProto_FLOAT: 4, onnxpb.TensorProto_DOUBLE: 8, onnxpb.TensorProto_INT64: 8, onnxpb.TensorProto_INT32: 4,
		onnxpb.TensorProto_UINT8: 1, onnxpb.TensorProto_INT8: 1, onnxpb.TensorProto_BOOL: 1, onnxpb.TensorProto_FLOAT16: 2,
	}[onnxpb.TensorProto_DataType(t.DataType)]
	for _, d := range t.Dims {
		if d < 0 || d > 1<<31 || bytes > 1<<40 {
			return 0, false
		}
		bytes *= d
	}
	return bytes, ok
}
