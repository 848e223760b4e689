package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how far the run is: a bar on a terminal, otherwise a line now
// and then.
type progress struct {
	w     io.Writer
	bar   *progressbar.ProgressBar // nil without a terminal
	total int
	n     int
	start time.Time
	next  time.Time
}

// lineEvery is the time between two lines.
const lineEvery = 10 * time.Second

func newProgress(w io.Writer, total int) *progress {
	now := time.Now()
	p := &progress{w: w, total: total, start: now, next: now.Add(lineEvery)}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) && total > 0 {
		p.bar = progressbar.NewOptions(total,
			progressbar.OptionSetWriter(w),
			progressbar.OptionSetDescription("labelling"),
			progressbar.OptionSetWidth(30),
			progressbar.OptionShowCount(),
			progressbar.OptionShowIts(),
			progressbar.OptionSetItsString("images"),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish())
	}
	return p
}

// step counts one image.
func (p *progress) step() {
	p.n++
	if p.bar != nil {
		_ = p.bar.Add(1) // a bar that cannot be drawn is no reason to stop
		return
	}
	now := time.Now()
	if now.Before(p.next) {
		return
	}
	p.next = now.Add(lineEvery)
	rate := float64(p.n) / now.Sub(p.start).Seconds()
	left := time.Duration(float64(p.total-p.n) / rate * float64(time.Second))
	fmt.Fprintf(p.w, "%d of %d images (%d%%), %.1f a second, %v left\n", p.n, p.total, 100*p.n/p.total, rate, left.Round(time.Second))
}

func (p *progress) stop() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}
