package op

// taps describes a convolution of many channels as one matrix product for each
// tap of the kernel and each row of places. What a tap meets in a row lies
// together if a group of n pictures is laid out pixel by pixel,
//
//	large [pixels, n, C], small [places, n, O]
//
// with the large one's pixels sorted by their remainders by the stride. Unlike
// unfold, this copies nothing for each tap, and multiplies nothing with the
// zeros of the border.
type taps struct {
	patches
	large, small pixels
}

// pixels says where the pixels of a picture are laid.
type pixels struct {
	channels int
	at       []int // row by row
	total    int   // with gaps where the stride doesn't divide the picture's size
}

// leastChannels of the larger picture make a product for each tap worth while.
const leastChannels = 16

// groupBudget bounds the elements of a group of pictures, of which every core
// has its own: 1 MB in float32, to stay in its cache.
const groupBudget = 1 << 18

// newTaps takes the shapes of the larger and the smaller pictures.
func newTaps(g Geometry, large, small []int) taps {
	t := taps{
		patches: newPatches(g, large[0], large[1], large[2], large[3]),
		large:   layOut(large, g.Stride),
		small:   layOut(small, [2]int{1, 1}),
	}
	t.group = min(max(groupBudget/(t.large.size(1)+t.small.size(1)), 1), large[0])
	return t
}

func layOut(shape []int, stride [2]int) pixels {
	rows, columns := (shape[2]+stride[0]-1)/stride[0], (shape[3]+stride[1]-1)/stride[1]
	p := pixels{channels: shape[1], total: stride[0] * stride[1] * rows * columns}
	for y := range shape[2] {
		for x := range shape[3] {
			phase := y%stride[0]*stride[1] + x%stride[1]
			p.at = append(p.at, (phase*rows+y/stride[0])*columns+x/stride[1])
		}
	}
	return p
}

// size is the number of elements that n pictures are laid in.
func (p pixels) size(n int) int { return p.total * n * p.channels }

// eachRow calls f for each of some taps and each row of places where it meets
// the larger picture: with the first of them in either layout, and their number.
func (t taps) eachRow(from, to int, f func(tap, large, small, places int)) {
	for tap := from; tap < to; tap++ {
		x0 := tap%t.Kernel[1] - t.Left
		first, end := t.inside(x0)
		for row := range t.smallHeight {
			y := row*t.Stride[0] + tap/t.Kernel[1] - t.Top
			if first < end && y >= 0 && y < t.height {
				f(tap, t.large.at[y*t.width+x0+first*t.Stride[1]], row*t.smallWidth+first, end-first)
			}
		}
	}
}

// eachGroup calls f for each group of the pictures, on all cores.
func (t taps) eachGroup(batch int, f func(from, to int)) {
	groups := (batch + t.group - 1) / t.group
	parallel(groups, 1, func(first, end int) {
		for i := first; i < end; i++ {
			f(i*t.group, min((i+1)*t.group, batch))
		}
	})
}

// span is a row of places of n pictures as a matrix, and its last axis the
// channels.
func span[F float](laid []F, p pixels, place, places, n int) matrix[F] {
	size := n * p.channels
	return matrix[F]{rows: places * n, cols: p.channels, data: laid[place*size : (place+places)*size]}
}

// channelTile is the number of channels that are laid at a time: a cache line
// of float32.
const channelTile = 16

// lay lays out the pictures from..to of the n in x.
func lay[F float](laid, x []F, p pixels, n, from, to int) {
	for i := from; i < to; i++ {
		for c := 0; c < p.channels; c += channelTile {
			in := x[(i*p.channels+c)*len(p.at):]
			for pixel, place := range p.at {
				row := (place*n + i) * p.channels
				out := laid[row+c : row+min(c+channelTile, p.channels)]
				for k := range out {
					out[k] = in[k*len(p.at)+pixel]
				}
			}
		}
	}
}

