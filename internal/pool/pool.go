// Package pool runs the parallel parts of kernels on a limited number of
// threads.
//
// A Pool of n threads uses the calling goroutine and at most n-1 helpers, so a
// pool of one runs everything inline. Any number of goroutines may use one
// pool at once; the helpers are then shared, and a caller that finds none free
// does its work alone.
//
// Work is given as a count of tasks. What a task computes must not depend on
// which worker runs it or on how many there are: results are the same for
// every thread limit.
//
// # Waiting
//
// The layers of a network are calls of some tens of microseconds, one after the
// other, and waking a goroutine takes as long. So whoever waits, a helper for
// the next call and a caller for the last helper, looks out for it for some
// microseconds before it sleeps. It does so only while the pool's threads have
// a processor each, and an idle pool takes no time.
package pool

import (
	"runtime"
	"sync/atomic"
	"time"
)

// patience is how long to look out before sleeping: about as long as it takes
// to be woken (57 µs on a virtual Emerald Rapids, and 13 for the one who
// wakes). Between the layers of a network callers are busy for 3 to 10 µs.
// With 5 µs networks of 1 image take a tenth longer, with 100 they gain
// nothing.
const patience = 50 * time.Microsecond

// Pool is a set of helper goroutines. The zero value and nil run everything
// on the caller.
type Pool struct{ crew *crew }

// crew is what a pool and its helpers share. Helpers do not know the pool, so
// that it can become garbage.
type crew struct {
	helpers []helper
	awake   atomic.Int32 // callers at work, and helpers that do not sleep
}

// helper is a goroutine. Its job is nil while it looks out for one, asleep or
// busy, or a job that it was offered. Whoever offers may take back what has not
// been taken up.
type helper struct {
	job  atomic.Pointer[job]
	wake chan struct{} // receives once for every job offered in sleep; closed at the end
	_    [112]byte     // two cache lines to each helper
}

var asleep, busy = new(job), new(job)

type job struct {
	fn      func(task, worker int)
	shares  []share      // one of all tasks, or one for each worker
	seats   atomic.Int64 // workers that joined, the caller being 0
	present atomic.Int32 // the caller, and helpers that were offered the job and have not left
	done    chan struct{}
	fault   atomic.Pointer[fault]
}

// share is some tasks in a row.
type share struct {
	next atomic.Int64 // the next task to take
	end  int64
	_    [48]byte // a cache line each
}

type fault struct{ value any }

// New returns a pool that uses up to threads threads; threads <= 0 means
// runtime.GOMAXPROCS(0). There is nothing to close: its goroutines end when
// the pool is garbage.
func New(threads int) *Pool {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	p := &Pool{&crew{helpers: make([]helper, threads-1)}}
	for i := range p.crew.helpers {
		h := &p.crew.helpers[i]
		h.wake = make(chan struct{}, 1)
		h.job.Store(asleep)
		go h.serve(p.crew)
	}
	runtime.AddCleanup(p, (*crew).dismiss, p.crew)
	return p
}

// Threads is the limit, at least 1. Worker numbers are below it.
func (p *Pool) Threads() int {
	if p == nil || p.crew == nil {
		return 1
	}
	return 1 + len(p.crew.helpers)
}

// Run calls fn(task, worker) once for every task in [0, tasks), concurrently,
// and returns when all are done. Every worker begins with tasks that are
// neighbours, so that in the next call it likely finds in its cache what it
// wrote in this one. Calls that run at the same time have different worker
// numbers in [0, Threads()), which index scratch memory. A panic in fn is
// raised again on the caller.
func (p *Pool) Run(tasks int, fn func(task, worker int)) { p.run(tasks, p.Threads(), fn) }

// InOrder is Run for tasks that are begun in order: they may wait for what
// earlier ones do.
func (p *Pool) InOrder(tasks int, fn func(task, worker int)) { p.run(tasks, 1, fn) }

// Split cuts n items into pieces of size items (the last may be shorter) and
// calls fn(lo, hi, worker) for each, as Run does. The cut depends on n and size
// alone.
func (p *Pool) Split(n, size int, fn func(lo, hi, worker int)) {
	size = max(size, 1)
	p.Run((n+size-1)/size, func(task, worker int) {
		lo := task * size
		fn(lo, min(lo+size, n), worker)
	})
}

