//go:build !purego

package depthwise

import "github.com/winnow-go/winnow/internal/cpu"

//go:generate go run -C ../_asm ./depthwise -out ../depthwise/tile_amd64.s -stubs ../depthwise/tile_amd64.go -pkg depthwise

const (
	maxColumns = 14 // output columns that the registers hold
	maxTaps    = 11 // taps of a weight gradient that they hold
)

// vectors is the assembly of one variant, for planes of so many channels.
type vectors struct {
	lanes      int
	blocks     int // that share a cache line
	correlate  [maxColumns]func(dst, x, w *float32, off, line *int, from, tiles, step, rows, dstRow, blocks, plane, weight int, last *float32, mask *int32)
	gradient   [maxTaps]func(sum, x *float32, off *int, dy *float32, cols, rows, xRow, dyRow, blocks, xPlane, dyPlane, weight int)
	pack1      func(dst, src *float32, n, pitch, rows, dstRow, srcRow int)
	pack2      func(dst, src *float32, n, pitch, rows, dstRow, srcRow, plane int)
	packMasked func(dst, src *float32, n, pitch, rows, dstRow, srcRow int, mask *int32)
	unpack1    func(dst, src *float32, n, pitch int)

	// Of AVX-512 only: rows of seven taps, for one block and for two;
	// their weight gradients 7 and 8 pixels at a time.
	slide     [maxColumns]slide
	slidePair [maxColumns / 2]slide
	sums      [2][sevens]func(sum, x *float32, from int, dy *float32, cols, rows, pitch, xRow, dyRow, xTaps, how int)
}

type slide func(dst, x, w *float32, line *int, from, pitch, step, rows, dstRow, weight, xRow int, last *float32, mask *int32, how int)

var avx2 = vectors{
	lanes: 8, blocks: 2,
	correlate: [...]func(dst, x, w *float32, off, line *int, from, tiles, step, rows, dstRow, blocks, plane, weight int, last *float32, mask *int32){
		correlate1, correlate2, correlate3, correlate4, correlate5, correlate6, correlate7,
		correlate8, correlate9, correlate10, correlate11, correlate12, correlate13, correlate14,
	},
	gradient: [...]func(sum, x *float32, off *int, dy *float32, cols, rows, xRow, dyRow, blocks, xPlane, dyPlane, weight int){
		gradient1, gradient2, gradient3, gradient4, gradient5, gradient6, gradient7, gradient8, gradient9, gradient10, gradient11,
	},
	pack1: pack1, pack2: pack2, packMasked: packMasked, unpack1: unpack1,
}

var avx512 = vectors{
	lanes: 16, blocks: 1,
	correlate: [...]func(dst, x, w *float32, off, line *int, from, tiles, step, rows, dstRow, blocks, plane, weight int, last *float32, mask *int32){
		correlateWide1, correlateWide2, correlateWide3, correlateWide4, correlateWide5, correlateWide6, correlateWide7,
		correlateWide8, correlateWide9, correlateWide10, correlateWide11, correlateWide12, correlateWide13, correlateWide14,
	},
	gradient: [...]func(sum, x *float32, off *int, dy *float32, cols, rows, xRow, dyRow, blocks, xPlane, dyPlane, weight int){
		gradientWide1, gradientWide2, gradientWide3, gradientWide4, gradientWide5, gradientWide6,
		gradientWide7, gradientWide8, gradientWide9, gradientWide10, gradientWide11,
	},
	pack1: packWide1, pack2: packWide2, packMasked: packMaskedWide, unpack1: unpackWide1,

	slide: [...]slide{
		slideWide1, slideWide2, slideWide3, slideWide4, slideWide5, slideWide6, slideWide7,
		slideWide8, slideWide9, slideWide10, slideWide11, slideWide12, slideWide13, slideWide14,
	},
	slidePair: [...]slide{
		slidePairWide1, slidePairWide2, slidePairWide3, slidePairWide4, slidePairWide5, slidePairWide6, slidePairWide7,
	},
	sums: [...][sevens]func(sum, x *float32, from int, dy *float32, cols, rows, pitch, xRow, dyRow, xTaps, how int){
		{sumsWide7x1, sumsWide7x2, sumsWide7x3},
		{sumsWide8x1, sumsWide8x2, sumsWide8x3},
	},
}

func assembly(v cpu.Variant) *vectors {
	if v == cpu.AVX512 {
		return &avx512
	}
	return &avx2
}

// mask chooses the first n lanes, fewer than all.
func (v *vectors) mask(n int) *int32 {
	if v.lanes == 16 {
		return &bitsOn[n]
	}
	return &lanesOn[8-n]
}

var (
	lanesOn = [16]int32{-1, -1, -1, -1, -1, -1, -1, -1}
	bitsOn  = func() (on [16]int32) {
		for n := range on {
			on[n] = 1<<n - 1
		}
		return on
	}()
)
