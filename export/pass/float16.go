package pass

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// Float16 computes a model in half precision, and halves its size. Inputs and
// outputs stay float32, so that a caller need not know. A weight that half
// precision can't hold is an error.
func Float16(m *onnxpb.ModelProto) error {
	const single, half = int32(onnxpb.TensorProto_FLOAT), int32(onnxpb.TensorProto_FLOAT16)
	e := newEditor(m.Graph)
	for _, t := range m.Graph.Initializer {
		v := e.floats(t.Name)
		if v == nil {
			continue
		}
		raw := make([]byte, 0, 2*len(v))
		for _, x := range v {
			if math.Abs(x) >= 65520 {
				return fmt.Errorf("float16: weight %q holds %g, want 65504 at most", t.Name, x)
			}
			raw = binary.LittleEndian.AppendUint16(raw, halfOf(float32(x)))
		}
		t.DataType, t.RawData = half, raw
	}
	for _, n := range m.Graph.Node {
		if a := attribute(n, "to"); n.OpType == "Cast" && a.GetI() == int64(single) {
			a.I = new(int64(half))
		}
	}
	for _, v := range m.Graph.ValueInfo {
		if a := v.Type.GetTensorType(); a.GetElemType() == single {
			a.ElemType = half
		}
	}
	cast := func(from, to string, elem int32) *onnxpb.NodeProto {
		return &onnxpb.NodeProto{
			Name: e.nodes.claim(to + "/Cast"), OpType: "Cast", Input: []string{from}, Output: []string{to},
			Attribute: []*onnxpb.AttributeProto{intOf("to", int(elem))},
		}
	}
	inner := map[string]string{}
	var first, last []*onnxpb.NodeProto
	for _, v := range m.Graph.Input {
		if v.Type.GetTensorType().GetElemType() == single {
			inner[v.Name] = e.values.claim(v.Name + "/half")
			first = append(first, cast(v.Name, inner[v.Name], half))
		}
	}
	for _, v := range m.Graph.Output {
		if v.Type.GetTensorType().GetElemType() == single {
			inner[v.Name] = e.values.claim(v.Name + "/half")
			last = append(last, cast(inner[v.Name], v.Name, single))
		}
	}
	for _, n := range m.Graph.Node {
		for _, list := range [][]string{n.Input, n.Output} {
			for i, name := range list {
				if to, ok := inner[name]; ok {
					list[i] = to
				}
			}
		}
	}
	m.Graph.Node = slices.Concat(first, m.Graph.Node, last)
	return nil
}

// halfOf rounds to the nearest number of half precision, or of two as near the
// even one. What is too large becomes infinite.
func halfOf(x float32) uint16 {
	bits := math.Float32bits(x)
	sign, exponent, mantissa := uint16(bits>>16&0x8000), int(bits>>23&0xff)-127+15, bits&0x7fffff
	switch {
	case bits<<1 > 0xff<<24: // not a number
		return sign | 0x7e00
	case exponent >= 31:
		return sign | 0x7c00
	case exponent < -10:
		return sign
	case exponent <= 0: // a subnormal number
		return sign | uint16(roundEven(mantissa|0x800000, uint(14-exponent)))
	}
	return sign | uint16(roundEven(uint32(exponent)<<23|mantissa, 13))
}

// roundEven drops bits, to the nearest or to the even one of two.
func roundEven(x uint32, bits uint) uint32 {
	half := uint32(1) << (bits - 1)
	rest := x & (half<<1 - 1)
	x >>= bits
	if rest > half || rest == half && x&1 == 1 {
		x++
	}
	return x
}
