package pass

import (
	"slices"

	"github.com/gantrain/gantrain/export/onnxpb"
)

// recipe is how a convolution is computed with the batch last.
type recipe struct {
	convolution
	mirrored bool // the convolution is, and its kernel lies as that of the other
	block    int  // of the large picture, at least
	form     *bilinear
}

// fewTaps is the largest product of kernel and channels for which the pixels
// that a place sees are gathered.
const fewTaps = 128

// The constants of a fast form grow with positions and taps, and a file of a few
// bytes can declare any shape.
const (
	maxSide     = 256     // of a picture, a kernel, or the pads
	maxChannels = 1 << 22 // of one picture times those of the other
	maxMatrix   = 1 << 22 // elements of a transform
)

func (c convolution) bounded() bool {
	for _, pair := range [][2]int{c.large, c.small, c.kernel, c.stride, c.pads} {
		for _, v := range pair {
			if v < -maxSide || v > maxSide {
				return false
			}
		}
	}
	return min(c.channels.large, c.channels.small) > 0 && c.channels.large <= maxChannels/c.channels.small
}

// newRecipe chooses a convolution's form by its shapes; false where none of
// those here is worth its while.
func newRecipe(c convolution) (recipe, bool) {
	if !c.bounded() {
		return recipe{}, false
	}
	if c.kernel[0]*c.kernel[1]*c.channels.large <= fewTaps {
		return recipe{convolution: c, block: 1}, true
	}
	if c.stride == [2]int{1, 1} && c.kernel[0]*c.kernel[1]*c.channels.small <= fewTaps {
		return recipe{convolution: c.mirrored(), mirrored: true, block: 1}, true
	}
	if c.stride[0] != c.stride[1] || c.large[0]%c.stride[0] != 0 || c.large[1]%c.stride[1] != 0 {
		return recipe{}, false
	}
	t, part := c.phaseTaps(), c.phasePicture()
	odd := t.periods(part, c.small)
	period := [2]int{odd[0] + odd[0]%2, odd[1]}
	large, small := c.phases()*c.channels.large, c.channels.small
	// About three products for each two numbers of a transform. In two factors it
	// takes fewer multiplications, but an even period.
	products, fewer := 3*period[0]*period[1]/2, 3*odd[0]*odd[1]/2
	steps := func(size [2]int) int { return period[0]*size[0]*size[1] + 2*products*size[1] }
	whole := func(size [2]int) int { return fewer * size[0] * size[1] }
	sum := func(transform func(size [2]int) int) int { return large*transform(part) + small*transform(c.small) }
	if 4*(products*large*small+sum(steps)) > 5*c.direct() ||
		products*max(part[0]*part[1], c.small[0]*c.small[1], c.kernel[0]*c.kernel[1]) > maxMatrix {
		return recipe{}, false
	}
	// Small matrices run at less than half the rate of products between channels,
	// larger ones at two thirds.
	var form bilinear
	if 2*fewer*large*small+3*sum(whole) < 2*products*large*small+5*sum(steps) {
		form = smallDFT(part, c.small, t, odd).whole()
	} else {
		form = smallDFT(part, c.small, t, period)
	}
	return recipe{convolution: c, block: c.stride[0], form: &form}, true
}

// convolve adds a fast convolution to the graph.
func (p *batchLast) convolve(n *onnxpb.NodeProto, r recipe) {
	f := fastConv{
		batchLast: p, recipe: r, scope: n.Name,
		largeOrder: p.pictures[r.x].root().order(), smallOrder: p.pictures[r.y].root().order(),
	}
	switch r.direction {
	case toSmall:
		p.last[r.y] = f.biased(f.toSmall())
	case toLarge:
		p.last[r.x] = f.biased(f.toLarge())
	case toKernel:
		p.plain[r.w] = f.toKernel()
	}
}

// fastConv writes one convolution. Equal transforms of one array, such as that
// of x for y and for the gradient of w, are written twice and merged by Dedupe.
type fastConv struct {
	*batchLast
	recipe
	scope                  string
	largeOrder, smallOrder []int
}

func (f *fastConv) biased(x string) string {
	if f.bias == "" {
		return x
	}
	return f.add(f.scope, "Add", []string{x, f.reshape(f.scope, f.inPlain(f.bias), 1, -1, 1)})
}

func (f *fastConv) matMul(a, b string) string {
	return f.add(f.scope, "MatMul", []string{a, b})
}

func (f *fastConv) toSmall() string {
	if f.form == nil {
		return f.matMul(f.gatheredKernel(), f.gathered())
	}
	y := f.matMul(f.kernelTransform(), f.largeTransform())
	return f.reshape(f.scope, f.inverse(f.form.small, y, f.smallOrder), len(f.smallOrder), f.channels.small, -1)
}

