package scenes

func airplane(p *pen) {
	if p.maybe(50) {
		airplaneFromAbove(p)
		return
	}
	l := p.look
	long, thick := p.in(850, 980), p.in(130, 210)
	// Far wing, tailplane and fin first, the body over them.
	sweep := p.in(150, 420)
	p.poly(l.second, -100, -20, 160, -20, 160-sweep-60, -p.in(420, 560), 40-sweep-60, -p.in(420, 560))
	high := p.in(380, 560)
	p.poly(l.second, -long+60, -20, -long+380, -60, -long+130, -high, -long-60, -high)
	p.to(-long, -thick/2)
	p.curve(-long/2, -thick, 0, -thick)
	p.curve(long*3/4, -thick, long, thick/6)
	p.curve(long*3/4, thick, 0, thick)
	p.curve(-long/2, thick*3/4, -long, -thick/2)
	p.fill(l.main)
	n := p.in(3, 6)
	for i := range n {
		x := -350 + i*800/n
		p.ellipse(l.third, x, -thick/3, 45, 45)
	}
	down := p.in(420, 620)
	p.poly(l.second, -120, 40, 220, 40, 60-sweep, down, -130-sweep, down)
	p.poly(l.third, -long+80, 0, -long+330, 0, -long+140, 170, -long, 170)
}

func airplaneFromAbove(p *pen) {
	l := p.look
	p.v = p.v.inside(0, 0, 1000, p.in(-128, 128))
	long, thick := p.in(850, 980), p.in(110, 180)
	reach, sweep, chord := p.in(780, 980), p.in(50, 420), p.in(240, 380)
	for _, side := range []int{-1, 1} {
		p.poly(l.second, 260, 0, 260-chord, 0, 160-sweep-chord/2, side*reach, 240-sweep, side*reach)
		tail := reach * 2 / 5
		p.poly(l.second, -long+260, 0, -long+20, 0, -long-40, side*tail, -long+100, side*tail)
	}
	if p.maybe(50) {
		for _, side := range []int{-1, 1} {
			p.ellipse(l.third, 190-sweep/3, side*reach/2, 130, 60)
		}
	}
	p.ellipse(l.main, 0, 0, long, thick)
	p.poly(l.third, long-320, -thick/2, long-200, -thick/2, long-200, thick/2, long-320, thick/2)
}

func boat(p *pen) {
	l := p.look
	deck, keel := p.in(150, 350), p.in(650, 850)
	bow, stern := p.in(820, 980), p.in(700, 900)
	hull := func() {
		p.to(-stern, deck)
		p.to(bow, deck-p.in(0, 120))
		p.curve(bow-150, keel, bow-450, keel)
		p.to(-stern+p.in(120, 260), keel)
		p.fill(l.main)
		if p.maybe(50) {
			p.poly(l.second, -stern+60, deck+130, bow-110, deck+110, bow-160, deck+220, -stern+90, deck+220)
		}
	}
	switch p.r.IntN(3) {
	case 0, 1: // sails
		mast, top := p.in(-150, 200), -p.in(800, 980)
		p.line(l.ink, 80, mast, deck, mast, top)
		foot := deck - p.in(60, 160)
		if p.maybe(80) {
			p.to(mast+50, foot)
			p.to(mast+50, top+40)
			p.curve(mast+450, (top+foot)/2, mast+p.in(550, 720), foot)
			p.fill(l.second)
		}
		p.to(mast-50, foot)
		p.to(mast-50, top+p.in(100, 350))
		p.curve(mast-300, (top+foot)/2, mast-p.in(480, 650), foot)
		p.fill(l.third)
		hull()
	default: // funnels and a deck house
		wide := p.in(350, 520)
		left := -stern + p.in(200, 420)
		n := p.in(1, 2)
		for i := range n {
			x := left + wide/3 + i*wide/2
			p.rect(l.third, x-90, -p.in(650, 900), x+90, deck)
		}
		high := p.in(300, 450)
		p.rect(l.second, left, deck-high, left+wide*2, deck)
		for i := range 3 {
			x := left + wide/3 + i*wide*2/3
			p.ellipse(l.third, x, deck-high/2, 80, 80)
		}
		hull()
	}
	if p.maybe(60) { // water
		for i := range 4 {
			x := -900 + i*480
			p.to(x, keel)
			p.curve(x+120, keel+140, x+240, keel)
			p.stroke(l.ink, 60)
		}
	}
}

func car(p *pen) {
	l := p.look
	floor, belt := p.in(350, 450), p.in(-100, 20)
	nose, tail := p.in(850, 980), p.in(850, 980)
	roof := belt - p.in(350, 520)
	r := p.in(210, 290)
	// The cabin: saloon, hatchback, or van.
	a, b := -tail+p.in(60, 450), -tail+p.in(250, 600) // rear foot and rear roof corner
	b = max(a, b)
	d := p.in(350, 560)     // windscreen foot
	e := d - p.in(180, 380) // front roof corner
	cabin := []int{a, belt + 40, b, roof, e, roof, d, belt + 40}
	p.poly(l.main, cabin...)
	in := 90
	p.poly(l.third, a+in+30, belt, b+in/2, roof+in, (b+e)/2-40, roof+in, (b+e)/2-40, belt)
	p.poly(l.third, (b+e)/2+40, roof+in, e-in/2, roof+in, d-in-30, belt, (b+e)/2+40, belt)
	p.to(-tail, floor)
	p.to(-tail-p.in(-40, 20), belt+p.in(0, 60))
	p.to(d, belt)
	p.curve(nose, belt+40, nose, floor-p.in(100, 200))
	p.to(nose, floor)
	p.fill(l.main)
	if p.maybe(40) {
		p.rect(l.second, -tail+40, (belt+floor)/2, nose-60, (belt+floor)/2+90)
	}
	p.ellipse(l.third, nose-90, belt+200, 70, 60)
	for _, x := range []int{-tail + p.in(330, 430), nose - p.in(330, 430)} {
		p.ellipse(l.ink, x, floor, r, r)
		p.ellipse(l.second, x, floor, r/2, r/2)
	}
}
