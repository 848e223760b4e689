package report

import (
	"image/color"
	"math"
)

// series returns the colour of the i-th line; they repeat after seven. They
// are those of Okabe and Ito, Color Universal Design, 2008, without yellow,
// which is lost on white.
func series(i int) color.RGBA {
	colours := [...]color.RGBA{
		{0x00, 0x72, 0xb2, 0xff}, // blue
		{0xd5, 0x5e, 0x00, 0xff}, // vermillion
		{0x00, 0x9e, 0x73, 0xff}, // bluish green
		{0xcc, 0x79, 0xa7, 0xff}, // reddish purple
		{0xe6, 0x9f, 0x00, 0xff}, // orange
		{0x56, 0xb4, 0xe9, 0xff}, // sky blue
		{0x22, 0x22, 0x22, 0xff}, // black
	}
	return colours[i%len(colours)]
}

// ordered returns the colour of the i-th of n values that have an order: from
// dark violet over blue and green to yellow-green, lightness rising all the
// way, so that the order survives in grey.
func ordered(i, n int) color.RGBA {
	stops := []color.RGBA{
		{0x3b, 0x0f, 0x5c, 0xff}, {0x3b, 0x52, 0x8b, 0xff}, {0x21, 0x91, 0x8c, 0xff}, {0x5e, 0xc9, 0x62, 0xff}, {0xc2, 0xd0, 0x2f, 0xff},
	}
	if n < 2 {
		return stops[1]
	}
	return along(stops, float64(i)/float64(n-1))
}

// rightShade and wrongShade colour a share 0..1 of right and wrong answers.
// Small shares are lifted (power 0.6), for mistakes are mostly small shares.
func rightShade(v float64) color.RGBA {
	return along([]color.RGBA{{0xff, 0xff, 0xff, 0xff}, {0xa6, 0xcb, 0xe8, 0xff}, {0x3b, 0x86, 0xc1, 0xff}, {0x08, 0x3e, 0x78, 0xff}}, lift(v))
}

func wrongShade(v float64) color.RGBA {
	return along([]color.RGBA{{0xff, 0xff, 0xff, 0xff}, {0xfd, 0xc5, 0x8a, 0xff}, {0xe5, 0x6f, 0x1e, 0xff}, {0x8a, 0x33, 0x04, 0xff}}, lift(v))
}

func lift(v float64) float64 {
	if !(v > 0) {
		return 0
	}
	return math.Pow(min(v, 1), 0.6)
}

// along mixes neighbouring stops; t is 0..1.
func along(stops []color.RGBA, t float64) color.RGBA {
	x := min(max(t, 0), 1) * float64(len(stops)-1)
	i := min(int(x), len(stops)-2)
	return mix(stops[i], stops[i+1], x-float64(i))
}

// mix goes from a (t = 0) to b (t = 1).
func mix(a, b color.RGBA, t float64) color.RGBA {
	m := func(x, y uint8) uint8 { return uint8(math.Round((1-t)*float64(x) + t*float64(y))) }
	return color.RGBA{m(a.R, b.R), m(a.G, b.G), m(a.B, b.B), 0xff}
}

// dark reports whether light letters read better on a colour.
func dark(c color.RGBA) bool {
	return 0.299*float64(c.R)+0.587*float64(c.G)+0.114*float64(c.B) < 140
}
