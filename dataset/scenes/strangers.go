package scenes

// Categories that are never among the ten.

func bicycle(p *pen) {
	l := p.look
	r := p.in(360, 430)
	left, right, y := -p.in(520, 580), p.in(520, 580), 380
	for _, x := range []int{left, right} {
		p.arc(x, y, r, r, 0, turn)
		p.stroke(l.ink, 90)
		if p.maybe(50) {
			p.line(l.ink, 30, x-r, y, x+r, y)
			p.line(l.ink, 30, x, y-r, x, y+r)
		}
	}
	seat, bar := -p.in(180, 260), p.in(320, 400)
	p.line(l.main, 100, left, y, 0, y, bar, -200, seat, -200, left, y)
	p.line(l.main, 100, 0, y, seat-40, -380)
	p.line(l.main, 100, right, y, bar-30, -430)
	p.line(l.second, 110, seat-190, -390, seat+130, -390)
	p.line(l.second, 100, bar-30, -430, bar+p.in(80, 180), -p.in(450, 560))
	p.ellipse(l.third, 0, y, 110, 110)
}

func butterfly(p *pen) {
	l := p.look
	big, small := p.in(400, 480), p.in(300, 380)
	for _, side := range []int{-1, 1} {
		p.oval(l.main, side*420, -350, big+80, big-80, side*degrees(-p.in(30, 55)))
		p.oval(l.second, side*350, 350, small+60, small-60, side*degrees(p.in(30, 55)))
		p.ellipse(l.third, side*450, -370, p.in(120, 200), p.in(120, 180))
		p.ellipse(l.third, side*370, 380, 120, 120)
		p.to(side*30, -500)
		p.curve(side*60, -850, side*250, -950)
		p.stroke(l.ink, 50)
	}
	p.ellipse(l.ink, 0, 0, 90, p.in(550, 650))
}

func chair(p *pen) {
	l := p.look
	seat := p.in(0, 150)
	back, front := -p.in(450, 550), p.in(450, 550)
	leg := p.in(90, 140)
	for _, x := range []int{back + 60, front - 60} {
		p.rect(l.second, x-leg/2, seat, x+leg/2, 950)
		p.rect(l.second, x*2/3+100-leg/2, seat, x*2/3+100+leg/2, 780)
	}
	top := -p.in(800, 950)
	lean := p.in(0, 200)
	p.poly(l.main, back-lean, top, back-lean+150, top, back+150, seat, back, seat)
	if p.maybe(60) {
		p.poly(l.main, back-lean, top, front-250-lean, top+60, front-250, seat, back, seat)
	}
	p.poly(l.third, back-30, seat-70, front-60, seat-70, front+30, seat+90, back-30, seat+90)
}

func cup(p *pen) {
	l := p.look
	wide, base := p.in(480, 600), p.in(330, 520)
	top, foot := -p.in(350, 600), p.in(650, 800)
	p.arc(wide-20, (top+foot)/2-60, p.in(300, 380), p.in(300, 400), -turn/4, turn/4)
	p.stroke(l.main, p.in(120, 170))
	p.to(-wide, top)
	p.to(wide, top)
	p.curve(wide, foot, base, foot)
	p.to(-base, foot)
	p.curve(-wide, foot, -wide, top)
	p.fill(l.main)
	p.ellipse(l.second, 0, top, wide, p.in(110, 180))
	if p.maybe(60) {
		for i := range p.in(1, 3) {
			x := -250 + i*220
			p.to(x, top-120)
			p.curve(x-150, top-260, x, top-380)
			p.stroke(l.third, 70)
		}
	}
	if p.maybe(50) {
		p.rect(l.third, -wide+20, 0, wide-40, p.in(130, 260))
	}
}

func key(p *pen) {
	l := p.look
	p.v = p.v.inside(0, 0, 1000, p.in(-150, 150))
	r := p.in(320, 400)
	x := -550
	p.line(l.main, p.in(150, 200), x+r, 0, 930, 0)
	n := p.in(2, 4)
	for i := range n {
		at := 860 - i*190
		p.rect(l.main, at-60, 0, at+60, p.in(220, 380))
	}
	if p.maybe(60) {
		p.arc(x, 0, r, r, 0, turn)
		p.stroke(l.main, p.in(150, 200))
	} else {
		p.ellipse(l.main, x, 0, r+60, r+60)
		p.ellipse(l.second, x-60, 0, 140, 140)
	}
}

func rocket(p *pen) {
	l := p.look
	wide, foot := p.in(250, 340), p.in(450, 560)
	for _, side := range []int{-1, 1} {
		p.to(side*wide/2, 50)
		p.curve(side*(wide+350), 250, side*(wide+p.in(200, 380)), foot+250)
		p.to(side*wide/2, foot)
		p.fill(l.second)
	}
	p.poly(l.third, -wide*2/3, foot-20, -wide/3, foot+300, 0, foot+p.in(350, 480), wide/3, foot+300, wide*2/3, foot-20)
	p.to(0, -980)
	p.curve(wide*3/2, -350, wide*3/4, foot)
	p.to(-wide*3/4, foot)
	p.curve(-wide*3/2, -350, 0, -980)
	p.fill(l.main)
	p.ellipse(l.third, 0, -p.in(200, 350), 150, 150)
	if p.maybe(50) {
		p.ellipse(l.third, 0, 120, 100, 100)
	}
}

func snail(p *pen) {
	l := p.look
	foot := p.in(650, 750)
	r := p.in(520, 620)
	// The foot and the head with two horns.
	hx, hy := p.in(700, 800), -p.in(0, 150)
	for _, dx := range []int{-90, 110} {
		p.line(l.second, 60, hx, hy, hx+dx, hy-p.in(300, 420))
	}
	p.to(-980, foot)
	p.curve(-400, foot-300, 400, foot-250)
	p.curve(500, hy-250, hx+60, hy-130)
	p.curve(hx+250, hy+100, hx, foot-100)
	p.to(hx-100, foot)
	p.fill(l.second)
	cy := foot - 180 - r
	p.ellipse(l.main, -150, cy+60, r, r)
	for i := range 14 { // the spiral
		sin, cos := sincos(i * 150)
		k := r*85/100 - i*r*6/100
		p.to(-150+k*cos/one, cy+60+k*sin/one)
	}
	p.stroke(l.ink, 85)
}

func umbrella(p *pen) {
	l := p.look
	brim := p.in(-150, 50)
	wide, high := p.in(800, 960), p.in(600, 800)
	// Handle with a hook.
	p.to(0, brim-high-120)
	p.to(0, 700)
	p.curve(0, 920, 140, 920)
	p.curve(280, 920, 280, 720)
	p.stroke(l.ink, p.in(80, 110))
	n := p.in(3, 5)
	p.arc(0, brim, wide, high, turn/2, turn)
	for i := range n { // scallops, right to left
		x := wide - i*2*wide/n
		p.curve(x-wide/n, brim-p.in(150, 230), x-2*wide/n, brim)
	}
	p.fill(l.main)
	for i := range n/2 + 1 {
		x := -wide + (n/2+i)*2*wide/n
		p.poly(l.second, 0, brim-high+20, x, brim-30, x+wide/n, brim-100)
	}
}
