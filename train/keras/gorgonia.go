package keras

import (
	"context"

	"github.com/gantrain/gantrain/export"
	"github.com/gantrain/gantrain/runtime"
	"github.com/gantrain/gantrain/runtime/gorgonia"
)

// kerasGorgonia runs the file's own nodes as a graph of Gorgonia's: nothing of
// what they were recognised as plays a part in it.
func (s *subject) kerasGorgonia(ctx context.Context, _ runtime.Options) (evaluation, error) {
	data, err := export.Marshal(s.graph) // with what it kept in other files
	if err != nil {
		return nil, err
	}
	session, err := gorgonia.Load(ctx, data, "")
	if err != nil {
		return nil, err
	}
	defer session.Close()
	var names []string
	for _, p := range s.probes {
		if p.keras.name != "" {
			names = append(names, p.keras.name)
		}
	}
	values, err := session.Values(ctx, s.kerasInputs(), names)
	if err != nil {
		return nil, err
	}
	return s.kerasValues(values)
}
