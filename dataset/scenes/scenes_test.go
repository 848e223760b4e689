package scenes

import (
	"crypto/sha256"
	"encoding/hex"
	"image"
	"slices"
	"sync"
	"testing"
)

func mustNew(t testing.TB, o Options) *Set {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustStrangers(t testing.TB, o Options) *Set {
	t.Helper()
	s, err := Strangers(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func pixels(t testing.TB, s *Set, i int) []uint8 {
	t.Helper()
	img, err := s.Image(i)
	if err != nil {
		t.Fatal(err)
	}
	p := img.(*image.RGBA)
	if want := image.Rect(0, 0, s.o.Size, s.o.Size); p.Rect != want {
		t.Fatalf("picture %d: bounds %v, want %v", i, p.Rect, want)
	}
	return p.Pix
}

func TestStrangersAreNoneOfTheClasses(t *testing.T) {
	if n := len(Classes()); n != 10 {
		t.Errorf("%d classes, want 10", n)
	}
	if n := len(StrangerClasses()); n < 5 {
		t.Errorf("%d kinds of strangers, want at least 5", n)
	}
	all := append(Classes(), StrangerClasses()...)
	slices.Sort(all)
	if unique := slices.Compact(slices.Clone(all)); len(unique) != len(all) {
		t.Errorf("a name occurs twice in %v", all)
	}
}

func TestLabelsAreBalancedAndShuffled(t *testing.T) {
	for name, s := range map[string]*Set{
		"known":     mustNew(t, Options{Seed: 3, N: 4000}),
		"strangers": mustStrangers(t, Options{Seed: 3, N: 4000}),
	} {
		k := len(s.Classes())
		counts := make([]int, k)
		for i := range s.Len() {
			counts[s.Label(i)]++
		}
		for i, n := range counts {
			if n != 4000/k {
				t.Errorf("%s: class %d has %d of %d pictures", name, i, n, 4000)
			}
		}
		// Each block of k has an order of its own: any label may come first.
		first := map[int]bool{}
		for i := 0; i < 4000; i += k {
			first[s.Label(i)] = true
		}
		if len(first) != k {
			t.Errorf("%s: only %d labels ever begin a block", name, len(first))
		}
	}
}

func TestLongerSetBeginsLikeShorter(t *testing.T) {
	short, long := mustNew(t, Options{Seed: 9, N: 20}), mustNew(t, Options{Seed: 9, N: 5000})
	for i := range short.Len() {
		if short.Name(i) != long.Name(i) || !slices.Equal(pixels(t, short, i), pixels(t, long, i)) {
			t.Fatalf("picture %d differs", i)
		}
	}
}

func TestSeedsStylesAndOriginsShareNoPicture(t *testing.T) {
	seen := map[[32]byte]string{}
	for seed := range uint64(2) {
		for _, style := range []Style{Training, Testing} {
			o := Options{Seed: seed, N: 50, Style: style}
			for _, s := range []*Set{mustNew(t, o), mustStrangers(t, o)} {
				for i := range s.Len() {
					h := sha256.Sum256(pixels(t, s, i))
					if other, ok := seen[h]; ok {
						t.Fatalf("seed %d: %s is %s", seed, s.Name(i), other)
					}
					seen[h] = s.Name(i)
				}
			}
		}
	}
}

// The bytes are the same on every processor, with and without fused
// multiplication (GOAMD64=v3, arm64). A change of the drawing changes them,
// and with them the meaning of every seed: say so in the changelog.
func TestGoldenPictures(t *testing.T) {
	for _, c := range []struct {
		name string
		set  *Set
		want string
	}{
		{"training", mustNew(t, Options{Seed: 1, N: 60}), "958aa1aef3c746aae8d93b10"},
		{"testing", mustNew(t, Options{Seed: 1, N: 60, Style: Testing}), "ac1426c28a09df26a7f25f07"},
		{"strangers", mustStrangers(t, Options{Seed: 1, N: 48, Style: Testing}), "d60e6fbd09d47372715a413f"},
		{"size=64", mustNew(t, Options{Seed: 1, N: 20, Size: 64}), "3afb48f6003f4aad53a4a705"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := sha256.New()
			for i := range c.set.Len() {
				h.Write([]byte(c.set.Name(i)))
				h.Write(pixels(t, c.set, i))
			}
			if got := hex.EncodeToString(h.Sum(nil)[:12]); got != c.want {
				t.Errorf("hash %s, want %s", got, c.want)
			}
		})
	}
}

func TestConcurrentDrawingGivesTheSamePictures(t *testing.T) {
	o := Options{Seed: 4, N: 64, Style: Testing}
	alone, shared := mustNew(t, o), mustNew(t, o)
	want := make([][]uint8, o.N)
	for i := range want {
		want[i] = pixels(t, alone, i)
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for j := range o.N {
				i := (j*7 + g*11) % o.N
				img, err := shared.Image(i)
				if err != nil || !slices.Equal(img.(*image.RGBA).Pix, want[i]) {
					t.Errorf("goroutine %d: picture %d differs (%v)", g, i, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestEverySizeDraws(t *testing.T) {
	for _, size := range []int{8, 9, 17, 31, 33, 64, 100, 224, 256} {
		for _, style := range []Style{Training, Testing} {
			o := Options{Seed: 5, N: 40, Style: style, Size: size}
			if size > 100 {
				o.N = 16
			}
			for _, s := range []*Set{mustNew(t, o), mustStrangers(t, o)} {
				for i := range s.Len() {
					p := pixels(t, s, i)
					var lo, hi uint8 = 255, 0
					for j, v := range p {
						if j%4 == 3 {
							if v != 255 {
								t.Fatalf("size %d: %s is not opaque", size, s.Name(i))
							}
							continue
						}
						lo, hi = min(lo, v), max(hi, v)
					}
					if hi-lo < 25 {
						t.Errorf("size %d: %s has levels %d to %d only", size, s.Name(i), lo, hi)
					}
				}
			}
		}
	}
}

// A picture of twice the size, averaged down, shows the same scene. Noise is
// drawn per pixel and remains.
func TestSizeChangesTheScaleNotTheScene(t *testing.T) {
	small, large := mustNew(t, Options{Seed: 6, N: 20}), mustNew(t, Options{Seed: 6, N: 20, Size: 64})
	for i := range small.Len() {
		a, b := pixels(t, small, i), pixels(t, large, i)
		sum := 0
		for y := range 32 {
			for x := range 32 {
				for c := range 3 {
					at := func(dx, dy int) int { return int(b[((2*y+dy)*64+2*x+dx)*4+c]) }
					mean := (at(0, 0) + at(1, 0) + at(0, 1) + at(1, 1)) / 4
					sum += abs(mean - int(a[(y*32+x)*4+c]))
				}
			}
		}
		if mean := float64(sum) / (32 * 32 * 3); mean > 12 {
			t.Errorf("picture %d: levels differ by %.1f on average", i, mean)
		}
	}
}

// Dusk is darker than day and its colours are weaker, so that a histogram
// alone tells the styles apart.
func TestStylesLookDifferent(t *testing.T) {
	measure := func(style Style) (light, colour float64) {
		s := mustNew(t, Options{Seed: 8, N: 200, Style: style})
		for i := range s.Len() {
			p := pixels(t, s, i)
			for j := 0; j < len(p); j += 4 {
				light += float64(rgb{p[j], p[j+1], p[j+2]}.luma())
				colour += float64(max(p[j], p[j+1], p[j+2]) - min(p[j], p[j+1], p[j+2]))
			}
		}
		n := float64(s.Len() * s.o.Size * s.o.Size)
		return light / n, colour / n
	}
	dayLight, dayColour := measure(Training)
	duskLight, duskColour := measure(Testing)
	t.Logf("brightness %.0f by day, %.0f at dusk; spread of channels %.0f, %.0f", dayLight, duskLight, dayColour, duskColour)
	if dayLight-duskLight < 15 || dayColour-duskColour < 5 {
		t.Errorf("brightness %.1f and %.1f, spread of channels %.1f and %.1f: too alike", dayLight, duskLight, dayColour, duskColour)
	}
}

func TestBadOptionsAreErrors(t *testing.T) {
	for _, o := range []Options{{N: -1}, {Size: 7}, {Size: 257}, {Size: -32}, {Style: 2}} {
		if _, err := New(o); err == nil {
			t.Errorf("New(%+v) has no error", o)
		}
		if _, err := Strangers(o); err == nil {
			t.Errorf("Strangers(%+v) has no error", o)
		}
	}
}

func TestIndexOutsidePanics(t *testing.T) {
	s := mustNew(t, Options{N: 10})
	for _, i := range []int{-1, 10} {
		for name, f := range map[string]func(){
			"Label": func() { s.Label(i) },
			"Name":  func() { s.Name(i) },
			"Image": func() { s.Image(i) },
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s(%d) of 10 returned", name, i)
					}
				}()
				f()
			}()
		}
	}
}
