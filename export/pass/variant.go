package pass

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// Variant says how a model is to differ from the plain export. The zero value
// leaves it as it is.
type Variant struct {
	FoldBatchNorm bool // normalisations as part of the layers beside them
	Candle        bool // without what candle-onnx lacks
	Float16       bool // weights and arithmetic in half precision
	Int8          bool // weights as bytes
	Uint8Image    bool // the output "image" as bytes in [0, 255]
	NHWC          bool // and with the channels last
	Opset         int  // another version of the operators; 0 keeps it
	Batch         int  // the one size of a batch; 0 is any
}

const (
	maxBatch = 1 << 16 // past which no one batch is worth memory for its inputs
	// MinOpset and MaxOpset bound the versions of the operators that a model can have.
	MinOpset, MaxOpset = 11, 22
)

// check refuses what can't be had together.
func (v Variant) check() error {
	switch {
	case v.Float16 && v.Int8:
		return errors.New("float16 and int8 are two ways to store weights: want one of them")
	case v.NHWC && !v.Uint8Image:
		return errors.New("channels last are for a picture of bytes: want uint8 images as well")
	case v.Batch < 0 || v.Batch > maxBatch:
		return fmt.Errorf("batch %d: want 1 to %d", v.Batch, maxBatch)
	case v.Opset != 0 && (v.Opset < MinOpset || v.Opset > MaxOpset):
		return fmt.Errorf("opset %d: want %d to %d", v.Opset, MinOpset, MaxOpset)
	}
	return nil
}

// String lists what differs: "folded batch normalisation, float16".
func (v Variant) String() string {
	var parts []string
	for _, p := range []struct {
		has  bool
		name string
	}{
		{v.FoldBatchNorm, "folded batch normalisation"}, {v.Candle, "for candle"}, {v.Float16, "float16"}, {v.Int8, "int8 weights"},
		{v.Uint8Image && !v.NHWC, "uint8 image"}, {v.NHWC, "uint8 image [N, H, W, C]"},
		{v.Opset > 0, fmt.Sprintf("opset %d", v.Opset)}, {v.Batch > 0, fmt.Sprintf("batch %d", v.Batch)},
	} {
		if p.has {
			parts = append(parts, p.name)
		}
	}
	return strings.Join(parts, ", ")
}

// Apply rewrites a model. An error says what can't be done to it, which is then
// half rewritten.
func (v Variant) Apply(m *onnxpb.ModelProto) error {
	if err := v.check(); err != nil {
		return err
	}
	if err := plain(m); err != nil {
		return err
	}
	if v.FoldBatchNorm {
		FoldBatchNorm(m)
	}
	if v.Candle {
		Candle(m)
	}
	if v.Int8 {
		if err := Int8(m); err != nil {
			return err
		}
	}
	if v.Float16 {
		if err := Float16(m); err != nil {
			return err
		}
	}
	if v.Uint8Image {
		if err := Uint8Image(m, v.NHWC); err != nil {
			return err
		}
	}
	if v.Batch > 0 {
		if err := FixBatch(m, v.Batch); err != nil {
			return err
		}
	}
	if v.Opset > 0 {
		return Opset(m, v.Opset)
	}
	return nil
}

// Exact is the variant without what rounds weights: it departs by the order of
// sums alone.
func (v Variant) Exact() Variant {
	v.Float16, v.Int8 = false, false
	return v
}

// Allowed is how far the outputs of the variant may lie from those of the plain
// model that became it, relative to the larger of 1 and the largest: at most, and on average.
//
// Half precision rounds what each node gives to 11 bits. A weight as a byte is off
// by half a step at most, of which there are 127 to the largest: how that adds up
// depends on the inputs, so it is the average that is held. A level of a picture
// is rounded by half. All else is float32 in another order.
func (v Variant) Allowed(plain, varied *onnxpb.ModelProto) (most, mean float64) {
	most = 1e-5
	if v.Float16 {
		most += float64(len(plain.Graph.Node)) / (1 << 11)
	}
	if v.Uint8Image {
		if r, err := pictureRange(plain); err == nil {
			most += (r[1] - r[0]) / 255 / 2
		}
	}
	mean = most
	if v.Int8 {
		layers := 0
		for _, n := range varied.Graph.Node {
			if n.OpType == "DequantizeLinear" {
				layers++
			}
		}
		mean += float64(layers) / 254
		most = math.Inf(1)
	}
	return most, mean
}

// FixBatch gives the axes "batch", or whatever a model calls its only open size,
// that size, and those named "batch*4" four times as much.
func FixBatch(m *onnxpb.ModelProto, n int) error {
	open := ""
	for _, v := range slices.Concat(m.Graph.Input, m.Graph.Output, m.Graph.ValueInfo) {
		for _, d := range v.Type.GetTensorType().GetShape().GetDim() {
			if d.GetDimParam() == "" {
				continue
			}
			name, times, ok := strings.Cut(d.GetDimParam(), "*")
			per := 1
			if ok {
				var err error
				if per, err = strconv.Atoi(times); err != nil || per < 1 {
					return fmt.Errorf("batch %d: an axis %q, want a whole number behind the *", n, d.GetDimParam())
				}
			}
			if open = cmp.Or(open, name); name != open {
				return fmt.Errorf("batch %d: axes %q and %q are open, want one", n, open, name)
			}
			d.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(n * per)}
		}
	}
	return nil
}

// operators are the versions of the opset through which an operator, as it is
// written here, means the same. 22 is as far as we have looked.
var operators = map[string][2]int{
	"Add": {7, 22}, "BatchNormalization": {9, 22}, "Cast": {9, 22}, "Clip": {11, 22}, "Concat": {11, 22}, "Conv": {11, 22},
	"ConvTranspose": {11, 22}, "DequantizeLinear": {13, 22}, "Div": {7, 22}, "Flatten": {11, 22}, "Floor": {6, 22},
	"Gather": {11, 22}, "Gemm": {11, 22}, "LeakyRelu": {6, 22}, "MatMul": {9, 22}, "Mul": {7, 22}, "Relu": {6, 22},
	"Reshape": {5, 22}, "Sigmoid": {6, 22}, "Slice": {10, 22}, "Sub": {7, 22}, "Tanh": {6, 22}, "Transpose": {1, 22},
}

// irVersions is the IR version that came with an opset, by the opset.
var irVersions = map[int]int64{
	11: 6, 12: 7, 13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10,
}

// Opset declares another version of the operators, where all of the model mean
// the same in it.
//
// Source: https://github.com/onnx/onnx/blob/main/docs/Changelog.md
func Opset(m *onnxpb.ModelProto, version int) error {
	lowest, highest := MinOpset, MaxOpset
	var by string
	for _, n := range m.Graph.Node {
		span, ok := operators[n.OpType]
		if !ok || n.Domain != "" {
			return fmt.Errorf("opset %d: nothing is known of operator %s in it", version, n.OpType)
		}
		if span[0] > lowest {
			lowest, by = span[0], ", for its "+n.OpType
		}
		highest = min(highest, span[1])
	}
	if version < lowest || version > highest {
		return fmt.Errorf("opset %d: this model can have %d to %d%s", version, lowest, highest, by)
	}
	for _, o := range m.OpsetImport {
		if o.Domain == "" {
			o.Version = int64(version)
		}
	}
	m.IrVersion = irVersions[version]
	return nil
}
