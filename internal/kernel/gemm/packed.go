package gemm

import "github.com/winnow-go/winnow/internal/kernel"

// nr is the number of columns in a panel: two vectors of AVX2.
const nr = 16

// Packed is a matrix B [K,N] arranged for [Mul]: panels of 16 columns, each
// panel K rows of 16 elements, the last one filled up with zeros. Any number
// of goroutines may multiply by it at once.
type Packed struct {
	k, n int
	data []float32 // [panels,K,16]
}

// Pack arranges b, a k x n matrix, in new memory. b is not kept.
func Pack(b Operand[float32], k, n int) *Packed {
	p := new(Packed)
	p.Repack(b, k, n)
	return p
}

// Repack arranges b, a k x n matrix, in p's memory where that suffices, and
// in new memory otherwise. Nobody may be using p.
func (p *Packed) Repack(b Operand[float32], k, n int) {
	p.Reserve(k, n)
	p.SetRows(0, b, k)
}

// Reserve makes p a k x n matrix of undefined elements, in its memory where
// that suffices, and in new memory otherwise. Nobody may be using p.
func (p *Packed) Reserve(k, n int) {
	size := PackedLen(k, n)
	if cap(p.data) < size {
		p.data = kernel.Aligned(size)
	}
	p.k, p.n, p.data = k, n, p.data[:size]
}

// PackedLen is the number of elements that a packed k x n matrix takes up.
func PackedLen(k, n int) int { return (n + nr - 1) / nr * nr * k }

// PackIn arranges b, a k x n matrix, in memory of [PackedLen](k, n) elements
// that the caller lends for as long as the result is used.
func PackIn(memory []float32, b Operand[float32], k, n int) *Packed {
	p := PackedIn(memory, k, n)
	p.SetRows(0, b, k)
	return p
}

// PackedIn is a k x n matrix in memory of [PackedLen](k, n) elements that the
// caller lends for as long as the matrix is used. Its elements are undefined
// until [Packed.SetRows] has been given every row.
func PackedIn(memory []float32, k, n int) *Packed {
	return &Packed{k: k, n: n, data: memory[:PackedLen(k, n)]}
}

// SetRows arranges b, a rows x N matrix, as the rows from l0 on. Goroutines
// may set different rows at the same time. b is not kept.
func (p *Packed) SetRows(l0 int, b Operand[float32], rows int) {
	b.check("B", rows, p.n)
	if l0 < 0 || l0+rows > p.k {
		panic("gemm: rows outside the packed matrix")
	}
	if rows == 0 {
		return
	}
	done := 0
	if b.ColStride == 1 {
		done = p.n / nr * nr
		CopyPanels(p.data[l0*nr:], p.k*nr, nr, b.Data, done, b.RowStride, rows)
	}
	for j := done; j < p.n; j += nr {
		cols := min(nr, p.n-j)
		panel := p.data[j*p.k:][l0*nr:][:nr*rows]
		if cols < nr {
			clear(panel)
		}
		first := 0
		if b.RowStride == 1 && cols == nr {
			first = turn(panel, b, j, rows)
		}
		// A few rows at a time, so that both sides stay in the nearest cache.
		const few = 64
		for ; first < rows; first += few {
			last := min(first+few, rows)
			for c := range cols {
				at := first*b.RowStride + (j+c)*b.ColStride
				for l := first; l < last; l++ {
					panel[l*nr+c] = b.Data[at]
					at += b.RowStride
				}
			}
		}
	}
}

// SetPanels arranges those columns of b, a K x N matrix, that the panels
// [lo,hi) hold. Goroutines may set different panels at the same time. b is not
// kept.
func (p *Packed) SetPanels(lo, hi int, b Operand[float32]) {
	b.check("B", p.k, p.n)
	if lo == hi || p.k == 0 {
		return
	}
	columns := p.Columns(lo, hi)
	b.Data = b.Data[lo*nr*b.ColStride:]
	columns.SetRows(0, b, p.k)
}

// Panels is the number of panels of 16 columns.
func (p *Packed) Panels() int { return (p.n + nr - 1) / nr }

// Panel is the memory of a panel, [K,16], for those who arrange the elements
// themselves: column j of the matrix is element j%16 of panel j/16's rows, and
// what lies beyond the last column must be zero.
func (p *Packed) Panel(i int) []float32 { return p.data[i*nr*p.k:][:nr*p.k] }

// Columns is the matrix of the columns that the panels [lo,hi) hold, in p's
// memory.
func (p *Packed) Columns(lo, hi int) Packed {
	return Packed{k: p.k, n: min(hi*nr, p.n) - lo*nr, data: p.data[lo*nr*p.k : hi*nr*p.k]}
}

// K is the number of rows, the length of each sum.
func (p *Packed) K() int { return p.k }

// N is the number of columns.
func (p *Packed) N() int { return p.n }

// Elem is the type of the elements.
func (p *Packed) Elem() kernel.Elem { return kernel.F32 }

// Bytes is the memory that the panels occupy.
func (p *Packed) Bytes() int { return len(p.data) * p.Elem().Size() }

// At is element (l,j).
func (p *Packed) At(l, j int) float32 { return p.data[j/nr*nr*p.k+l*nr+j%nr] }
