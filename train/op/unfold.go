package op

// A convolution is a matrix product once each place of the kernel has become a
// column. patches describes that matrix for a few pictures at a time: the
// product is large enough to keep every core busy, the matrix small enough not
// to weigh on memory.
type patches struct {
	Geometry
	channels, height, width   int // of the larger picture
	smallHeight, smallWidth   int
	kernelSize, places, group int // rows of the matrix, columns for each picture, pictures at a time
}

// columnBudget bounds the elements of the patch matrix: 8 MB in float32. Four
// times as much and half as much are no faster.
const columnBudget = 2 << 20

func newPatches(g Geometry, batch, channels, height, width int) patches {
	p := patches{Geometry: g, channels: channels, height: height, width: width}
	p.smallHeight, p.smallWidth = g.small(height, width)
	p.kernelSize = channels * g.Kernel[0] * g.Kernel[1]
	p.places = p.smallHeight * p.smallWidth
	p.group = min(max(columnBudget/(p.kernelSize*p.places), 1), batch)
	return p
}

// groups calls f for the pictures from..to, a group at a time.
func (p patches) groups(batch int, f func(from, to int)) {
	for from := 0; from < batch; from += p.group {
		f(from, min(from+p.group, batch))
	}
}

// unfold copies pictures x [n, C, H, W] into the matrix
//
//	col[(c,kh,kw), (n,oh,ow)] = x[n, c, oh·sh-top+kh, ow·sw-left+kw]
//
// with zeros where that lies outside.
func unfold[F float](col, x []F, p patches, n int) {
	p.eachRow(n, func(row, picture, y0, x0 int) {
		out := col[row : row+p.places]
		for oh := range p.smallHeight {
			line := out[oh*p.smallWidth : (oh+1)*p.smallWidth]
			y := y0 + oh*p.Stride[0]
			if y < 0 || y >= p.height {
				clear(line)
				continue
			}
			from, to := p.inside(x0)
			clear(line[:from])
			clear(line[to:])
			in := x[picture+y*p.width : picture+(y+1)*p.width]
			if p.Stride[1] == 1 && from < to {
				copy(line[from:to], in[x0+from:])
				continue
			}
			at := x0 + from*p.Stride[1]
			for ow := from; ow < to; ow++ {
				line[ow] = in[at]
				at += p.Stride[1]
			}
		}
	})
}

// fold is the adjoint of unfold: it adds every column back to where it came
// from. x must be zero before.
func fold[F float](x, col []F, p patches, n int) {
	p.eachRow(n, func(row, picture, y0, x0 int) {
		in := col[row : row+p.places]
		for oh := range p.smallHeight {
			y := y0 + oh*p.Stride[0]
			if y < 0 || y >= p.height {
				continue
			}
			from, to := p.inside(x0)
			line := in[oh*p.smallWidth : (oh+1)*p.smallWidth]
			out := x[picture+y*p.width : picture+(y+1)*p.width]
			at := x0 + from*p.Stride[1]
			for ow := from; ow < to; ow++ {
				out[at] += line[ow]
				at += p.Stride[1]
			}
		}
	})
}

// eachRow calls f for each row of the matrix and each of n pictures: with the
// offset of the row's part for that picture, the offset of the channel's
// picture, and the pixel under the kernel's tap in its first place. A channel
// of a picture stays on one core, so fold's sums never race.
func (p patches) eachRow(n int, f func(row, picture, y0, x0 int)) {
	kh, kw := p.Kernel[0], p.Kernel[1]
	parallel(n*p.channels, elementGrain/(kh*kw*p.places)+1, func(from, to int) {
		for i := from; i < to; i++ {
			picture, c := i/p.channels, i%p.channels
			for tap := range kh * kw {
				row := ((c*kh*kw+tap)*n + picture) * p.places
				f(row, i*p.height*p.width, tap/kw-p.Top, tap%kw-p.Left)
			}
		}
	})
}

// inside is the range of places whose tap, at x0 in the first, lies within the
// picture's width.
func (p patches) inside(x0 int) (from, to int) {
	s := p.Stride[1]
	if x0 < 0 {
		from = (-x0 + s - 1) / s
	}
	if p.width > x0 {
		to = (p.width - x0 + s - 1) / s
	}
	from = min(from, p.smallWidth)
	return from, max(from, min(to, p.smallWidth))
}

// interleave copies pictures x [n, C, P] into m [C, n, P], the layout of a
// matrix product's operand over a whole group; deinterleave copies back.
func interleave[F float](m, x []F, n, channels, places int) {
	parallel(channels, elementGrain/(n*places)+1, func(from, to int) {
		for c := from; c < to; c++ {
			for i := range n {
				copy(m[(c*n+i)*places:(c*n+i+1)*places], x[(i*channels+c)*places:])
			}
		}
	})
}

func deinterleave[F float](x, m []F, n, channels, places int) {
	interleave(x, m, channels, n, places)
}
