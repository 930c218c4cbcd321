package engine

import "github.com/gantrain/gantrain/runtime"

// Provider is what computes a program's operators on ONNX Runtime, never
// runtime.Auto; note says in one line why Auto did not choose CUDA. Both are
// empty on the tape.
func Provider(p Program) (name runtime.Provider, note string) {
	if e, ok := p.(*ort); ok {
		return e.session.Provider(), e.note
	}
	return "", ""
}
