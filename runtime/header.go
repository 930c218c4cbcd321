package runtime

import (
	"errors"
	"fmt"

	"github.com/gantrain/gantrain/runtime/ort"
)

// header is what a caller needs to know of a model. It is read straight from
// the serialised message, stepping over the weights: the binding tells a
// model's inputs and outputs only by building a second session.
type header struct {
	inputs, outputs []Port
	metadata        map[string]string
	weights         map[string]bool
	external        [][]byte // weights kept in other files: TensorProtos
}

var (
	errForeign = errors.New("not an ONNX model")
	errDamaged = errors.New("an ONNX model that is damaged or cut short")
)

// parseHeader reads a ModelProto.
func parseHeader(model []byte) (*header, error) {
	h := &header{metadata: map[string]string{}, weights: map[string]bool{}}
	failure := errForeign
	var graph []byte
	err := fields(model, func(f field) error {
		switch f.number {
		case modelIRVersion: // the first field that every writer writes
			failure = errDamaged
		case modelGraph:
			graph = f.bytes
		case modelMetadata:
			return h.readMetadata(f.bytes)
		}
		return nil
	})
	if err != nil || graph == nil {
		return nil, failure
	}
	if err := fields(graph, h.readGraph); err != nil {
		return nil, failure
	}
	h.dropWeights()
	if err := h.check(); err != nil {
		return nil, err
	}
	return h, nil
}

// Describe tells a serialised model's inputs, outputs and metadata without
// running it. It steps over the weights, wherever they are kept.
func Describe(model []byte) (inputs, outputs []Port, metadata map[string]string, err error) {
	h, err := parseHeader(model)
	if err != nil {
		return nil, nil, nil, err
	}
	return h.inputs, h.outputs, h.metadata, nil
}

// readMetadata reads a StringStringEntryProto.
func (h *header) readMetadata(entry []byte) error {
	var key, value string
	err := fields(entry, func(f field) error {
		switch f.number {
		case entryKey:
			key = string(f.bytes)
		case entryValue:
			value = string(f.bytes)
		}
		return nil
	})
	h.metadata[key] = value
	return err
}

// readGraph reads one field of a GraphProto.
func (h *header) readGraph(f field) error {
	switch f.number {
	case graphNode:
		return h.readNode(f.bytes, 0)
	case graphInitializer:
		name, err := h.readWeight(f.bytes)
		h.weights[name] = true
		return err
	case graphInput:
		p, err := readPort(f.bytes)
		h.inputs = append(h.inputs, p)
		return err
	case graphOutput:
		p, err := readPort(f.bytes)
		h.outputs = append(h.outputs, p)
		return err
	}
	return nil
}

// readWeight reads a TensorProto, but not its elements.
func (h *header) readWeight(message []byte) (name string, err error) {
	elsewhere := false
	err = fields(message, func(f field) error {
		switch f.number {
		case tensorName:
			name = string(f.bytes)
		case tensorLocation:
			elsewhere = f.varint == locationExternal
		}
		return nil
	})
	if elsewhere {
		h.external = append(h.external, message)
	}
	return name, err
}

// maxBodies is how deep the bodies of loops and branches may lie in one another.
const maxBodies = 100

// readNode reads the weights of a NodeProto's bodies.
func (h *header) readNode(message []byte, depth int) error {
	if depth > maxBodies {
		return errDamaged
	}
	return fields(message, func(f field) error {
		if f.number != nodeAttribute {
			return nil
		}
		return fields(f.bytes, func(f field) error {
			if f.number != attributeGraph && f.number != attributeGraphs {
				return nil
			}
			return fields(f.bytes, func(f field) error {
				switch f.number {
				case graphNode:
					return h.readNode(f.bytes, depth+1)
				case graphInitializer:
					_, err := h.readWeight(f.bytes)
					return err
				}
				return nil
			})
		})
	})
}

// dropWeights takes out of the inputs what up to IR version 3 had to be listed
// there although it has a value.
func (h *header) dropWeights() {
	kept := h.inputs[:0]
	for _, p := range h.inputs {
		if !h.weights[p.Name] {
			kept = append(kept, p)
		}
	}
	h.inputs = kept
}

// check refuses what could not be run.
func (h *header) check() error {
	if len(h.inputs) == 0 || len(h.outputs) == 0 {
		return fmt.Errorf("the model has %d inputs and %d outputs: expected one of each at least", len(h.inputs), len(h.outputs))
	}
	if err := checkTypes("input", h.inputs); err != nil {
		return err
	}
	return checkTypes("output", h.outputs)
}

func checkTypes(side string, ports []Port) error {
	for _, p := range ports {
		if !ort.Supported(p.Dtype) {
			return fmt.Errorf("%s %q is of an unsupported type: expected an array of float32, float64, int32, int64, uint8 or bool", side, p.Name)
		}
	}
	return nil
}
