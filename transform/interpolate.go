package transform

import (
	"fmt"
	"math"
)

// Interpolate resizes a picture of float32 [sh,sw,3] into dst, [h,w,3], like
// PyTorch's torch.nn.functional.interpolate with align_corners=False: for models
// whose authors resize tensors and not pictures. With antialias the weights are
// Pillow's before rounding; without it, every result is made of the 2 or 4
// nearest samples each way however much the picture shrinks, and bicubic has
// a = -0.75. Bilinear and Bicubic are built.
//
// Values may have any range; they are not clipped. Sides are bounded as for
// [Resize]. Sums are taken in float64, so that results differ from PyTorch's,
// which adds up in float32, by some 1e-6 of the largest value.
func Interpolate(dst []float32, h, w int, src []float32, sh, sw int, how Interpolation, antialias bool) error {
	if how != Bilinear && how != Bicubic {
		return fmt.Errorf("transform: interpolate: %v is not built", how)
	}
	if sw > maxSide || sh > maxSide {
		return fmt.Errorf("%w: to interpolate from %dx%d", ErrTooLarge, sw, sh)
	}
	if _, err := checkResize(sw, sh, w, h, how); err != nil {
		return err
	}
	if len(src) != 3*sh*sw || len(dst) != 3*h*w {
		return fmt.Errorf("transform: interpolate: %d values for %dx%d, %d for %dx%d", len(src), sw, sh, len(dst), w, h)
	}
	weights := exactTaps
	if !antialias {
		weights = localTaps
	}
	across, down := weights(sw, w, how), weights(sh, h, how)
	first := int(down.first[0])
	last := int(down.first[h-1] + down.count[h-1])
	mid := make([]float64, (last-first)*w*3) // rows first to last, resized across
	for y := first; y < last; y++ {
		for x := range w {
			at := (y*sw + int(across.first[x])) * 3
			var r, g, b float64
			for _, v := range across.weight[x*across.size : x*across.size+int(across.count[x])] {
				r += float64(float64(src[at]) * v)
				g += float64(float64(src[at+1]) * v)
				b += float64(float64(src[at+2]) * v)
				at += 3
			}
			o := ((y-first)*w + x) * 3
			mid[o], mid[o+1], mid[o+2] = r, g, b
		}
	}
	for y := range h {
		weight := down.weight[y*down.size : y*down.size+int(down.count[y])]
		for i := range w * 3 {
			at := (int(down.first[y])-first)*w*3 + i
			sum := 0.0
			for _, v := range weight {
				sum += float64(mid[at] * v)
				at += w * 3
			}
			dst[y*w*3+i] = float32(sum)
		}
	}
	return nil
}

// localTaps are the weights without antialiasing. What would lie outside is the
// sample at the edge.
func localTaps(in, out int, how Interpolation) *taps[float64] {
	n := 2
	if how == Bicubic {
		n = 4
	}
	t := &taps[float64]{size: min(n, in), first: make([]int32, out), count: make([]int32, out)}
	t.weight = make([]float64, out*t.size)
	scale := float64(in) / float64(out)
	for i := range out {
		at := scale*(float64(i)+0.5) - 0.5
		lo := int(math.Floor(at))
		f := at - float64(lo)
		var w [4]float64
		if how == Bilinear {
			w = [4]float64{1 - f, f}
		} else {
			lo--
			w = [4]float64{keys(1 + f), keys(f), keys(1 - f), keys(2 - f)}
		}
		first := min(max(lo, 0), in-t.size)
		t.first[i], t.count[i] = int32(first), int32(t.size)
		for k, v := range w[:n] {
			t.weight[i*t.size+min(max(lo+k, 0), in-1)-first] += v
		}
	}
	return t
}

// keys is the cubic kernel (Keys 1981) on x >= 0 with a = -0.75.
func keys(x float64) float64 {
	const a = -0.75
	switch {
	case x <= 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return ((a*x-5*a)*x+8*a)*x - 4*a
	}
	return 0
}
