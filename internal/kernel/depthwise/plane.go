package depthwise

// lanes is the number of channels in a plane.
const lanes = 8

// layout says where the pixels of a tensor's row lie in a plane: 8 channels,
// packed, with zeros where the padding is. Columns are numbered from the left
// margin on and dealt out to split runs, column q to run q mod split, so that
// the columns that one tap reads for neighbouring outputs are neighbours.
type layout struct {
	width  int // source columns that are packed
	margin int // columns of zeros before column 0
	split  int
	slots  int // columns of one run
	pitch  int // columns from one row of the plane to the next
}

// newLayout is the layout that correlating along a needs.
func newLayout(a axis) layout {
	l := layout{split: 1}
	last := 0 // the largest source that is touched, in the tensor or not
	for r := range a.phases() {
		p := a.phase(r)
		if p.taps == 0 || p.count == 0 {
			continue
		}
		end := p.at0 + (p.taps-1)*p.atStep
		l.margin = max(l.margin, -min(p.at0, end))
		last = max(last, max(p.at0, end)+(p.count-1)*p.advance)
		l.split = p.advance
	}
	l.width = min(a.src, last+1)
	l.slots = (l.margin + last + l.split) / l.split
	l.pitch = l.split * l.slots
	// Rows an odd number of cache lines apart do not compete for the same
	// cache sets.
	for l.pitch%4 != 2 {
		l.pitch++
	}
	return l
}

// slot is the place of source column at in its row.
func (l layout) slot(at int) int {
	q := at + l.margin
	return q%l.split*l.slots + q/l.split
}

// run is the first source column in run r and how many follow it there, itself
// included.
func (l layout) run(r int) (first, n int) {
	first = ((r-l.margin)%l.split + l.split) % l.split
	return first, max(l.width-first+l.split-1, 0) / l.split
}