func (f *fastConv) toLarge() string {
	if f.form == nil {
		return f.scattered(f.matMul(f.transpose(f.scope, f.gatheredKernel(), 1, 0), f.inLast(f.y)))
	}
	x := f.matMul(f.transpose(f.scope, f.kernelTransform(), 0, 2, 1), f.smallTransform())
	return f.reshape(f.scope, f.inverse(f.form.large, x, f.partOrder()), len(f.largeOrder), f.channels.large, -1)
}

func (f *fastConv) toKernel() string {
	taps := f.kernel[0] * f.kernel[1]
	if f.form == nil {
		w := f.matMul(f.inLast(f.y), f.transpose(f.scope, f.gathered(), 0, 2, 1))
		w = f.add(f.scope, "ReduceSum", []string{w, f.ints(0)}, intOf("keepdims", 0))
		if f.mirrored {
			w = f.turned(f.reshape(f.scope, w, f.channels.small, taps, f.channels.large))
			w = f.transpose(f.scope, w, 2, 0, 1)
			return f.reshape(f.scope, w, f.channels.large, f.channels.small, f.kernel[0], f.kernel[1])
		}
		if f.channels.large > 1 {
			w = f.transpose(f.scope, f.reshape(f.scope, w, f.channels.small, taps, f.channels.large), 0, 2, 1)
		}
		return f.kernelShape(w)
	}
	products := f.form.kernel.rows
	w := f.matMul(f.smallTransform(), f.transpose(f.scope, f.largeTransform(), 0, 2, 1))
	w = f.reshape(f.scope, w, products, -1)
	w = f.matMul(f.matrix(f.form.kernel.transposed()), w)
	if f.phases() == 1 {
		return f.kernelShape(f.transpose(f.scope, w, 1, 0))
	}
	w = f.transpose(f.scope, f.reshape(f.scope, w, f.form.kernel.columns, f.channels.small, f.phases(), f.channels.large), 0, 2, 1, 3)
	w = f.reshape(f.scope, w, -1, f.channels.small*f.channels.large)
	place := make([]int, taps) // of each tap in the table
	for i, tap := range f.tapTable() {
		if tap < taps {
			place[tap] = i
		}
	}
	w = f.add(f.scope, "Gather", []string{w, f.ints(place...)})
	return f.kernelShape(f.transpose(f.scope, w, 1, 0))
}

func (f *fastConv) kernelShape(w string) string {
	return f.reshape(f.scope, w, f.channels.small, f.channels.large, f.kernel[0], f.kernel[1])
}

// largeTransform is [products, phases·large channels, batch].
func (f *fastConv) largeTransform() string {
	return f.transform(f.form.large, f.inLast(f.x), f.partOrder(), f.phases()*f.channels.large)
}

// smallTransform is [products, small channels, batch].
func (f *fastConv) smallTransform() string {
	return f.transform(f.form.small, f.inLast(f.y), f.smallOrder, f.channels.small)
}

// partOrder is how the positions of the large picture's parts lie: row by row
// where they come in blocks, which hold a pixel of each part.
func (f *fastConv) partOrder() []int {
	if f.block > 1 {
		order := make([]int, len(f.largeOrder)/f.phases())
		for i := range order {
			order[i] = i
		}
		return order
	}
	return f.largeOrder
}

// transform applies a transform to a picture whose positions lie in an order.
func (f *fastConv) transform(t transform, x string, order []int, channels int) string {
	if t.rows.rows == 0 {
		x = f.matMul(f.matrix(t.columns[0].withColumns(order)), f.reshape(f.scope, x, len(order), -1))
	} else {
		x = f.reshape(f.scope, f.moved(x, inverted(order)), t.rows.columns, -1)
		x = f.reshape(f.scope, f.matMul(f.matrix(t.rows), x), len(t.columns), t.columns[0].columns, -1)
		x = f.matMul(f.matrices(t.columns), x)
	}
	return f.reshape(f.scope, x, t.products(), channels, -1)
}

// inverse applies the transpose of a transform: [positions, the rest].
func (f *fastConv) inverse(t transform, y string, order []int) string {
	if t.rows.rows == 0 {
		m := t.columns[0].withColumns(order).transposed()
		return f.matMul(f.matrix(m), f.reshape(f.scope, y, m.columns, -1))
	}
	transposed := make([]matrix, len(t.columns))
	for i, m := range t.columns {
		transposed[i] = m.transposed()
	}
	y = f.matMul(f.matrices(transposed), f.reshape(f.scope, y, len(t.columns), t.columns[0].rows, -1))
	y = f.matMul(f.matrix(t.rows.transposed()), f.reshape(f.scope, y, t.rows.rows, -1))
	return f.moved(f.reshape(f.scope, y, len(order), -1), order)
}

