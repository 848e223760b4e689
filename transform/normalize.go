package transform

import "fmt"

// Normalizer is the second half of a Config: pixels to float32. It is
// read-only and may be shared.
type Normalizer struct {
	size  int
	value [3][256]float32
}

// Normalizer computes what every pixel value becomes: (v/255 - mean) / std, in
// float32.
func (c Config) Normalizer() (*Normalizer, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.WithDefaults()
	n := &Normalizer{size: c.Size}
	for ch := range n.value {
		for v := range n.value[ch] {
			n.value[ch][v] = (float32(v)/255 - c.Mean[ch]) / c.Std[ch]
		}
	}
	return n, nil
}

// Apply writes p, which must be Size x Size, to dst, [Size,Size,3].
func (n *Normalizer) Apply(dst []float32, p *RGB) error {
	l := 3 * n.size * n.size
	if p.W != n.size || p.H != n.size || len(p.Pix) < l {
		return fmt.Errorf("transform: normalise: picture is %dx%d, want %dx%d", p.W, p.H, n.size, n.size)
	}
	if len(dst) != l {
		return fmt.Errorf("transform: normalise: destination has %d elements, want %d", len(dst), l)
	}
	pix := p.Pix[:l]
	dst = dst[:len(pix)]
	for i := 2; i < len(pix); i += 3 {
		dst[i-2] = n.value[0][pix[i-2]]
		dst[i-1] = n.value[1][pix[i-1]]
		dst[i] = n.value[2][pix[i]]
	}
	return nil
}
