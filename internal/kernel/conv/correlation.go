package conv

import (
	"unsafe"

	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/gemm"
	"github.com/winnow-go/winnow/internal/pool"
)

// axis is one direction of a correlation: tap t of position i reads the source
// at first + i*stride + t*dil, and zero outside [0,in).
type axis struct {
	out    int
	first  int
	stride int
	taps   int
	dil    int
	in     int
}

// span is the length of source behind n > 0 positions.
func (x axis) span(n int) int {
	return (n-1)*x.stride + (x.taps-1)*x.dil + 1
}

// inside reports whether no position reads padding.
func (x axis) inside() bool { return x.first >= 0 && x.first+x.span(x.out) <= x.in }

// correlation slides filters over source images; the forward pass is one, the
// gradient of the input is one for every phase of the stride. The pixel
// (n,i,j) of the result lies at dst[n*outImage+i*outLine+j*outPixel].
//
// A task takes some lines of an image or some whole images. Where the filters
// reach into the padding it copies their source, zeros around it, to memory
// small enough for the second cache, or for tasks with some of the filters each
// once for all; then every window is KH runs of KW*C neighbouring elements, and
// the product gathers them from there.
type correlation struct {
	n                           int
	h, w                        axis
	src                         []float32
	c                           int // channels of the source
	dst                         []float32
	k                           int // channels of the result
	outImage, outLine, outPixel int
	weights                     []*gemm.Packed // a group each, [taps*C/Groups, K/Groups]
	accumulate                  bool           // to add to dst
	epi                         *kernel.Epilogue[float32]
}

// Limits of a task: pixels of the result, and elements of copied source unless
// there are no more pixels than are enough for one pass of the filters.
const (
	maxRows = 384
	maxCopy = 1 << 16
	enough  = 108
)

func (c *correlation) run(p *pool.Pool, a *kernel.Arena) {
	pixels := c.h.out * c.w.out
	if c.n == 0 || pixels == 0 {
		return
	}
	direct := c.h.inside() && c.w.inside()
	width := c.w.in
	if !direct {
		width = c.w.span(c.w.out)
	}
	line := width * c.c

	kg := c.k / len(c.weights)
	rows := min(maxRows, share(p, c.n*pixels))
	images, lines := 1, c.h.out
	if pixels <= rows {
		images = min(rows/pixels, c.n)
	} else {
		lines = max(1, rows/c.w.out)
	}
	if !direct {
		for images > 1 && images*pixels > enough && images*c.h.span(lines)*line > maxCopy {
			images--
		}
		for lines > 1 && lines*c.w.out > enough && c.h.span(lines)*line > maxCopy {
			lines--
		}
	}
	bands := (c.h.out + lines - 1) / lines
	lines = (c.h.out + bands - 1) / bands
	image := c.h.span(lines) * line // from image to image in what a task reads
	if direct {
		image = c.h.in * line
	}

	// Where things lie is the same for every task, from its first pixel on.
	groups := len(c.weights)
	cg := c.c / groups
	runs, run := c.h.taps, c.w.taps*c.c
	whole := groups == 1 && c.w.dil == 1
	if !whole {
		runs, run = c.h.taps*c.w.taps, cg
	}
	n := images * lines * c.w.out
	memory := a.Get(wordsInts(2*n + runs))
	defer a.Put(memory)
	table := ints(memory)
	rowAt, outAt, runAt := table[:n], table[n:][:n], table[2*n:][:runs]
	for i := range n {
		img, l, x := i/(lines*c.w.out), i/c.w.out%lines, i%c.w.out
		rowAt[i] = img*image + l*c.h.stride*line + x*c.w.stride*c.c
		outAt[i] = img*c.outImage + l*c.outLine + x*c.outPixel
	}
	for i := range runs {
		th, tw := i, 0
		if !whole {
			th, tw = i/c.w.taps, i%c.w.taps
		}
		runAt[i] = th*c.h.dil*line + tw*c.w.dil*c.c
	}

	tasks := (c.n + images - 1) / images * bands
	parts := split(p, tasks, tasksPerThread, c.weights[0].Panels())
	at := func(task int) (n0, l0 int) { return task / bands * images, task % bands * lines }
	var padded []float32 // of all tasks, if several parts of the filters meet it
	if !direct && parts > 1 {
		padded = a.Get(max(tasks*images*image, 1))
		defer a.Put(padded)
		span := c.h.span(lines)
		p.Split(tasks*images*span, 1<<13/line+1, func(lo, hi, _ int) {
			for i := lo; i < hi; i++ {
				task, img, l := i/(images*span), i/span%images, i%span
				if n0, l0 := at(task); n0+img < c.n {
					c.pad(padded[task*images*image+img*image+l*line:], n0+img, c.h.first+l0*c.h.stride+l, 1, width)
				}
			}
		})
	}
	p.Run(tasks*parts, func(task, _ int) {
		task, part := task/parts, task%parts
		n0, l0 := at(task)
		ni, nl := min(images, c.n-n0), min(lines, c.h.out-l0)
		var src []float32
		switch {
		case direct:
			src = c.src[(n0*c.h.in+c.h.first+l0*c.h.stride)*line+c.w.first*c.c:]
		case padded != nil:
			src = padded[task*images*image:][:max(ni*image, 1)]
		default:
			src = a.Get(max(ni*image, 1))
			defer a.Put(src)
			for i := range ni {
				c.pad(src[i*image:], n0+i, c.h.first+l0*c.h.stride, c.h.span(nl), width)
			}
		}
		dst := c.dst[n0*c.outImage+l0*c.outLine:]
		rows := ni * nl * c.w.out
		row0 := n0*pixels + l0*c.w.out
		for g, w := range c.weights {
			from, to := cut(w.Panels(), parts, part), cut(w.Panels(), parts, part+1)
			b := w.Columns(from, to)
			from = from*panel + g*kg
			gemm.MulGather(dst[from:], 0, outAt[:rows], gemm.Gather{Data: src[g*cg:], Rows: rowAt[:rows], Runs: runAt, Run: run, Step: 1},
				&b, c.accumulate, c.epi.Columns(from, b.N(), c.k), row0)
		}
	})
}

// pad copies lines of image n, from the given one on and each width pixels from
// w.first on, with zeros where they leave the image.
func (c *correlation) pad(to []float32, n, first, lines, width int) {
	for i := range lines {
		padLine(to[i*width*c.c:][:width*c.c], c.src, n, first+i, c.w.first, c.h.in, c.w.in, c.c)
	}
}

// padLine copies a part of line y of image n of src [N,h,w,c], from pixel x on,
// with zeros where it leaves the image.
func padLine(to, src []float32, n, y, x, h, w, c int) {
	if y < 0 || y >= h {
		clear(to)
		return
	}
	width := len(to) / c
	left := min(max(0, -x), width)
	right := max(min(width, w-x), left) // the first pixel of to beyond the image
	clear(to[:left*c])
	clear(to[right*c:])
	if right > left {
		copy(to[left*c:right*c], src[((n*h+y)*w+x+left)*c:])
	}
}

// wordsInts is how many elements of an arena hold n integers.
func wordsInts(n int) int { return n * int(unsafe.Sizeof(int(0))) / 4 }

// ints reads arena memory, which is aligned to cache lines, as integers.
func ints(memory []float32) []int {
	if len(memory) == 0 {
		return nil
	}
	return unsafe.Slice((*int)(unsafe.Pointer(unsafe.SliceData(memory))), len(memory)*4/int(unsafe.Sizeof(int(0))))
}
