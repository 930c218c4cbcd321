package runtime

import (
	"fmt"
	"strconv"
	"strings"

	"gorgonia.org/tensor"
)

// Port is an input or output of a model.
type Port struct {
	Name  string
	Dtype tensor.Dtype
	// Shape has -1 where any size fits. It is empty for a scalar and nil where
	// the model leaves even the number of axes open.
	Shape []int64
	// Dims names the axes of Shape that have a name, such as "batch"; "" for
	// the others. Axes of one name have the same size in every array of a run.
	Dims []string
}

// String gives name, type and shape: "z float32 [batch, 100]".
func (p Port) String() string {
	if p.Shape == nil {
		return fmt.Sprintf("%s %v of any shape", p.Name, p.Dtype)
	}
	axes := make([]string, len(p.Shape))
	for i, n := range p.Shape {
		switch {
		case n >= 0:
			axes[i] = strconv.FormatInt(n, 10)
		case p.Dims[i] != "":
			axes[i] = p.Dims[i]
		default:
			axes[i] = "?"
		}
	}
	return fmt.Sprintf("%s %v [%s]", p.Name, p.Dtype, strings.Join(axes, ", "))
}

// fits tells whether an array of that shape may go in.
func (p Port) fits(shape tensor.Shape) bool {
	if p.Shape == nil {
		return true
	}
	if len(shape) != len(p.Shape) {
		return false
	}
	for i, n := range p.Shape {
		if n >= 0 && n != int64(shape[i]) {
			return false
		}
	}
	return true
}

// dtypes are TensorProto's element types, as far as arrays have them.
var dtypes = map[uint64]tensor.Dtype{
	1:  tensor.Float32,
	2:  tensor.Uint8,
	6:  tensor.Int32,
	7:  tensor.Int64,
	9:  tensor.Bool,
	11: tensor.Float64,
}

// readPort reads a ValueInfoProto. Dtype stays empty for anything but an array
// of a known element type.
func readPort(message []byte) (p Port, err error) {
	name, err := child(message, valueName)
	if err != nil {
		return p, err
	}
	p.Name = string(name.bytes)
	typ, err := child(message, valueType)
	if err != nil {
		return p, err
	}
	array, err := child(typ.bytes, typeTensor)
	if err != nil {
		return p, err
	}
	element, err := child(array.bytes, tensorElement)
	if err != nil {
		return p, err
	}
	p.Dtype = dtypes[element.varint]
	shape, err := child(array.bytes, tensorShape)
	if err != nil || shape.bytes == nil {
		return p, err
	}
	p.Shape, p.Dims = []int64{}, []string{}
	return p, fields(shape.bytes, func(f field) error {
		if f.number != shapeDim {
			return nil
		}
		size, name, err := readDim(f.bytes)
		p.Shape, p.Dims = append(p.Shape, size), append(p.Dims, name)
		return err
	})
}

// readDim reads a TensorShapeProto.Dimension. Some writers say -1 for "any".
func readDim(message []byte) (size int64, name string, err error) {
	size = -1
	err = fields(message, func(f field) error {
		switch f.number {
		case dimValue:
			size = max(int64(f.varint), -1)
		case dimParameter:
			name = string(f.bytes)
		}
		return nil
	})
	return size, name, err
}
