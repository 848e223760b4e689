package transform

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/winnow-go/winnow/internal/rng"
)

func draw(seed uint64) *rand.Rand { return rng.New(seed, rng.Test) }

func TestRandomCropMovesThePicture(t *testing.T) {
	src := gradient(9, 7)
	seen := map[[2]int]int{}
	for seed := range uint64(400) {
		var dst RGB
		if err := (RandomCrop{Padding: 2}).Apply(&dst, src, draw(seed)); err != nil {
			t.Fatal(err)
		}
		r := draw(seed)
		dx, dy := r.IntN(5)-2, r.IntN(5)-2
		seen[[2]int{dx, dy}]++
		for y := range 7 {
			for x := range 9 {
				want := NewRGB(1, 1).At(0, 0)
				if sx, sy := x-dx, y-dy; sx >= 0 && sx < 9 && sy >= 0 && sy < 7 {
					want = src.At(sx, sy)
				}
				if dst.At(x, y) != want {
					t.Fatalf("moved by (%d,%d): (%d,%d) is %v, want %v", dx, dy, x, y, dst.At(x, y), want)
				}
			}
		}
	}
	if len(seen) != 25 {
		t.Errorf("%d of 25 places were drawn", len(seen))
	}
}

func TestFlipMirrorsAboutHalf(t *testing.T) {
	src := gradient(8, 3)
	mirror := turn(src, 2)
	flipped := 0
	for seed := range uint64(1000) {
		var dst RGB
		if err := (HorizontalFlip{}).Apply(&dst, src, draw(seed)); err != nil {
			t.Fatal(err)
		}
		switch {
		case bytes.Equal(dst.Pix, mirror.Pix):
			flipped++
		case !bytes.Equal(dst.Pix, src.Pix):
			t.Fatal("neither the picture nor its mirror")
		}
	}
	if flipped < 420 || flipped > 580 { // 5 standard deviations of 15.8
		t.Errorf("%d of 1000 are mirrored", flipped)
	}
	var dst RGB
	if err := (HorizontalFlip{P: 1}).Apply(&dst, src, draw(1)); err != nil || !bytes.Equal(dst.Pix, mirror.Pix) {
		t.Errorf("P 1 does not always mirror: %v", err)
	}
}

func TestRandomResizedCropStaysInside(t *testing.T) {
	c := RandomResizedCrop{Size: 5}.withDefaults()
	areas := 0.0
	for seed := range uint64(2000) {
		for _, s := range [][2]int{{480, 480}, {60, 40}, {1, 1}, {100, 3}, {3, 100}, {2, 1}} {
			x, y, w, h := c.window(s[0], s[1], draw(seed))
			if x < 0 || y < 0 || w < 1 || h < 1 || x+w > s[0] || y+h > s[1] {
				t.Fatalf("%dx%d at (%d,%d) of %v", w, h, x, y, s)
			}
			if s[0] == 480 {
				areas += float64(w*h) / (480 * 480) / 2000
			}
		}
	}
	// Of a square, a part of proportion r fits when its share is at most
	// m = min(r, 1/r); with ln r uniform in ±ln(4/3) the mean share is
	// (E m² - 0.08²) / 2(E m - 0.08) = 0.478, deviation of the mean 0.005.
	if math.Abs(areas-0.478) > 0.02 {
		t.Errorf("the mean share of the area is %.3f", areas)
	}
	// What does not fit is the middle with the nearest proportion.
	if x, y, w, h := c.window(300, 3, draw(1)); x != 148 || y != 0 || w != 4 || h != 3 {
		t.Errorf("of a strip: %dx%d at (%d,%d)", w, h, x, y)
	}
	var dst RGB
	if err := c.Apply(&dst, gradient(60, 40), draw(3)); err != nil || dst.W != 5 || dst.H != 5 {
		t.Errorf("%dx%d, %v", dst.W, dst.H, err)
	}
}

func TestStepsRefuseBadRanges(t *testing.T) {
	for _, s := range []Step{
		RandomCrop{Padding: -1}, HorizontalFlip{P: -0.1}, HorizontalFlip{P: 1.1}, RandomResizedCrop{},
		RandomResizedCrop{Size: 5, MinArea: 0.9, MaxArea: 0.1}, RandomResizedCrop{Size: 5, MaxArea: 2}, RandomResizedCrop{Size: 5, MinRatio: 3},
	} {
		var dst RGB
		if err := s.Apply(&dst, gradient(8, 8), draw(1)); err == nil {
			t.Errorf("%+v is applied", s)
		}
	}
}

func TestAugmentLeavesItsSourceAlone(t *testing.T) {
	src := gradient(50, 40)
	old := src.Clone()
	var s Scratch
	for _, a := range []Augment{{}, CIFAR(), ImageNetTrain(16, Bicubic), {Picture: []Step{HorizontalFlip{P: 1}}, Pixels: CIFAR().Pixels}} {
		for seed := range uint64(20) {
			p, err := a.Apply(Native(16), src, &s, draw(seed))
			if err != nil {
				t.Fatal(err)
			}
			if p.W != 16 || p.H != 16 {
				t.Fatalf("%dx%d", p.W, p.H)
			}
			first := p.Clone()
			again, err := a.Apply(Native(16), src, new(Scratch), draw(seed))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(first.Pix, again.Pix) {
				t.Fatal("the same draw gives another picture")
			}
		}
		if !bytes.Equal(src.Pix, old.Pix) {
			t.Fatal("the source was changed")
		}
	}
	if !(Augment{}).None() || CIFAR().None() {
		t.Error("None is wrong")
	}
}