// moved puts the positions of a picture into another order.
func (f *fastConv) moved(x string, order []int) string {
	if slices.IsSorted(order) {
		return x
	}
	return f.add(f.scope, "Gather", []string{x, f.ints(order...)})
}

// inverted is the order that undoes another one.
func inverted(order []int) []int {
	at := make([]int, len(order))
	for i, o := range order {
		at[o] = i
	}
	return at
}

// kernelTransform is [products, small channels, phases·large channels].
func (f *fastConv) kernelTransform() string {
	taps := f.kernel[0] * f.kernel[1]
	products, small, large := f.form.kernel.rows, f.channels.small, f.channels.large
	w := f.reshape(f.scope, f.inPlain(f.w), small*large, taps)
	if f.phases() == 1 {
		w = f.add(f.scope, "Gemm", []string{f.matrix(f.form.kernel), w}, intOf("transB", 1))
		return f.reshape(f.scope, w, products, small, large)
	}
	w = f.transpose(f.scope, w, 1, 0)
	none := f.floats(make([]float64, small*large), 1, small*large)
	w = f.add(f.scope, "Concat", []string{w, none}, intOf("axis", 0))
	w = f.add(f.scope, "Gather", []string{w, f.ints(f.tapTable()...)})
	w = f.transpose(f.scope, f.reshape(f.scope, w, f.form.kernel.columns, f.phases(), small, large), 0, 2, 1, 3)
	w = f.matMul(f.matrix(f.form.kernel), f.reshape(f.scope, w, f.form.kernel.columns, -1))
	return f.reshape(f.scope, w, products, small, f.phases()*large)
}

// gatheredKernel is [small channels, taps·large channels].
func (f *fastConv) gatheredKernel() string {
	w := f.inPlain(f.w)
	taps := f.kernel[0] * f.kernel[1]
	switch {
	case f.mirrored:
		w = f.turned(f.transpose(f.scope, f.reshape(f.scope, w, f.channels.large, f.channels.small, taps), 1, 2, 0))
	case f.channels.large > 1:
		w = f.transpose(f.scope, f.reshape(f.scope, w, f.channels.small, f.channels.large, taps), 0, 2, 1)
	}
	return f.reshape(f.scope, w, f.channels.small, taps*f.channels.large)
}

// turned turns a kernel [channels, taps, channels] round.
func (f *fastConv) turned(w string) string {
	taps := make([]int, f.kernel[0]*f.kernel[1])
	for i := range taps {
		taps[i] = len(taps) - 1 - i
	}
	return f.add(f.scope, "Gather", []string{w, f.ints(taps...)}, intOf("axis", 1))
}

// gathered is what each place of y sees of x: [positions of y, taps·large
// channels, batch].
func (f *fastConv) gathered() string {
	at := inverted(f.largeOrder) // from row by row to where it lies
	var index []int
	for _, o := range f.smallOrder {
		for tap := range f.kernel[0] * f.kernel[1] {
			if i := f.at(o, tap); i < 0 {
				index = append(index, len(at)) // the zeros behind the last
			} else {
				index = append(index, at[i])
			}
		}
	}
	x := f.add(f.scope, "Gather", []string{f.padded(f.inLast(f.x)), f.ints(index...)})
	return f.reshape(f.scope, x, len(f.smallOrder), f.kernel[0]*f.kernel[1]*f.channels.large, -1)
}

// padded is a value with one more position, of zeros.
func (f *fastConv) padded(x string) string {
	return f.add(f.scope, "Pad", []string{x, f.ints(0, 0, 0, 1, 0, 0)})
}

// scattered adds up what each position of x gets from the places of y: the
// adjoint of gathered.
func (f *fastConv) scattered(y string) string {
	taps := f.kernel[0] * f.kernel[1]
	from := make([][]int, len(f.largeOrder)) // position of x, row by row: rows of y
	most := 0
	for i, o := range f.smallOrder {
		for tap := range taps {
			if at := f.at(o, tap); at >= 0 {
				from[at] = append(from[at], i*taps+tap)
				most = max(most, len(from[at]))
			}
		}
	}
	var index []int
	for i := range most {
		for _, o := range f.largeOrder {
			if i < len(from[o]) {
				index = append(index, from[o][i])
			} else {
				index = append(index, len(f.smallOrder)*taps)
			}
		}
	}
	y = f.padded(f.reshape(f.scope, y, len(f.smallOrder)*taps, f.channels.large, -1))
	y = f.add(f.scope, "Gather", []string{y, f.ints(index...)})
	y = f.reshape(f.scope, y, most, len(f.largeOrder), f.channels.large, -1)
	return f.add(f.scope, "ReduceSum", []string{y, f.ints(0)}, intOf("keepdims", 0))
}