// collect is the inverse of lay, for all n pictures.
func collect[F float](x, laid []F, p pixels, n int) {
	for i := range n {
		for c := 0; c < p.channels; c += channelTile {
			out := x[(i*p.channels+c)*len(p.at):]
			for pixel, place := range p.at {
				row := (place*n + i) * p.channels
				for k, v := range laid[row+c : row+min(c+channelTile, p.channels)] {
					out[k*len(p.at)+pixel] = v
				}
			}
		}
	}
}

// begin fills what products are added to: with the channels' biases, if there
// is an operand of them, or zeros.
func begin[F float](laid []F, biases []array[F]) {
	clear(laid)
	for _, b := range biases {
		for row := 0; row < len(laid); row += len(b.data) {
			copy(laid[row:], b.data)
		}
	}
}

// byTap turns w [O, C, KH, KW] into [KH, KW, O, C], in borrowed memory.
func byTap[F float](w array[F]) []F {
	m := matrix[F]{rows: w.shape[0] * w.shape[1], cols: w.shape[2] * w.shape[3], data: w.data}
	return turn(&m)
}

// weight is the matrix [O, C] of a tap in w [KH, KW, O, C].
func weight[F float](w []F, t taps, tap int) matrix[F] {
	size := t.small.channels * t.large.channels
	return matrix[F]{rows: t.small.channels, cols: t.large.channels, data: w[tap*size : (tap+1)*size]}
}

// pictures are those of x from one on.
func pictures[F float](x array[F], from int) []F { return x.data[from*inner(x.shape, 0):] }

// add computes c += a·b on this core.
func add[F float](a, b, c matrix[F]) { product(a, b, 1, c, c.rows, c.cols) }

func convByTaps[F float](t taps, y array[F], in []array[F]) {
	byTaps(t, y, in, t.small, t.large, func(small, large []F, w matrix[F], l, s, places, n int) {
		add(span(large, t.large, l, places, n), w.t(), span(small, t.small, s, places, n))
	})
}

func convTransposeByTaps[F float](t taps, y array[F], in []array[F]) {
	byTaps(t, y, in, t.large, t.small, func(large, small []F, w matrix[F], l, s, places, n int) {
		add(span(small, t.small, s, places, n), w, span(large, t.large, l, places, n))
	})
}

// byTaps computes pictures y, laid out as to, of those of in, laid out as from:
// tap adds to them what one tap, of weight w, makes of a row.
func byTaps[F float](t taps, y array[F], in []array[F], to, from pixels, tap func(y, x []F, w matrix[F], large, small, places, n int)) {
	w := byTap(in[1])
	defer giveBack(w)
	t.eachGroup(y.shape[0], func(first, end int) {
		n := end - first
		laidX, laidY := borrow[F](from.size(n)), borrow[F](to.size(n))
		defer giveBack(laidX)
		defer giveBack(laidY)
		lay(laidX, pictures(in[0], first), from, n, 0, n)
		begin(laidY, in[2:])
		t.eachRow(0, t.Kernel[0]*t.Kernel[1], func(k, l, s, places int) {
			tap(laidY, laidX, weight(w, t, k), l, s, places, n)
		})
		collect(pictures(y, first), laidY, to, n)
	})
}

// convWeightByTaps shares the taps among the cores: the sum over the groups
// must not depend on their number.
func convWeightByTaps[F float](t taps, y array[F], in []array[F]) {
	x, dy := in[0], in[1]
	w := borrowMatrix[F](t.Kernel[0]*t.Kernel[1], t.small.channels*t.large.channels)
	defer giveBack(w.data)
	clear(w.data)
	t.groups(x.shape[0], func(from, to int) {
		n := to - from
		large, small := borrow[F](t.large.size(n)), borrow[F](t.small.size(n))
		defer giveBack(large)
		defer giveBack(small)
		parallel(n, 1, func(first, end int) {
			lay(large, pictures(x, from), t.large, n, first, end)
			lay(small, pictures(dy, from), t.small, n, first, end)
		})
		parallel(w.rows, 1, func(first, end int) {
			t.eachRow(first, end, func(tap, l, s, places int) {
				add(span(small, t.small, s, places, n).t(), span(large, t.large, l, places, n), weight(w.data, t, tap))
			})
		})
	})
	transpose(y.data, w.data, w.rows, w.cols)
}
