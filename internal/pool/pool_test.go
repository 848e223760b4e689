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

func TestSplitCoversEveryItemOnce(t *testing.T) {
	for _, threads := range []int{1, 2, 3, 8} {
		p := New(threads)
		for _, n := range []int{0, 1, 6, 7, 8, 100} {
			done := make([]atomic.Int32, n)
			p.Split(n, 7, func(lo, hi, worker int) {
				if lo%7 != 0 || hi != min(lo+7, n) || worker < 0 || worker >= p.Threads() {
					t.Errorf("threads %d, %d items: [%d,%d) for worker %d", threads, n, lo, hi, worker)
				}
				for i := lo; i < hi; i++ {
					done[i].Add(1)
				}
			})
			for i := range done {
				if c := done[i].Load(); c != 1 {
					t.Fatalf("threads %d: item %d of %d came %d times", threads, i, n, c)
				}
			}
		}
	}
}

// As convolutions do, whose products wait for transforms.
func TestTasksMayWaitForEarlierOnes(t *testing.T) {
	for _, threads := range []int{1, 2, 3, 8} {
		p := New(threads)
		for range 50 {
			var done atomic.Int32
			p.InOrder(40, func(task, _ int) {
				if task < 30 {
					done.Add(1)
					return
				}
				for done.Load() < 30 {
					runtime.Gosched()
				}
			})
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

func TestPanicsOfHelpersReachTheCaller(t *testing.T) {
	if runtime.GOMAXPROCS(0) == 1 {
		t.Skip("helpers sleep where there is one processor: set GOMAXPROCS")
	}
	p := New(2)
	for range 20 {
		var helped atomic.Bool
		func() {
			defer func() {
				if v := recover(); v != "boom" && helped.Load() {
					t.Errorf("recovered %v", v)
				}
			}()
			late := time.Now().Add(time.Second)
			p.Run(2, func(_, worker int) {
				if worker == 1 {
					helped.Store(true)
					panic("boom")
				}
				for !helped.Load() && time.Now().Before(late) {
					runtime.Gosched()
				}
			})
		}()
		if !helped.Load() {
			t.Error("nobody helped for a second")
		}
	}
}

// all waits until every helper is in the given state.
func all(t *testing.T, p *Pool, state *job) {
	t.Helper()
	for range 1000 {
		n := 0
		for i := range p.crew.helpers {
			if p.crew.helpers[i].job.Load() == state {
				n++
			}
		}
		if n == len(p.crew.helpers) {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("helpers are in another state after a second")
}

func TestIdleHelpersSleep(t *testing.T) {
	p := New(4)
	for range 100 {
		p.Run(8, func(int, int) {})
	}
	all(t, p, asleep)
	if n := p.crew.awake.Load(); n != 0 {
		t.Errorf("%d awake", n)
	}
}

func TestOneProcessorWakesNobody(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	p := New(4)
	p.Run(100, func(_, worker int) {
		if worker != 0 {
			t.Error("a helper was woken")
		}
		runtime.Gosched()
	})
}

func TestCallersWhoOutnumberProcessorsWakeNobody(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	p := New(4)
	p.crew.awake.Add(1) // somebody else is calling
	p.Run(100, func(_, worker int) {
		if worker != 0 {
			t.Error("a helper was woken")
		}
		runtime.Gosched()
	})
}

// What a job refers to is garbage when the job is done.
func TestNothingIsKept(t *testing.T) {
	p := New(2)
	gone := make(chan bool, 1)
	func() {
		big := new([1 << 16]byte)
		runtime.AddCleanup(big, func(int) { gone <- true }, 0)
		for range 20 {
			p.Run(2, func(task, _ int) { big[task]++ })
		}
	}()
	all(t, p, asleep)
	for range 200 {
		runtime.GC()
		select {
		case <-gone:
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
	t.Error("the memory of a finished job is still in use")
	runtime.KeepAlive(p)
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
