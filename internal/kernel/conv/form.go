package conv

import (
	"os"
	"strings"

	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel"
)

// chosen is the variant that runs, the fastest that may. Tests replace it.
var chosen = func() cpu.Variant {
	all := cpu.Variants()
	return all[len(all)-1]
}()

// form is a way to convolve.
type form uint8

const (
	direct form = iota
	f2          // Winograd's F(2x2,3x3)
	f4          // Winograd's F(4x4,3x3)
)

func (f form) String() string { return [...]string{"direct", "f2", "f4"}[f] }

// out is the width of a tile of the result, in the width of the tile of the
// source behind it, parts the number of products that a tile needs.
func (f form) out() int   { return 2 * int(f) }
func (f form) in() int    { return 2*int(f) + 2 }
func (f form) parts() int { return f.in() * f.in() }

// forced is the form that every convolution takes that can, if there is one.
// WINNOW_CONV sets it when the program starts; tests replace it.
var forced = parse(os.Getenv("WINNOW_CONV"))

func parse(s string) *form {
	for _, f := range []form{direct, f2, f4} {
		if strings.EqualFold(strings.TrimSpace(s), f.String()) {
			return &f
		}
	}
	return nil
}

// Thresholds, measured on the layers of ResNets (AMD Zen 3 and 4, AVX2; relative
// to direct convolution, one image).
//
// From fewChannels on, F(4x4) takes less than half the time. With 16 channels
// it would still take 0.54, but its error is then 2.5 times that of direct
// sums, which are short (1.8 times at 256), and small networks in training,
// with few values behind each of their statistics, magnify it most.
//
// Up to manyProducts F(4x4) takes 0.3 to 0.4 of the time, F(2x2) 0.5. Beyond it
// the transformed filters of F(4x4), four times as large as the filters, are
// read from memory for few pixels: at 7x7x512 it takes 1.4 times as long as
// F(2x2), which takes 0.5 and needs less than half the memory. (For eight images
// F(4x4) would take 0.6 of F(2x2)'s time there, but the filters alone decide.)
// Gradients come in batches, and the filters are transformed for the occasion:
// up to manyBackward F(4x4) takes 0.3 to 0.5 of the time, F(2x2) 0.5; beyond it
// the transformed filters or their gradients would be 38 MB.
//
// AVX-512 (Intel Emerald Rapids) makes all forms faster by much the same factor,
// but not memory, so that manyProducts512 is lower: at 14x14x256 F(4x4) takes
// 0.43, F(2x2) 0.47 of direct convolution's time alone, but inside ResNet-18,
// where filters come from far away, F(4x4) makes the network 2 % slower; with
// AVX2 on Zen 3 it makes it 4 % faster, ResNet-50 2 %. At 7x7x512 the network
// takes as long with F(2x2) as with direct convolution, with F(4x4) 1.27 times
// as long.
const (
	fewChannels     = 32
	manyProducts    = 256 * 256
	manyProducts512 = 128 * 128
	manyBackward    = 256 * 512
)

// suits reports whether Winograd's forms can compute s.
func suits(s kernel.Conv) bool {
	return s.KH == 3 && s.KW == 3 && s.StrideH == 1 && s.StrideW == 1 && s.DilH == 1 && s.DilW == 1 && s.Groups == 1
}

// choose is the form of the forward pass. It looks at the filters and the
// processor alone: so they are arranged once for whatever batch and image size,
// and results depend on neither.
func choose(s kernel.Conv) form {
	many := manyProducts
	if chosen == cpu.AVX512 {
		many = manyProducts512
	}
	f := chooseInput(s)
	if f == f4 && forced == nil && s.C*s.K > many {
		return f2
	}
	return f
}

// chooseInput is the form of the gradient of the input.
func chooseInput(s kernel.Conv) form {
	switch {
	case !suits(s):
		return direct
	case forced != nil:
		return *forced
	case min(s.C, s.K) < fewChannels:
		return direct
	case s.C*s.K <= manyBackward:
		return f4
	}
	return f2
}

// chooseWeight is the form of the gradient of the weights. Where a single chunk
// of tiles does, no sums of transformed filters are kept, and F(4x4) is right
// for any number of channels.
func chooseWeight(s kernel.Conv) form {
	f := chooseInput(s)
	if f == f2 && forced == nil && s.N*((s.OutH()+3)/4)*((s.OutW()+3)/4) <= minGradientTiles {
		return f4
	}
	return f
}
