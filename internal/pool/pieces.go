package pool

// Pieces is what to do with each piece of some rows: the first Size of them, the
// next and so on, of which the last may have fewer.
type Pieces struct {
	Size int
	Do   func(lo, hi int) // nil for nothing
}

// Of is the number of pieces that n rows have.
func (s Pieces) Of(n int) int { return ceil(n, s.Size) }

// Split does it for the pieces of n rows on p's threads.
func (s Pieces) Split(p *Pool, n int) {
	if s.Do != nil {
		p.Split(n, s.Size, func(lo, hi, _ int) { s.Do(lo, hi) })
	}
}

// Fill reports whether the pieces of n rows are so many that p's threads share
// them about equally: none waits for more than a sixth of the time.
func (s Pieces) Fill(p *Pool, n int) bool {
	if s.Do == nil {
		return true
	}
	pieces, threads := s.Of(n), p.Threads()
	return 6*pieces >= 5*threads*ceil(pieces, threads)
}
