package weights

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
)

func TestHalfIsExactForAllValues(t *testing.T) {
	var b []byte
	for h := range 1 << 16 {
		b = binary.LittleEndian.AppendUint16(b, uint16(h))
	}
	all := make([]float32, 1<<16)
	if err := (&decoder{r: bytes.NewReader(b)}).float32(0, F16, all); err != nil {
		t.Fatal(err)
	}
	for h, v := range all {
		sign, exp, frac := 1.0, h>>10&31, float64(h&1023)
		if h>>15 == 1 {
			sign = -1
		}
		want := sign * math.Ldexp(1+frac/1024, exp-15)
		switch {
		case exp == 0:
			want = sign * math.Ldexp(frac/1024, -14)
		case exp == 31 && frac == 0:
			want = math.Inf(int(sign))
		case exp == 31:
			want = math.NaN()
		}
		got := float64(v)
		if math.IsNaN(want) != math.IsNaN(got) || !math.IsNaN(want) && got != want || math.Signbit(got) != (sign < 0) {
			t.Fatalf("%#04x is read as %v, want %v", h, got, want)
		}
	}
}

func TestPiecesMeetWithoutSeams(t *testing.T) {
	for _, n := range []int{0, 1, 2, 8191, 8192, 8193, 32767, 32768, 32769, 70001} {
		b := []byte{0xaa} // an odd start
		for i := range n {
			b = binary.LittleEndian.AppendUint16(b, uint16(i*7919))
		}
		dst := make([]float32, n)
		if err := (&decoder{r: bytes.NewReader(b)}).float32(1, BF16, dst); err != nil {
			t.Fatal(err)
		}
		for i, v := range dst {
			if math.Float32bits(v) != uint32(uint16(i*7919))<<16 {
				t.Fatalf("element %d of %d is %v", i, n, v)
			}
		}
	}
}

func TestFloat64IsRoundedToTheNearest(t *testing.T) {
	values := []float64{0.1, 1 + 1.0/(1<<24), 1e300, -1e-300, math.NaN(), math.Copysign(0, -1)}
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	dst := make([]float32, len(values))
	if err := (&decoder{r: bytes.NewReader(b)}).float32(0, F64, dst); err != nil {
		t.Fatal(err)
	}
	for i, v := range values {
		if want := float32(v); math.Float32bits(dst[i]) != math.Float32bits(want) && want == want {
			t.Errorf("%v is read as %v, want %v", v, dst[i], want)
		}
	}
	if !math.IsInf(float64(dst[2]), 1) || dst[4] == dst[4] {
		t.Errorf("1e300 is read as %v, NaN as %v", dst[2], dst[4])
	}
}

func TestSwapTurnsEveryElement(t *testing.T) {
	defer func(v bool) { littleEndian = v }(littleEndian)
	littleEndian = false
	b := []byte{1, 2, 3, 4, 5, 6, 7, 8}
	swap(b, 4)
	if !bytes.Equal(b, []byte{4, 3, 2, 1, 8, 7, 6, 5}) {
		t.Errorf("swapped by 4: %v", b)
	}
	swap(b, 1)
	swap(b, 8)
	if !bytes.Equal(b, []byte{5, 6, 7, 8, 1, 2, 3, 4}) {
		t.Errorf("swapped by 8: %v", b)
	}
}
