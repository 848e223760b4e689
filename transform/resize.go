package transform

import (
	"fmt"
	"math"
)

// Interpolation is how Resize weighs the pixels of the source.
type Interpolation int

// The interpolations, under Pillow's names. All but Nearest widen with the
// factor when they shrink a picture, which keeps it free of aliasing.
const (
	Bilinear Interpolation = iota // triangle, support 1
	Bicubic                       // Keys 1981 with a = -0.5, support 2
	Nearest                       // the pixel below the centre
	Box                           // mean of the pixels covered
	Hamming                       // Hamming-windowed sinc, support 1
	Lanczos                       // Lanczos-windowed sinc, support 3
)

var interpolations = [...]string{"bilinear", "bicubic", "nearest", "box", "hamming", "lanczos"}

// String is the name as it stands in a model file.
func (i Interpolation) String() string { return nameOf("interpolation", interpolations[:], int(i)) }

// MarshalText writes the name.
func (i Interpolation) MarshalText() ([]byte, error) {
	return marshalName("interpolation", interpolations[:], int(i))
}

// UnmarshalText reads the name.
func (i *Interpolation) UnmarshalText(text []byte) error {
	n, err := unmarshalName("interpolation", interpolations[:], text)
	if err == nil {
		*i = Interpolation(n)
	}
	return err
}

// filter returns the kernel on x >= 0 and where it ends.
func (i Interpolation) filter() (f func(x float64) float64, support float64) {
	switch i {
	case Box:
		return nil, 0.5 // not even: [-0.5, 0.5)
	case Bicubic:
		return func(x float64) float64 {
			const a = -0.5
			switch {
			case x < 1:
				return ((a+2)*x-(a+3))*x*x + 1
			case x < 2:
				return (((x-5)*x+8)*x - 4) * a
			}
			return 0
		}, 2
	case Hamming:
		return func(x float64) float64 {
			switch {
			case x == 0:
				return 1
			case x >= 1:
				return 0
			}
			x *= math.Pi
			return math.Sin(x) / x * (0.54 + 0.46*math.Cos(x))
		}, 1
	case Lanczos:
		sinc := func(x float64) float64 {
			if x == 0 {
				return 1
			}
			x *= math.Pi
			return math.Sin(x) / x
		}
		return func(x float64) float64 {
			if x < 3 {
				return sinc(x) * sinc(x/3)
			}
			return 0
		}, 3
	}
	return func(x float64) float64 { return max(0, 1-x) }, 1
}

// Bounds that keep a strange picture or file from asking for gigabytes: a side
// of what Resize makes, and its pixels after either pass.
const (
	maxSide    = 1 << 15
	maxScratch = 1 << 27
)

// Resize returns src scaled to w x h pixels as a new picture, or src itself
// where the size is that already. The sides must be in [1, 32768]; a result, or
// a picture of the new width and the old height, of more than 128 Mi pixels is
// [ErrTooLarge].
//
// The result is equal, value for value, to Pillow's resize of an RGB picture.
// One side after the other, rows first, every value is a sum of products of
// 8-bit pixels and weights with 22 bits after the point, rounded to 8 bits
// after each pass (the algorithm of libImaging/Resample.c).
func Resize(src *RGB, w, h int, how Interpolation) (*RGB, error) {
	same, err := checkResize(src.W, src.H, w, h, how)
	switch {
	case err != nil:
		return nil, err
	case same:
		return src, nil
	case how == Nearest:
		return nearest(src, w, h), nil
	}
	return resample(src, w, h, how), nil
}

// checkResize tells whether the size is the same.
func checkResize(sw, sh, w, h int, how Interpolation) (same bool, err error) {
	switch {
	case w < 1 || h < 1 || w > maxSide || h > maxSide:
		return false, fmt.Errorf("transform: resize to %dx%d: sides must be in [1, %d]", w, h, maxSide)
	case how < 0 || int(how) >= len(interpolations):
		return false, fmt.Errorf("transform: resize: no such interpolation: %d", int(how))
	case sw < 1 || sh < 1:
		return false, fmt.Errorf("transform: resize: empty picture %dx%d", sw, sh)
	case w == sw && h == sh:
		return true, nil
	case int64(w)*int64(max(h, sh)) > maxScratch:
		return false, fmt.Errorf("%w: to resize from %dx%d to %dx%d", ErrTooLarge, sw, sh, w, h)
	}
	return false, nil
}

// taps are the weights of one pass: output i is the sum over k of
// weight[i*size+k] times input first[i]+k, k < count[i].
type taps[T int32 | float64] struct {
	size         int
	first, count []int32
	weight       []T
}

const fraction = 32 - 8 - 2 // bits after the point; 8 for the pixel, 2 for overshoot

