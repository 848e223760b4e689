package scenes

// Angles are in 1/1024 of a turn, clockwise as seen (y points down).
const (
	turn = 1024
	one  = 1 << 14 // the scale of sines
)

func degrees(d int) int { return d * turn / 360 }

// sincos returns 2^14 times the sine and cosine, within 5: the fifth-degree
// polynomial that matches value and slope at both ends of the quarter wave.
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
type view struct {
	xx, xy, yx, yy int // 2^-16 canvas units a unit
	gx, gy         int // perspective, 2^-24 a unit
	tx, ty         int // where the origin goes
}

// newView: half is the canvas length of 1000 units, stretch and shear are in
// 1/1000, flip mirrors left and right.
func newView(tx, ty, half, angle, stretch, shear int, flip bool) view {
	sin, cos := sincos(angle)
	w, h := half*(1000+stretch)/1000, half*(1000-stretch)/1000
	if flip {
		w = -w
	}
	// Rotation times shear times scale: 2^14 from the sines, 2^2 to go.
	at := func(v, size int) int { return v * 4 * size / 1000 }
	return view{
		xx: at(cos, w), yx: at(sin, w),
		xy: at(-sin+cos*shear/1000, h), yy: at(cos+sin*shear/1000, h),
		tx: tx, ty: ty,
	}
}

func (v view) apply(x, y int) (int, int) {
	w := 1<<24 + v.gx*x + v.gy*y
	w = max(w, 1<<22)
	return v.tx + (v.xx*x+v.xy*y)<<8/w, v.ty + (v.yx*x+v.yy*y)<<8/w
}

// inside returns the view of a part that sits at (x,y), permille of the size,
// turned by angle.
func (v view) inside(x, y, permille, angle int) view {
	sin, cos := sincos(angle)
	in := v
	in.tx, in.ty = v.apply(x, y)
	in.gx, in.gy = v.gx*permille/1000, v.gy*permille/1000
	rot := func(p, q int) (int, int) {
		return (p*cos + q*sin) / one * permille / 1000, (q*cos - p*sin) / one * permille / 1000
	}
	in.xx, in.xy = rot(v.xx, v.xy)
	in.yx, in.yy = rot(v.yx, v.yy)
	return in
}
