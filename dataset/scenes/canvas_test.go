package scenes

import (
	"math"
	"testing"
)

func TestFillCoversTheExactArea(t *testing.T) {
	// The sum of what white paint leaves on a black canvas is the area.
	for _, c := range []struct {
		name string
		draw func(c *canvas)
		want float64 // pixels
	}{
		{"whole pixels", func(c *canvas) { box(c, 256, 512, 1024, 768) }, 3},
		{"halves", func(c *canvas) { box(c, 128, 128, 384, 384) }, 1},
		{"triangle", func(c *canvas) { loop(c, 0, 0, 2048, 0, 0, 2048) }, 32},
		{"cut by the left and upper border", func(c *canvas) { box(c, -5000, -5000, 512, 512) }, 4},
		{"cut by the right and lower border", func(c *canvas) { box(c, 15*256, 14*256, 90000, 90000) }, 2},
		{"outside", func(c *canvas) { box(c, -900, -900, -100, -100); box(c, 9000, 0, 9900, 500) }, 0},
		{"union of two that overlap", func(c *canvas) { box(c, 0, 0, 512, 512); box(c, 256, 256, 768, 768) }, 7},
		{"a hole", func(c *canvas) { box(c, 0, 0, 1024, 1024); loop(c, 256, 256, 256, 768, 768, 768, 768, 256) }, 12},
		{"nothing", func(c *canvas) {}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			cv := newCanvas(16, 16)
			white := paint{a: rgb{255, 255, 255}}
			for range 2 { // the second time shows that fill forgets the edges
				for i := range cv.pix {
					cv.pix[i] = rgb{}
				}
				c.draw(cv)
				cv.fill(&white, 256)
				sum := 0.0
				for _, p := range cv.pix {
					sum += float64(p.r) / 255
				}
				if math.Abs(sum-c.want) > 0.1+c.want/200 {
					t.Errorf("area %.3f, want %.3f", sum, c.want)
				}
			}
			cv.fill(&white, 256)
		})
	}
}

func box(c *canvas, x0, y0, x1, y1 int) { loop(c, x0, y0, x1, y0, x1, y1, x0, y1) }

func loop(c *canvas, xy ...int) {
	n := len(xy)
	for i := 0; i < n; i += 2 {
		c.edge(xy[i], xy[i+1], xy[(i+2)%n], xy[(i+3)%n])
	}
}

// The bound is that of sincos: 6.5 for the polynomial and 3 for rounding.
func TestSineIsWithinItsBound(t *testing.T) {
	for a := -2 * turn; a <= 2*turn; a++ {
		want := math.Sin(float64(a)*2*math.Pi/turn) * one
		if got := sine(a); math.Abs(float64(got)-want) > 9.5 {
			t.Fatalf("sine(%d) = %d, want %.1f", a, got, want)
		}
	}
}

func TestViewTurnsScalesAndMirrors(t *testing.T) {
	v := newView(1000, 2000, 500, turn/4, 0, 0, 0, 0, true)
	// (1000,0) mirrored is (-1000,0), turned a quarter clockwise (0,-1000).
	if x, y := v.apply(1000, 0); abs(x-1000) > 1 || abs(y-1500) > 1 {
		t.Errorf("(1000,0) goes to (%d,%d), want (1000,1500)", x, y)
	}
	in := v.inside(1000, 0, 500, 0)
	if x, y := in.apply(-1000, 0); abs(x-1000) > 1 || abs(y-1750) > 1 {
		t.Errorf("the part's (-1000,0) goes to (%d,%d), want (1000,1750)", x, y)
	}
}
