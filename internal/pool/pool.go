// Package pool runs the parallel parts of kernels on a limited number of
// threads.
//
// A Pool of n threads uses the calling goroutine and at most n-1 helpers, so a
// pool of one runs everything inline. Any number of goroutines may use one
// pool at once; the helpers are then shared, and a caller that finds none idle
// does its work alone.
//
// Work is given as a count of tasks. What a task computes must not depend on
// which worker runs it or on how many there are: results are the same for
// every thread limit.
package pool

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Pool is a set of helper goroutines. The zero value and nil run everything
// on the caller.
type Pool struct {
	threads int
	jobs    chan *job
}

type job struct {
	tasks int
	fn    func(task, worker int)
	next  atomic.Int64 // the next task to take
	seats atomic.Int64 // workers that joined, the caller being 0
	left  sync.WaitGroup
	fault atomic.Pointer[fault]
}

type fault struct{ value any }

// New returns a pool that uses up to threads threads; threads <= 0 means
// runtime.GOMAXPROCS(0). There is nothing to close: its goroutines end when
// the pool is garbage.
func New(threads int) *Pool {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	p := &Pool{threads: threads}
	if threads > 1 {
		p.jobs = make(chan *job)
		for range threads - 1 {
			go help(p.jobs)
		}
		runtime.AddCleanup(p, func(jobs chan *job) { close(jobs) }, p.jobs)
	}
	return p
}

// Threads is the limit, at least 1. Worker numbers are below it.
func (p *Pool) Threads() int {
	if p == nil || p.threads < 1 {
		return 1
	}
	return p.threads
}

func help(jobs <-chan *job) {
	for j := range jobs {
		j.work(int(j.seats.Add(1)))
		j.left.Done()
	}
}

func (j *job) work(worker int) {
	defer func() {
		if v := recover(); v != nil {
			j.fault.CompareAndSwap(nil, &fault{v})
			j.next.Store(int64(j.tasks))
		}
	}()
	for {
		task := int(j.next.Add(1)) - 1
		if task >= j.tasks {
			return
		}
		j.fn(task, worker)
	}
}

// Run calls fn(task, worker) once for every task in [0, tasks), concurrently,
// and returns when all are done. Calls that run at the same time have
// different worker numbers in [0, Threads()), which index scratch memory.
// A panic in fn is raised again on the caller.
func (p *Pool) Run(tasks int, fn func(task, worker int)) {
	if tasks <= 0 {
		return
	}
	if p == nil || p.jobs == nil || tasks == 1 {
		for i := range tasks {
			fn(i, 0)
		}
		return
	}
	j := &job{tasks: tasks, fn: fn}
	for range min(p.threads, tasks) - 1 {
		j.left.Add(1)
		select {
		case p.jobs <- j:
		default: // nobody idle: the caller does it
			j.left.Done()
		}
	}
	j.work(0)
	j.left.Wait()
	if f := j.fault.Load(); f != nil {
		panic(f.value)
	}
	runtime.KeepAlive(p)
}

// Split cuts n items into pieces of size items (the last may be shorter) and
// calls fn(lo, hi, worker) for each. The cut depends on n and size alone.
func (p *Pool) Split(n, size int, fn func(lo, hi, worker int)) {
	size = max(size, 1)
	p.Run((n+size-1)/size, func(task, worker int) {
		lo := task * size
		fn(lo, min(lo+size, n), worker)
	})
}
