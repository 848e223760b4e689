package pool

import "math"

// Tasks of a [Grid] for each thread, at most, and what part of a task threads
// that are done early wait for the last one.
const (
	tasksPerThread = 4
	waiting        = 0.1
)

// TaskCycles is about how many of its processor's cycles a thread takes to be
// handed a task and to begin it: part of a [Grid]'s cost where that is in cycles.
const TaskCycles = 2000

// Grid divides work that is a grid of rows x cols among p's threads: it says
// into how many pieces the rows and into how many the columns are cut, of which
// none is more than one longer than another. A piece of rows and a piece of
// columns are a task, and cost says how long one takes, in any unit; an
// infinite cost rules it out. Grid takes what is done first, few tasks rather
// than many, for so many grids alike that are done at once. Without columns or
// rows, or if nothing is possible, the answer is 1, 1.
func (p *Pool) Grid(grids, rows, cols int, cost func(rows, cols int) float64) (r, c int) {
	threads := p.Threads()
	r, c = 1, 1
	if threads == 1 {
		return r, c
	}
	best := math.Inf(1)
	grids = max(grids, 1)
	most := tasksPerThread * threads / grids // tasks of a grid
	for i := 1; i <= min(rows, max(most, 1)); i++ {
		tall := ceil(rows, i)
		if i > 1 && tall == ceil(rows, i-1) {
			continue // more tasks that are no shorter
		}
		last := 0
		for rounds := 1; rounds <= tasksPerThread; rounds++ {
			j := min(cols, max(rounds*threads/grids, 1)/i) // as many as can be
			if j == last {
				continue
			}
			last = j
			wide := ceil(cols, j)
			if t := (float64(ceil(grids*i*j, threads)) + waiting) * cost(tall, wide); t < best {
				best, r, c = t, i, ceil(cols, wide)
			}
		}
	}
	return r, c
}

// Cut is where the i-th of n pieces of all begins; the next one begins where it
// ends.
func Cut(all, n, i int) int { return i * all / n }

func ceil(a, b int) int { return (a + b - 1) / b }
