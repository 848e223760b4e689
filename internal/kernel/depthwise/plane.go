package depthwise

// layout says where the pixels of a tensor's row lie in a plane: the channels
// of one vector, packed, with zeros where the padding is. Columns are numbered from the left
// margin on and dealt out to split runs, column q to run q mod split, so that
// the columns that one tap reads for neighbouring outputs are neighbours.
type layout struct {
	width  int // source columns that are packed
	margin int // columns of zeros before column 0
	split  int
	slots  int // columns of one run
	pitch  int // columns from one row of the plane to the next
	lanes  int // channels
}

// newLayout is the layout that correlating along a needs.
func newLayout(a axis, lanes int) layout {
	l := layout{split: 1, lanes: lanes}
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
	for l.pitch*lanes%32 != 16 {
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

// clearMargins clears the columns of rows of a plane that are not packed.
func (l layout) clearMargins(plane []float32, rows int) {
	if l.split > 1 {
		clear(plane[:rows*l.pitch*l.lanes])
		return
	}
	for range rows {
		row := plane[:l.pitch*l.lanes]
		plane = plane[len(row):]
		clear(row[:l.margin*l.lanes])
		clear(row[(l.margin+l.width)*l.lanes:])
	}
}