// run divides the tasks into shares. Whoever is done with one helps with the
// others.
func (p *Pool) run(tasks, shares int, fn func(task, worker int)) {
	if tasks <= 1 || p.Threads() == 1 {
		for i := range tasks {
			fn(i, 0)
		}
		return
	}
	shares = min(shares, tasks)
	j := &job{fn: fn, shares: make([]share, shares)}
	for i := range j.shares {
		j.shares[i].next.Store(int64(Cut(tasks, shares, i)))
		j.shares[i].end = int64(Cut(tasks, shares, i+1))
	}
	p.crew.run(j, tasks)
	if f := j.fault.Load(); f != nil {
		panic(f.value)
	}
	runtime.KeepAlive(p)
}

func (c *crew) run(j *job, tasks int) {
	c.awake.Add(1)
	j.present.Store(1)
	c.offer(j, min(tasks-1, len(c.helpers)))
	j.work(0)
	c.takeBack(j)
	if j.present.Load() > 1 {
		c.await(j)
	}
	c.awake.Add(-1)
}

// offer gives j to as many helpers as are wanted, first to those that look out
// for a job, and wakes others while there are processors left.
func (c *crew) offer(j *job, want int) {
	for i := range c.helpers {
		if want == 0 {
			return
		}
		h := &c.helpers[i]
		if h.job.Load() == nil && h.offer(j, nil) {
			want--
		}
	}
	procs := int32(runtime.GOMAXPROCS(0))
	for i := range c.helpers {
		if want == 0 || c.awake.Load() >= procs {
			return
		}
		h := &c.helpers[i]
		if h.job.Load() == asleep && h.offer(j, asleep) {
			c.awake.Add(1)
			h.wake <- struct{}{}
			want--
		}
	}
}

func (h *helper) offer(j, state *job) bool {
	j.present.Add(1)
	if h.job.CompareAndSwap(state, j) {
		return true
	}
	j.present.Add(-1)
	return false
}

// takeBack withdraws the offers of j that nobody has taken up.
func (c *crew) takeBack(j *job) {
	for i := range c.helpers {
		h := &c.helpers[i]
		if h.job.Load() == j && h.job.CompareAndSwap(j, nil) {
			j.present.Add(-1)
		}
	}
}

// await returns when all helpers have left j.
func (c *crew) await(j *job) {
	for w := c.watch(); w.on(); {
		if j.present.Load() == 1 {
			return
		}
	}
	j.done = make(chan struct{})
	if j.present.Add(-1) > 0 {
		<-j.done
	}
}

// leave is what a helper does last with j.
func (j *job) leave() {
	if j.present.Add(-1) == 0 { // not even the caller: it sleeps
		close(j.done)
	}
}

func (c *crew) dismiss() {
	for i := range c.helpers {
		close(c.helpers[i].wake)
	}
}

func (h *helper) serve(c *crew) {
	for range h.wake {
		for j := h.take(c); j != nil; j = h.take(c) {
			j.work(int(j.seats.Add(1)))
			h.job.Store(nil) // before the caller can offer another one
			j.leave()
		}
	}
}

// take is the next job that h is offered, nil if there is none for so long that
// h is asleep now.
func (h *helper) take(c *crew) *job {
	for w := c.watch(); ; {
		if j := h.job.Load(); j != nil && h.job.CompareAndSwap(j, busy) {
			return j
		}
		if !w.on() && h.job.CompareAndSwap(nil, asleep) {
			c.awake.Add(-1)
			return nil
		}
	}
}

// watch is one time of looking out.
type watch struct {
	crew  *crew
	procs int32
	began time.Time
}

func (c *crew) watch() watch { return watch{c, int32(runtime.GOMAXPROCS(0)), time.Now()} }

// on reports whether to look on.
func (w *watch) on() bool {
	return w.crew.awake.Load() <= w.procs && time.Since(w.began) < patience
}

func (j *job) work(worker int) {
	defer func() {
		if v := recover(); v != nil {
			j.fault.CompareAndSwap(nil, &fault{v})
			for i := range j.shares {
				j.shares[i].next.Store(j.shares[i].end)
			}
		}
	}()
	for i := range j.shares {
		s := &j.shares[(worker+i)%len(j.shares)]
		for {
			task := s.next.Add(1) - 1
			if task >= s.end {
				break
			}
			j.fn(int(task), worker)
		}
	}
}
