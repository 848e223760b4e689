package scenes

// Angles are in 1/1024 of a turn, clockwise as seen (y points down).
const (
	turn = 1024
	one  = 1 << 14 // the scale of sines
)

func degrees(d int) int { return d * turn / 360 }

// sincos returns 2^14 times the sine and cosine: the odd polynomial of fifth
// degree with the sine's slope at 0 and its value and slope at the quarter turn.
// It is off by at most 6.5, and rounding down three times adds less than 3.
func sincos(angle int) (sin, cos int) { return sine(angle), sine(angle + turn/4) }

func sine(angle int) int {
	angle &= turn - 1
	sign := 1
	if angle >= turn/2 {
		angle, sign = angle-turn/2, -1
	}
	if angle > turn/4 {
		angle = turn/2 - angle
	}
	const a, b, c = 25736, 10512, 1160 // pi/2, pi-5/2, (pi-3)/2 in units of 2^-14
	z := angle * (one / (turn / 4))
	q := z * z >> 14
	return sign * (z * (a - q*(b-q*c>>14)>>14) >> 14)
}

// A view maps a shape's own coordinates, a box of ±1000 with y downwards, to
// canvas coordinates in 1/256 pixel: turned, sheared, scaled, and seen slightly
// from the side (a plane's perspective: division by a linear function).
//
// The products need more than 32 bits.
type view struct {
	xx, xy, yx, yy int64 // 2^-16 canvas units a unit
	gx, gy         int64 // perspective, 2^-24 a unit
	tx, ty         int64 // where the origin goes
}

// newView: half is the canvas length of 1000 units, stretch and shear are in
// 1/1000, flip mirrors left and right. tilt changes the scale from the middle
// of the box to an edge, by 1/1000 for a unit of tiltX or tiltY.
func newView(tx, ty, half, angle, stretch, shear, tiltX, tiltY int, flip bool) view {
	sin, cos := sincos(angle)
	w, h := half*(1000+stretch)/1000, half*(1000-stretch)/1000
	if flip {
		w = -w
	}
	// Rotation times shear times scale: 2^14 from the sines, 2^2 to go.
	at := func(v, size int) int64 { return int64(v) * 4 * int64(size) / 1000 }
	return view{
		xx: at(cos, w), yx: at(sin, w),
		xy: at(-sin+cos*shear/1000, h), yy: at(cos+sin*shear/1000, h),
		gx: int64(tiltX) << 24 / 1000000, gy: int64(tiltY) << 24 / 1000000,
		tx: int64(tx), ty: int64(ty),
	}
}

func (v view) apply(x, y int) (int, int) {
	p, q := int64(x), int64(y)
	w := max(1<<24+v.gx*p+v.gy*q, 1<<22)
	return int(v.tx + (v.xx*p+v.xy*q)<<8/w), int(v.ty + (v.yx*p+v.yy*q)<<8/w)
}

// length is about the canvas length of a distance, whichever way it runs.
func (v view) length(d int) int {
	size := (abs(v.xx) + abs(v.yx) + abs(v.xy) + abs(v.yy)) / 2
	return int(int64(d) * size >> 16 * 3 / 4)
}

// inside returns the view of a part that sits at (x,y), permille of the size,
// turned by angle.
func (v view) inside(x, y, permille, angle int) view {
	sin, cos := sincos(angle)
	s, c, k := int64(sin), int64(cos), int64(permille)
	in := v
	left, top := v.apply(x, y)
	in.tx, in.ty = int64(left), int64(top)
	in.gx, in.gy = v.gx*k/1000, v.gy*k/1000
	rot := func(p, q int64) (int64, int64) {
		return (p*c + q*s) / one * k / 1000, (q*c - p*s) / one * k / 1000
	}
	in.xx, in.xy = rot(v.xx, v.xy)
	in.yx, in.yy = rot(v.yx, v.yy)
	return in
}
