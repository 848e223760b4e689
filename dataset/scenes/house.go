package scenes

func house(p *pen) {
	l := p.look
	wide, eaves, floor := p.in(620, 820), p.in(-250, 50), p.in(780, 920)
	ridge := eaves - p.in(480, 720)
	over := p.in(40, 200)
	if p.maybe(55) { // chimney
		x := p.in(250, 480)
		if p.maybe(50) {
			x = -x
		}
		p.rect(l.third, x-90, ridge-p.in(0, 150), x+90, eaves)
	}
	p.rect(l.main, -wide, eaves, wide, floor)
	flat := 0
	if p.maybe(40) {
		flat = p.in(150, 500)
	}
	p.poly(l.second, -wide-over, eaves+30, -flat, ridge, flat, ridge, wide+over, eaves+30)
	// Door and windows in a row, the door anywhere among them.
	n := p.in(2, 3)
	door := p.r.IntN(n)
	high := floor - eaves
	for i := range n {
		x := -wide + wide*2*(2*i+1)/(2*n)
		w := p.in(230, 330) / n
		w = max(w, 120)
		if i == door {
			p.rect(l.third, x-w, floor-high*p.in(50, 65)/100, x+w, floor)
			continue
		}
		y := eaves + high*p.in(30, 40)/100
		p.rect(l.third, x-w, y-w, x+w, y+w)
		if p.maybe(50) {
			p.line(l.main, 50, x, y-w, x, y+w)
			p.line(l.main, 50, x-w, y, x+w, y)
		}
	}
	if flat == 0 && p.maybe(35) {
		p.ellipse(l.third, 0, (eaves+ridge*2)/3+180, 110, 110)
	}
}
