package scenes

func flower(p *pen) {
	l := p.look
	cx, cy := p.in(-120, 120), -p.in(250, 380)
	// Stem and leaves.
	p.to(cx, cy)
	p.curve(cx+p.in(-250, 250), 400, p.in(-100, 100), 980)
	p.stroke(l.third, p.in(80, 130))
	for _, side := range []int{-1, 1} {
		if p.maybe(75) {
			y := p.in(450, 750)
			reach := p.in(420, 620)
			p.to(0, y+150)
			p.curve(side*reach/2, y-350, side*reach, y-200)
			p.curve(side*reach*2/3, y+120, 0, y+150)
			p.fill(l.third)
		}
	}
	if p.maybe(20) { // a tulip: a cup with three points
		w, h := p.in(380, 480), p.in(420, 520)
		p.to(cx-w, cy-h)
		p.to(cx-w/2, cy-h/3)
		p.to(cx, cy-h-80)
		p.to(cx+w/2, cy-h/3)
		p.to(cx+w, cy-h)
		p.curve(cx+w+140, cy+h, cx, cy+h)
		p.curve(cx-w-140, cy+h, cx-w, cy-h)
		p.fill(l.main)
		return
	}
	n := p.in(5, 9)
	length, width := p.in(300, 360), 1500/n+p.in(-30, 40)
	phase := p.r.IntN(turn)
	for i := range n {
		a := phase + i*turn/n
		sin, cos := sincos(a)
		p.oval(l.main, cx+length*cos/one, cy+length*sin/one, length, min(width, 260), a)
	}
	r := p.in(170, 280)
	p.ellipse(l.second, cx, cy, r, r)
}

func mushroom(p *pen) {
	l := p.look
	brim := p.in(-50, 200)
	wide, high := p.in(720, 950), p.in(600, 950)
	top, foot := p.in(160, 260), p.in(220, 360)
	p.to(-top, brim-40)
	p.curve(-top+40, 600, -foot, 880)
	p.curve(0, 980, foot, 880)
	p.curve(top-40, 600, top, brim-40)
	p.fill(l.second)
	if p.maybe(40) { // a ring
		p.poly(l.third, -top-60, brim+250, top+60, brim+250, top+130, brim+350, -top-130, brim+350)
	}
	if p.maybe(35) { // a bell with a knob
		p.to(-wide, brim)
		p.curve(-wide*4/5, brim-high*4/5, -110, brim-high+40)
		p.curve(0, brim-high-140, 110, brim-high+40)
		p.curve(wide*4/5, brim-high*4/5, wide, brim)
	} else {
		p.arc(0, brim, wide, high, turn/2, turn)
	}
	p.curve(wide-60, brim+p.in(100, 190), 0, brim+p.in(60, 170))
	p.curve(-wide+60, brim+120, -wide, brim)
	p.fill(l.main)
	if p.maybe(70) { // spots
		for i := range p.in(3, 6) {
			x := -wide*2/3 + i*wide*2/5 + p.in(-60, 60)
			room := high * (100 - x*x/(wide*wide/100)) / 100
			p.ellipse(l.third, x, brim-room*p.in(25, 65)/100, p.in(70, 130), p.in(60, 110))
		}
	}
}

func tree(p *pen) {
	l := p.look
	foot := p.in(90, 180)
	trunk := func(top int) {
		p.to(-foot*2/3, top)
		p.curve(-foot*2/3, 750, -foot*3/2, 970)
		p.to(foot*3/2, 970)
		p.curve(foot*2/3, 750, foot*2/3, top)
		p.fill(l.second)
	}
	switch p.r.IntN(4) {
	case 0: // conifer
		trunk(400)
		n := p.in(2, 4)
		wide, low := p.in(600, 780), p.in(450, 600)
		for i := range n {
			w := wide * (n + 1 - i) / (n + 1)
			y := low - i*1250/(n+1)
			p.poly(l.main, -w, y, 0, y-p.in(620, 760), w, y)
		}
	case 1: // one crown
		trunk(0)
		p.lumps(l.main, p.in(-60, 60), -p.in(250, 350), p.in(560, 780), p.in(580, 680), p.in(7, 11), p.in(40, 90))
	case 2: // a crown of several
		trunk(0)
		n := p.in(3, 5)
		phase := p.r.IntN(turn)
		for i := range n {
			sin, cos := sincos(phase + i*turn/n)
			p.ellipse(l.main, 400*cos/one, -250+330*sin/one, p.in(360, 440), p.in(330, 400))
		}
		bare := *l
		l.outline = 0
		p.ellipse(l.main, 0, -260, 440, 400)
		*l = bare
	default: // tall and narrow
		trunk(200)
		p.lumps(l.main, 0, -230, p.in(330, 480), p.in(700, 760), p.in(9, 13), p.in(30, 70))
	}
	if p.maybe(30) { // fruit
		for range p.in(3, 6) {
			p.ellipse(l.third, p.in(-300, 300), p.in(-550, 50), 70, 70)
		}
	}
}
