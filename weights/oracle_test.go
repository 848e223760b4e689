package weights_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/nlpodyssey/safetensors"
	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/internal/rng"
	"github.com/winnow-go/winnow/weights"
)

// random is a source of n tensors with shapes that the oracle accepts: it
// refuses [].
func random(r *rand.Rand, n int) *weights.Map {
	m := weights.NewMap()
	for i := range n {
		shape := make([]int, 1+r.IntN(4))
		size := 1
		for k := range shape {
			shape[k] = 1 + r.IntN(5)
			size *= shape[k]
		}
		var data any
		switch i % 5 {
		case 0:
			data = fill(size, func() float32 { return float32(r.NormFloat64()) })
		case 1:
			data = fill(size, r.NormFloat64)
		case 2:
			data = fill(size, func() int64 { return int64(r.Uint64()) })
		case 3:
			data = fill(size, func() uint8 { return uint8(r.Uint32()) })
		case 4:
			data = fill(size, func() int32 { return int32(r.Uint32()) })
		}
		m.Set(string(rune('a'+r.IntN(26)))+string(rune('A'+i)), of(data, shape...))
	}
	return m
}

func fill[T any](n int, next func() T) []T {
	s := make([]T, n)
	for i := range s {
		s[i] = next()
	}
	return s
}

func littleEndian(data any) []byte {
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, data)
	return b.Bytes()
}

func TestOracleReadsWhatWeWrite(t *testing.T) {
	for seed := range uint64(50) {
		m := random(rng.New(seed, rng.Test), 20)
		b := toBytes(t, m, map[string]string{"format": "pt", "seed": "é"})
		o, err := safetensors.Deserialize(b)
		if err != nil {
			t.Fatal(err)
		}
		_, header, err := safetensors.ReadMetadata(b)
		if err != nil || header.Metadata()["seed"] != "é" {
			t.Fatalf("metadata %v (%v)", header.Metadata(), err)
		}
		if got, want := o.Len(), m.Len(); got != want {
			t.Fatalf("the oracle finds %d tensors of %d", got, want)
		}
		for _, name := range m.Names() {
			v, ok := o.Tensor(name)
			want, err := m.Tensor(name)
			if !ok || err != nil {
				t.Fatalf("%s: found %v, error %v", name, ok, err)
			}
			info, _ := m.Info(name)
			if v.DType().String() != string(info.DType) || !equalShape(v.Shape(), want) || !bytes.Equal(v.Data(), littleEndian(want.Data())) {
				t.Errorf("seed %d, %s: the oracle reads %v %v % x, wrote %v %v % x", seed, name, v.DType(), v.Shape(), v.Data(), info.DType, want.Shape(), littleEndian(want.Data()))
			}
		}
	}
}

func equalShape(shape []uint64, t *tensor.Dense) bool {
	return slices.EqualFunc(shape, []int(t.Shape()), func(a uint64, b int) bool { return a == uint64(b) })
}

func TestWeReadWhatTheOracleWrites(t *testing.T) {
	kinds := []safetensors.DType{safetensors.F32, safetensors.F64, safetensors.F16, safetensors.BF16, safetensors.I64,
		safetensors.I32, safetensors.I16, safetensors.I8, safetensors.U64, safetensors.U32, safetensors.U16, safetensors.U8}
	for seed := range uint64(20) {
		r := rng.New(seed, rng.Test, 1)
		views := map[string]safetensors.TensorView{}
		for i, kind := range kinds {
			shape := []uint64{1 + r.Uint64N(4), 1 + r.Uint64N(4), 1 + r.Uint64N(4)}
			data := fill(int(shape[0]*shape[1]*shape[2]*kind.Size()), func() byte { return byte(r.Uint32()) })
			v, err := safetensors.NewTensorView(kind, shape, data)
			if err != nil {
				t.Fatal(err)
			}
			views[string(rune('a'+i))] = v
		}
		b, err := safetensors.Serialize(views, map[string]string{"k": "v"})
		if err != nil {
			t.Fatal(err)
		}
		f := mustOpen(t, b)
		if f.Metadata()["k"] != "v" || len(f.Names()) != len(views) {
			t.Errorf("metadata %v, names %q", f.Metadata(), f.Names())
		}
		for name, v := range views {
			info, err := f.Info(name)
			if err != nil || string(info.DType) != v.DType().String() {
				t.Fatalf("%s: %+v, want %v (%v)", name, info, v.DType(), err)
			}
			d, err := f.Tensor(name)
			if err != nil {
				t.Fatal(err)
			}
			got := littleEndian(d.Data())
			switch info.DType {
			case weights.BF16: // the upper halves
				for i := range len(v.Data()) / 2 {
					if got[4*i] != 0 || got[4*i+1] != 0 || !bytes.Equal(got[4*i+2:4*i+4], v.Data()[2*i:2*i+2]) {
						t.Fatalf("%s: element %d is % x, stored % x", name, i, got[4*i:4*i+4], v.Data()[2*i:2*i+2])
					}
				}
				continue
			case weights.F16:
				for i, x := range d.Data().([]float32) {
					if h := binary.LittleEndian.Uint16(v.Data()[2*i:]); (h>>15 == 1) != math.Signbit(float64(x)) || h&0x7fff == 0 && x != 0 {
						t.Fatalf("%s: element %d is %v, stored %#x", name, i, x, h)
					}
				}
				continue
			}
			if !equalShape(v.Shape(), d) || !bytes.Equal(got, v.Data()) {
				t.Errorf("%s: read %v % x, the oracle wrote %v % x", name, d.Shape(), got, v.Shape(), v.Data())
			}
		}
	}
}
