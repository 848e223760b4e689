package scenes

func bird(p *pen) {
	l := p.look
	if p.maybe(40) {
		birdInFlight(p)
		return
	}
	// Perched: a leaning body, a round head, a beak, a tail, two legs.
	lean := degrees(-p.in(15, 50))
	sin, cos := sincos(lean)
	long, thick := p.in(520, 650), p.in(300, 400)
	at := func(x, y int) (int, int) { return (x*cos - y*sin) / one, (x*sin + y*cos) / one }
	hx, hy := at(long-60, -120)
	tx, ty := at(-long-p.in(250, 450), 0)
	for _, x := range []int{-80, 140} {
		p.line(l.ink, 70, x, 250, x+20, 800, x+150, 850)
	}
	ax, ay := at(-long+120, -thick/3)
	bx, by := at(-long+120, thick/3)
	p.poly(l.second, ax, ay, tx-40, ty-90, tx+40, ty+110, bx, by)
	r := p.in(260, 330)
	up, down := p.in(80, 130), p.in(80, 130)
	beak := p.in(260, 420)
	p.poly(l.third, hx+r-70, hy-up, hx+r+beak, hy+p.in(-60, 90), hx+r-70, hy+down)
	p.oval(l.main, 0, 0, long, thick, lean)
	p.ellipse(l.main, hx, hy, r, r)
	wx, wy := at(-120, 40)
	p.to(wx+250, wy-120)
	p.curve(wx+100, wy+thick, wx-long+p.in(-150, 50), wy+p.in(250, 400))
	p.curve(wx-250, wy-150, wx+250, wy-120)
	p.fill(l.second)
	eye(p, hx+r/3, hy-r/5, 80)
	if p.maybe(25) { // a crest
		p.poly(l.second, hx-60, hy-r+60, hx-240, hy-r-220, hx-200, hy-r+120)
	}
}

func birdInFlight(p *pen) {
	l := p.look
	long, thick := p.in(560, 680), p.in(190, 270)
	up := p.in(700, 950)
	// A wing from the shoulders to a tip, its trailing edge in two scallops.
	wing := func(with paint, tipX, tipY int) {
		p.to(270, -30)
		p.curve(tipX/2+250, tipY*2/3, tipX, tipY)
		p.curve(tipX/2-60, tipY*3/4, tipX/2-120, tipY/2)
		p.curve(tipX/2-240, tipY*2/5, -280, 0)
		p.fill(with)
	}
	wing(l.third, p.in(150, 500), -up*p.in(70, 95)/100)
	n := p.in(80, 200)
	p.poly(l.second, -long+150, -60, -long-320, -n, -long-200, 20, -long-320, n+60, -long+150, 90)
	hx, hy, r := long-20, -p.in(60, 140), p.in(190, 240)
	p.poly(l.third, hx+r-60, hy-80, hx+r+p.in(180, 300), hy+50, hx+r-60, hy+90)
	p.ellipse(l.main, 0, 0, long, thick)
	p.ellipse(l.main, hx, hy, r, r)
	tip := -p.in(250, 700)
	if p.maybe(65) {
		wing(l.second, tip, -up)
	} else {
		wing(l.second, tip, up)
	}
	eye(p, hx+r/3, hy-r/5, 65)
}

func fish(p *pen) {
	l := p.look
	long, thick := p.in(620, 760), p.in(300, 500)
	tail := p.in(280, 480)
	notch := p.in(60, 200)
	p.poly(l.second, -long+160, 0, -long-240, -tail, -long-240+notch, 0, -long-240, tail)
	fin := p.in(180, 320)
	p.to(long/3, -thick+90)
	p.curve(0, -thick-fin*3/2, -long/2, -thick-fin/2)
	p.to(-long/3, -thick/2)
	p.fill(l.second)
	if p.maybe(60) {
		p.poly(l.second, 60, thick-60, -p.in(100, 260), thick+fin*2/3, -260, thick/2)
	}
	// Pointed at both ends.
	p.to(-long, -20)
	p.curve(-long/3, -thick*3/2, long*2/3, -thick/2)
	p.curve(long+120, -60, long+140, 20)
	p.curve(long+60, 120, long*2/3, thick/2)
	p.curve(-long/3, thick*3/2, -long, 20)
	p.fill(l.main)
	if p.maybe(45) { // bands
		for i := range p.in(1, 3) {
			x := 150 - i*260
			p.to(x, -thick*3/5)
			p.curve(x-90, 0, x, thick*3/5)
			p.stroke(l.second, 90)
		}
	}
	x := long/2 - 60 // gill
	p.to(x, -thick/3)
	p.curve(x-130, 0, x, thick/3)
	p.stroke(l.ink, 55)
	p.poly(l.third, 120, 40, -p.in(120, 260), p.in(120, 230), -60, -20)
	eye(p, long*3/4, -thick/5, p.in(80, 120))
}

func cat(p *pen) {
	if p.maybe(45) {
		catSitting(p)
		return
	}
	catFace(p, p.in(680, 840))
}

// catFace draws the head about (0,120).
func catFace(p *pen, wide int) {
	l := p.look
	high := wide * p.in(75, 95) / 100
	ear := p.in(380, 560)
	lift := p.in(0, 120)
	for _, side := range []int{-1, 1} {
		p.poly(l.main, side*wide*96/100, 60, side*(wide-60+lift), 120-high-ear, side*wide/6, 120-high*4/5)
		p.poly(l.second, side*wide*3/4, 60-high/2, side*(wide-120+lift*3/4), 180-high-ear*2/3, side*wide*2/5, 40-high/2)
	}
	p.ellipse(l.main, 0, 120, wide, high)
	for _, side := range []int{-1, 1} {
		x := side * wide * 2 / 5
		p.ellipse(l.third, x, 40, 160, p.in(100, 150))
		p.ellipse(l.ink, x, 40, p.in(45, 80), 110)
		if p.maybe(75) {
			for i := range 2 {
				y := 330 + i*110
				p.line(l.ink, 40, side*200, y-30, side*(wide+150), y-90+i*120)
			}
		}
	}
	p.poly(l.second, -110, 270, 110, 270, 0, 400)
	p.to(-220, 470)
	p.curve(-100, 600, 0, 400)
	p.curve(100, 600, 220, 470)
	p.stroke(l.ink, 55)
}

func catSitting(p *pen) {
	l := p.look
	// Tail, body, paws, and the face small on top.
	p.to(300, 800)
	p.curve(p.in(850, 1100), 800, p.in(750, 900), p.in(0, 300))
	p.stroke(l.main, p.in(130, 190))
	wide := p.in(400, 540)
	p.to(-wide*2/3, -150)
	p.curve(-wide-120, 900, -wide+40, 930)
	p.to(wide-40, 930)
	p.curve(wide+120, 900, wide*2/3, -150)
	p.fill(l.main)
	if p.maybe(50) {
		p.ellipse(l.second, 0, 400, wide/2, 330)
	}
	p.line(l.ink, 45, 0, 500, 0, 920)
	for _, side := range []int{-1, 1} {
		p.ellipse(l.main, side*180, 890, 170, 90)
	}
	p.part(p.in(-120, 120), -400, 600, degrees(p.in(-12, 12)), func() { catFace(p, p.in(720, 840)) })
}

func eye(p *pen, x, y, r int) {
	light := p.look.ink
	light.a = rgb{250, 250, 245}
	p.ellipse(light, x, y, r, r)
	p.ellipse(p.look.ink, x+r/5, y, r*3/5, r*3/5)
}
