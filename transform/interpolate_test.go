package transform

import (
	"errors"
	"math"
	"testing"
)

// Without a change of size nothing changes; one value stays that value.
func TestInterpolateKeepsWhatIsEven(t *testing.T) {
	src := make([]float32, 3*5*4)
	for i := range src {
		src[i] = float32(i) - 7
	}
	for _, how := range []Interpolation{Bilinear, Bicubic} {
		for _, antialias := range []bool{false, true} {
			dst := make([]float32, len(src))
			if err := Interpolate(dst, 5, 4, src, 5, 4, how, antialias); err != nil {
				t.Fatal(err)
			}
			for i, v := range src {
				if dst[i] != v {
					t.Fatalf("%v: element %d became %v, was %v", how, i, dst[i], v)
				}
			}
			flat := make([]float32, 3*2*1)
			for i := range flat {
				flat[i] = float32(i%3) - 1.5
			}
			out := make([]float32, 3*7*9)
			if err := Interpolate(out, 7, 9, flat, 2, 1, how, antialias); err != nil {
				t.Fatal(err)
			}
			for i, v := range out {
				if math.Abs(float64(v-flat[i%3])) > 1e-6 {
					t.Fatalf("%v: element %d is %v, want %v", how, i, v, flat[i%3])
				}
			}
		}
	}
}

func TestInterpolateChecksItsArguments(t *testing.T) {
	src, dst := make([]float32, 12), make([]float32, 12)
	for name, err := range map[string]error{
		"nearest":     Interpolate(dst, 2, 2, src, 2, 2, Nearest, true),
		"no size":     Interpolate(nil, 0, 2, src, 2, 2, Bilinear, true),
		"short":       Interpolate(dst[:11], 2, 2, src, 2, 2, Bilinear, true),
		"short input": Interpolate(dst, 2, 2, src[:9], 2, 2, Bilinear, true),
		"empty":       Interpolate(dst, 2, 2, nil, 0, 2, Bilinear, true),
	} {
		if err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if err := Interpolate(nil, 1<<15, 1<<15, nil, 2, 2, Bilinear, true); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v, want ErrTooLarge", err)
	}
	if err := Interpolate(dst, 2, 2, nil, 1<<16, 1, Bilinear, true); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v, want ErrTooLarge", err)
	}
}
