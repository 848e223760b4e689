package transform

import (
	"bytes"
	"fmt"
	"image/jpeg"
	"testing"
)

func BenchmarkResize(b *testing.B) {
	for _, in := range [][2]int{{640, 480}, {1600, 1200}, {200, 150}} {
		src := gradient(in[0], in[1])
		for _, how := range []Interpolation{Bilinear, Bicubic} {
			b.Run(fmt.Sprintf("in=%dx%d/out=299x224/how=%v", in[0], in[1], how), func(b *testing.B) {
				for b.Loop() {
					if _, err := Resize(src, 299, 224, how); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	var file bytes.Buffer
	if err := jpeg.Encode(&file, gradient(500, 375), nil); err != nil {
		b.Fatal(err)
	}
	b.Run("format=jpeg/size=500x375", func(b *testing.B) {
		for b.Loop() {
			img, err := DecodeBytes(file.Bytes(), Limits{})
			if err != nil {
				b.Fatal(err)
			}
			ToRGB(img)
		}
	})
}

func BenchmarkPrepareSmall(b *testing.B) {
	src := gradient(32, 32)
	c := Native(32)
	n, err := c.Normalizer()
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]float32, c.Len())
	var s Scratch
	r := draw(1)
	for name, a := range map[string]Augment{"none": {}, "cifar": CIFAR()} {
		b.Run("augment="+name, func(b *testing.B) {
			for b.Loop() {
				p, err := a.Apply(c, src, &s, r)
				if err == nil {
					err = n.Apply(dst, p)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
