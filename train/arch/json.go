package arch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
)

// Layers is a list of layers that can be stored as JSON: each layer is an
// object with one member, its kind, that holds its settings.
type Layers []Layer

// kinds has one value of each layer type.
var kinds = []Layer{
	Dense{}, Conv2D{}, ConvTranspose2D{}, BatchNorm{}, LeakyReLU{}, ReLU{},
	Tanh{}, Sigmoid{}, Dropout{}, Reshape{}, Flatten{}, Embedding{}, Condition{},
}

// MarshalJSON implements json.Marshaler.
func (l Layers) MarshalJSON() ([]byte, error) {
	list := make([]map[string]Layer, len(l))
	for i, layer := range l {
		list[i] = map[string]Layer{layer.Kind(): layer}
	}
	return json.Marshal(list)
}

// UnmarshalJSON implements json.Unmarshaler. An unknown layer or setting is an
// error that names it.
func (l *Layers) UnmarshalJSON(data []byte) error {
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	*l = nil
	for i, entry := range list {
		if len(entry) != 1 {
			return fmt.Errorf("layer %d: %d kinds in one layer, want one", i+1, len(entry))
		}
		for kind, settings := range entry {
			layer, err := decodeLayer(kind, settings)
			if err != nil {
				return fmt.Errorf("layer %d: %w", i+1, err)
			}
			*l = append(*l, layer)
		}
	}
	return nil
}

func decodeLayer(kind string, settings []byte) (Layer, error) {
	for _, k := range kinds {
		if k.Kind() != kind {
			continue
		}
		layer := reflect.New(reflect.TypeOf(k))
		d := json.NewDecoder(bytes.NewReader(settings))
		d.DisallowUnknownFields()
		if err := d.Decode(layer.Interface()); err != nil {
			return nil, fmt.Errorf("%s: %w", kind, err)
		}
		return layer.Elem().Interface().(Layer), nil
	}
	return nil, fmt.Errorf("unknown kind %q", kind)
}
