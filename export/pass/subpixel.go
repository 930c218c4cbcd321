package pass

import (
	"slices"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// Subpixel writes ConvTranspose without it, for runtimes that lack the operator.
// With stride s, every s-th row of the output is a convolution of its own, of
// the rows of the kernel that meet it: all of them are computed as channels of
// one Conv, and then laid between each other by Reshape and Transpose.
//
//	y[s·q + r] = Σ_m x[q + d(r) - m] · w[v(r) + s·m],  d = (r + pad) div s,  v = (r + pad) mod s
//
// It returns how many were replaced. One that has groups, dilations, an automatic
// or another padding than numbers, or weights or a bias that are computed, stays.
//
// Source: Shi et al. 2016, Real-Time Single Image and Video Super-Resolution
// Using an Efficient Sub-Pixel Convolutional Neural Network, section 3.2
func Subpixel(m *onnxpb.ModelProto) int {
	if plain(m) != nil {
		return 0
	}
	e, replaced := newEditor(m.Graph), 0
	for _, n := range slices.Clone(m.Graph.Node) {
		s, ok := spreading(e, n)
		if !ok {
			continue
		}
		s.replace()
		replaced++
	}
	Prune(m)
	return replaced
}

// spread is a ConvTranspose, and the Slice that crops what it gives, if one does.
type spread struct {
	*editor
	node, last    *onnxpb.NodeProto
	in, out       int // channels
	stride        [2]int
	begin         [2]int    // rows and columns cut off before the output
	size, outSize [2]int    // of the pictures
	w, bias       []float64 // no bias: nil
	kernel        [2]int
}

func spreading(e *editor, n *onnxpb.NodeProto) (s spread, ok bool) {
	if n.OpType != "ConvTranspose" || n.Domain != "" || intAttribute(n, "group", 1) != 1 || attribute(n, "auto_pad") != nil ||
		attribute(n, "output_shape") != nil || attribute(n, "dilations") != nil {
		return s, false
	}
	w := e.weights[n.Input[1]]
	s = spread{editor: e, node: n, last: n, w: e.floats(n.Input[1])}
	x := e.shape(n.Input[0])
	if s.w == nil || len(w.Dims) != 4 || len(x) != 4 || x[2] < 1 || x[3] < 1 {
		return s, false
	}
	if len(n.Input) > 2 && n.Input[2] != "" {
		if s.bias = e.floats(n.Input[2]); s.bias == nil {
			return s, false
		}
	}
	s.in, s.out = int(w.Dims[0]), int(w.Dims[1])
	pads, strides := intsAttribute(n, "pads"), intsAttribute(n, "strides")
	if pads == nil {
		pads = []int{0, 0, 0, 0}
	}
	if strides == nil {
		strides = []int{1, 1}
	}
	extra := intsAttribute(n, "output_padding")
	if extra == nil {
		extra = []int{0, 0}
	}
	for a := range 2 {
		s.kernel[a], s.stride[a], s.begin[a], s.size[a] = int(w.Dims[2+a]), strides[a], pads[a], x[2+a]
		s.outSize[a] = (s.size[a]-1)*s.stride[a] + s.kernel[a] - pads[a] - pads[2+a] + extra[a]
		if pads[a] < 0 || s.outSize[a] < 1 {
			return s, false
		}
	}
	s.crop()
	return s, true
}

// crop takes the Slice that alone reads it into account.
func (s *spread) crop() {
	y := s.node.Output[0]
	at := slices.IndexFunc(s.graph.Node, func(n *onnxpb.NodeProto) bool { return slices.Contains(n.Input, y) })
	if at < 0 || s.users[y] != 1 || s.graph.Node[at].OpType != "Slice" || len(s.graph.Node[at].Input) != 4 {
		return
	}
	n := s.graph.Node[at]
	starts, ok1 := s.ints(n.Input[1])
	ends, ok2 := s.ints(n.Input[2])
	axes, ok3 := s.ints(n.Input[3])
	if !ok1 || !ok2 || !ok3 || slices.Min(axes) < 2 || slices.Min(starts) < 0 {
		return
	}
	begin, size := s.begin, s.outSize
	for i, axis := range axes {
		a := axis - 2
		end := min(ends[i], s.outSize[a])
		if end < 0 || starts[i] >= end {
			return
		}
		begin[a], size[a] = s.begin[a]+starts[i], end-starts[i]
	}
	s.begin, s.outSize, s.last = begin, size, n
}

// phases are, of one direction, the taps of the kernel that each row of a period
// uses, by the distance of the input's row.
type phases struct {
	low, high int   // the nearest and the farthest input row, from the one that belongs to the period
	tap       []int // of row r at distance low + d: tap[r·(high-low+1) + d], -1 for none
}

func phasesOf(kernel, stride, begin int) phases {
	p := phases{low: 0, high: 0}
	type use struct{ row, distance, tap int }
	var uses []use
	for r := range stride {
		d, v := (r+begin)/stride, (r+begin)%stride
		for m := 0; v+stride*m < kernel; m++ {
			uses = append(uses, use{r, d - m, v + stride*m})
			p.low, p.high = min(p.low, d-m), max(p.high, d-m)
		}
	}
	width := p.high - p.low + 1
	p.tap = slices.Repeat([]int{-1}, stride*width)
	for _, u := range uses {
		p.tap[u.row*width+u.distance-p.low] = u.tap
	}
	return p
}

// replace writes the convolution and what lays its channels between each other.
func (s *spread) replace() {
	var p [2]phases
	var width, periods, pads [2]int
	end := [2]int{}
	for a := range 2 {
		p[a] = phasesOf(s.kernel[a], s.stride[a], s.begin[a])
		width[a] = p[a].high - p[a].low + 1
		periods[a] = (s.outSize[a] + s.stride[a] - 1) / s.stride[a]
		pads[a], end[a] = -p[a].low, p[a].high+periods[a]-s.size[a]
		if end[a] < 0 { // rows that nobody asks for
			periods[a] -= end[a]
			end[a] = 0
		}
	}
	rows, columns := s.stride[0], s.stride[1]
	channels := rows * columns * s.out
	w := make([]float64, channels*s.in*width[0]*width[1])
	for r := range rows {
		for c := range columns {
			for o := range s.out {
				for i := range s.in {
					for dy := range width[0] {
						for dx := range width[1] {
							ky, kx := p[0].tap[r*width[0]+dy], p[1].tap[c*width[1]+dx]
							if ky < 0 || kx < 0 {
								continue
							}
							to := ((((r*columns+c)*s.out+o)*s.in+i)*width[0]+dy)*width[1] + dx
							w[to] = s.w[((i*s.out+o)*s.kernel[0]+ky)*s.kernel[1]+kx]
						}
					}
				}
			}
		}
	}
	name := s.node.Name
	inputs := []string{s.node.Input[0], s.addFloats(name+"/subpixel", w, channels, s.in, width[0], width[1])}
	if s.bias != nil {
		inputs = append(inputs, s.addFloats(name+"/subpixel/bias", slices.Repeat(s.bias, rows*columns), channels))
	}
	h, v := periods[0], periods[1]
	conv := s.put("Conv", "", inputs, intsOf("kernel_shape", width[:]...),
		intsOf("pads", pads[0], pads[1], end[0], end[1]), intsOf("strides", 1, 1))
	apart := s.put("Reshape", "", []string{conv, s.addInts(name+"/apart", 0, rows, columns, s.out, h, v)})
	between := s.put("Transpose", "", []string{apart}, intsOf("perm", 0, 3, 4, 1, 5, 2))
	y := s.last.Output[0]
	whole := h*rows == s.outSize[0] && v*columns == s.outSize[1]
	to := ""
	if whole {
		to = y
	}
	full := s.put("Reshape", to, []string{between, s.addInts(name+"/together", 0, s.out, h*rows, v*columns)})
	if !whole {
		s.put("Slice", y, []string{
			full, s.addInts(name+"/starts", 0, 0), s.addInts(name+"/ends", s.outSize[0], s.outSize[1]), s.addInts(name+"/axes", 2, 3),
		})
	}
	if s.last != s.node {
		s.remove(s.last)
	}
	s.remove(s.node)
}

// put adds a node before the one that is replaced. The name of its output is made
// up if none is given.
func (s *spread) put(opType, to string, inputs []string, a ...*onnxpb.AttributeProto) string {
	name := s.nodes.claim(s.node.Name + "/" + opType)
	if to == "" {
		to = s.values.claim(name)
	}
	n := &onnxpb.NodeProto{Name: name, OpType: opType, Input: inputs, Output: []string{to}, Attribute: a}
	s.graph.Node = slices.Insert(s.graph.Node, slices.Index(s.graph.Node, s.node), n)
	return to
}
