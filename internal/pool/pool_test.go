package pool

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestRunDoesEveryTaskOnce(t *testing.T) {
	for _, threads := range []int{1, 2, 3, 8} {
		p := New(threads)
		for _, tasks := range []int{0, 1, 2, 7, 1000} {
			done := make([]atomic.Int32, tasks)
			p.Run(tasks, func(task, worker int) {
				if worker < 0 || worker >= p.Threads() {
					t.Errorf("worker %d of %d", worker, p.Threads())
				}
				done[task].Add(1)
			})
			for i := range done {
				if n := done[i].Load(); n != 1 {
					t.Fatalf("threads %d: task %d of %d ran %d times", threads, i, tasks, n)
				}
			}
		}
	}
}

func TestWorkersAreDistinctWhileTheyRun(t *testing.T) {
	p := New(4)
	busy := make([]atomic.Int32, 4)
	p.Run(2000, func(_, worker int) {
		if busy[worker].Add(1) != 1 {
			t.Error("two tasks share a worker number")
		}
		runtime.Gosched()
		busy[worker].Add(-1)
	})
}

func TestManyGoroutinesShareOnePool(t *testing.T) {
	p := New(3)
	var wg sync.WaitGroup
	var sum atomic.Int64
	for range 16 {
		wg.Go(func() {
			for range 50 {
				p.Split(100, 7, func(lo, hi, _ int) { sum.Add(int64(hi - lo)) })
			}
		})
	}
	wg.Wait()
	if sum.Load() != 16*50*100 {
		t.Fatalf("items done: %d", sum.Load())
	}
}

func TestNestedRunDoesNotDeadlock(t *testing.T) {
	p := New(2)
	var n atomic.Int64
	p.Run(8, func(int, int) { p.Run(8, func(int, int) { n.Add(1) }) })
	if n.Load() != 64 {
		t.Fatalf("ran %d", n.Load())
	}
}

func TestPanicReachesTheCaller(t *testing.T) {
	for _, threads := range []int{1, 4} {
		p := New(threads)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("threads %d: the panic was lost", threads)
				}
			}()
			p.Run(50, func(task, _ int) {
				if task == 17 {
					panic("boom")
				}
			})
		}()
		p.Run(3, func(int, int) {}) // still usable
	}
}

func TestDroppedPoolStopsItsGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 20 {
		New(4).Run(4, func(int, int) {})
	}
	for range 200 {
		runtime.GC()
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%d goroutines before, %d after", before, runtime.NumGoroutine())
}
