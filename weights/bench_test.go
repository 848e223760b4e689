package weights_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/winnow-go/winnow/weights"
)

// Sixteen million elements, from memory: the cost of decoding.
func BenchmarkFloat32(b *testing.B) {
	const n = 1 << 24
	for _, c := range []struct {
		dtype string
		width int
	}{{"F32", 4}, {"F16", 2}, {"BF16", 2}, {"F64", 8}} {
		b.Run("dtype="+c.dtype, func(b *testing.B) {
			file := raw(fmt.Sprintf(`{"a":{"dtype":%q,"shape":[%d],"data_offsets":[0,%d]}}`, c.dtype, n, n*c.width), bytes.Repeat([]byte{0x2e}, n*c.width)) // ordinary numbers in each type
			f, err := weights.NewReader(bytes.NewReader(file), int64(len(file)))
			if err != nil {
				b.Fatal(err)
			}
			dst := make([]float32, n)
			b.SetBytes(int64(n * c.width))
			for b.Loop() {
				if err := f.Float32("a", dst); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	m := weights.NewMap()
	for i := range 344 { // as many tensors as ConvNeXt-L has
		m.SetFloat32(fmt.Sprintf("stages.%d.blocks.%d.mlp.fc1.weight", i%4, i/4), make([]float32, 8), 2, 4)
	}
	path := filepath.Join(b.TempDir(), "m.safetensors")
	if err := weights.Write(path, m, nil); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		f, err := weights.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
}
