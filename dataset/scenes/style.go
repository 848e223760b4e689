package scenes

// Style is how scenes are drawn.
type Style uint8

const (
	// Training is painted by day: filled shapes in clear colours, an
	// occasional outline, the object near the middle and nearly upright.
	Training Style = iota
	// Testing is sketched at dusk: inked outlines that stray, hatched and
	// translucent fills in muted colours, tinted uneven light, more clutter
	// and things in front, other sizes, stronger turns and perspective.
	Testing
)

func (s Style) String() string {
	switch s {
	case Training:
		return "training"
	case Testing:
		return "testing"
	}
	return "unknown style"
}

// manner is what makes a style: every number that decides how hard it is.
// Shares are in percent, lengths in 1/1000 of half the picture's width unless
// said otherwise.
type manner struct {
	ground palette // background
	things palette // objects
	inks   palette // lines
	gap    int     // least distance of colours (rgb.apart) of object and background

	size    span // half the object's box
	shift   int  // how far off the middle, of the room that is left
	turn    int  // degrees either way
	stretch int  // 1/1000 either way, and as much shear
	tilt    int  // perspective: change of scale from middle to edge of the box, 1/1000

	outline span // width in 1/1000 of the picture's width
	lined   int  // share of objects with an outline
	twice   int  // share of those outlined twice
	fill    span // opacity of fills, of 256
	woven   int  // share of an object's paints that have a texture
	wobble  span // how far lines stray, in units of the object's box

	clutter span // things around
	front   span // things in front
	shade   int  // share of objects with a shadow

	light span // brightness, 256 is neutral
	slope int  // how much it changes from one side to the other, of 256
	tints []rgb
	blur  span // of 256: weight of the neighbours
	noise span // amplitude in levels of 255
}

var manners = [...]manner{
	Training: {
		ground: palette{span{30, 190}, span{110, 245}},
		things: palette{span{60, 255}, span{60, 255}},
		inks:   palette{span{30, 160}, span{10, 70}},
		gap:    110,

		size: span{680, 920}, shift: 700, turn: 18, stretch: 130, tilt: 120,

		outline: span{10, 18}, lined: 50, twice: 0, fill: span{256, 256}, woven: 20,
		wobble: span{0, 50},

		clutter: span{0, 4}, front: span{0, 1}, shade: 40,

		light: span{200, 280}, slope: 70, tints: []rgb{{255, 255, 255}},
		blur: span{0, 60}, noise: span{2, 15},
	},
	Testing: {
		ground: palette{span{20, 150}, span{90, 235}},
		things: palette{span{30, 200}, span{60, 245}},
		inks:   palette{span{20, 120}, span{0, 50}},
		gap:    125,

		size: span{640, 920}, shift: 850, turn: 25, stretch: 150, tilt: 160,

		outline: span{9, 17}, lined: 85, twice: 60, fill: span{200, 256}, woven: 40,
		wobble: span{20, 70},

		clutter: span{1, 4}, front: span{0, 1}, shade: 60,

		light: span{205, 280}, slope: 80,
		tints: []rgb{{255, 220, 175}, {195, 210, 255}, {245, 200, 235}},
		blur:  span{20, 80}, noise: span{4, 18},
	},
}
