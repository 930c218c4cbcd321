package gorgonia

import "gorgonia.org/tensor"

// Numbers compiles the model for inputs of these shapes, in its order, and tells
// how many numbers a run fills.
func (s *Session) Numbers(shapes ...tensor.Shape) (int, error) {
	p, err := s.model.compile("", shapes)
	if err != nil {
		return 0, err
	}
	p.close()
	return p.numbers, nil
}