// exactTaps are the weights before they are rounded, those of one output adding
// up to 1.
func exactTaps(in, out int, how Interpolation) *taps[float64] {
	f, support := how.filter()
	scale := float64(in) / float64(out)
	widen := max(scale, 1)
	support *= widen
	t := &taps[float64]{size: int(math.Ceil(support))*2 + 1, first: make([]int32, out), count: make([]int32, out)}
	t.weight = make([]float64, out*t.size)
	inv := 1 / widen
	for i := range out {
		centre := float64((float64(i) + 0.5) * scale)
		lo := max(0, int(centre-support+0.5))
		hi := min(in, int(centre+support+0.5))
		exact := t.weight[i*t.size : i*t.size+hi-lo]
		sum := 0.0
		for k := range exact {
			x := (float64(k+lo) - centre + 0.5) * inv
			var v float64
			if f == nil {
				if x > -0.5 && x <= 0.5 {
					v = 1
				}
			} else {
				v = f(math.Abs(x))
			}
			exact[k] = v
			sum += v
		}
		if sum != 0 {
			sum = 1 / sum
			for k := range exact {
				exact[k] *= sum
			}
		}
		t.first[i], t.count[i] = int32(lo), int32(hi-lo)
	}
	return t
}

// newTaps are the weights in fixed point.
func newTaps(in, out int, how Interpolation) *taps[int32] {
	t := exactTaps(in, out, how)
	weight := make([]int32, len(t.weight))
	for i, v := range t.weight {
		if v < 0 {
			weight[i] = int32(-0.5 + float64(v*(1<<fraction)))
		} else {
			weight[i] = int32(0.5 + float64(v*(1<<fraction)))
		}
	}
	return &taps[int32]{t.size, t.first, t.count, weight}
}

func resample(src *RGB, w, h int, how Interpolation) *RGB {
	horizontal, vertical := w != src.W, h != src.H
	var down *taps[int32]
	first, last := 0, src.H // the rows that the second pass reads
	if vertical {
		down = newTaps(src.H, h, how)
		first = int(down.first[0])
		last = int(down.first[h-1] + down.count[h-1])
	}
	if horizontal {
		columns := newTaps(src.W, w, how)
		mid := NewRGB(w, last-first)
		for y := range mid.H {
			across(columns, mid.Pix[y*w*3:(y+1)*w*3], src.Pix[(first+y)*src.W*3:(first+y+1)*src.W*3])
		}
		src = mid
	} else if vertical {
		src = &RGB{W: src.W, H: last - first, Pix: src.Pix[first*src.W*3 : last*src.W*3]}
	}
	if !vertical {
		return src
	}
	dst := NewRGB(w, h)
	sum := make([]int32, w*3)
	for y := range h {
		for i := range sum {
			sum[i] = 1 << (fraction - 1)
		}
		at := int(down.first[y]) - first
		for k, weight := range down.weight[y*down.size : y*down.size+int(down.count[y])] {
			in := src.Pix[(at+k)*w*3 : (at+k+1)*w*3]
			in = in[:len(sum)]
			for i := range sum {
				sum[i] += int32(in[i]) * weight
			}
		}
		out := dst.Pix[y*w*3 : (y+1)*w*3]
		out = out[:len(sum)]
		for i, s := range sum {
			out[i] = clip(s >> fraction)
		}
	}
	return dst
}

// across is the first pass for one row.
func across(t *taps[int32], dst, src []uint8) {
	for i := range t.first {
		lo, n := int(t.first[i]), int(t.count[i])
		in := src[3*lo : 3*(lo+n)]
		weight := t.weight[i*t.size : i*t.size+n]
		var r, g, b int32 = 1 << (fraction - 1), 1 << (fraction - 1), 1 << (fraction - 1)
		for _, w := range weight {
			p := in[:3:3]
			r += int32(p[0]) * w
			g += int32(p[1]) * w
			b += int32(p[2]) * w
			in = in[3:]
		}
		d := dst[3*i : 3*i+3 : 3*i+3]
		d[0], d[1], d[2] = clip(r>>fraction), clip(g>>fraction), clip(b>>fraction)
	}
}

// nearest takes the pixel in which the centre of the new one falls.
func nearest(src *RGB, w, h int) *RGB {
	dst := NewRGB(w, h)
	xs, ys := nearestSteps(src.W, w), nearestSteps(src.H, h)
	for y, sy := range ys {
		row := src.Pix[sy*src.W*3 : (sy+1)*src.W*3]
		out := dst.Pix[y*w*3 : (y+1)*w*3]
		for x, sx := range xs {
			copy(out[3*x:3*x+3], row[3*sx:3*sx+3])
		}
	}
	return dst
}

// nearestSteps are the positions that nearest takes along one side. They are
// summed up step by step, like Pillow's affine transform: it matters where a
// centre falls on an edge.
func nearestSteps(in, out int) []int {
	at := make([]int, out)
	step := float64(in) / float64(out)
	x := step * 0.5
	for i := range at {
		at[i] = min(int(x), in-1)
		x += step
	}
	return at
}
