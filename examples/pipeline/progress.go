package main

import (
	"fmt"
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/winnow-go/winnow/train"
)

// bar shows the steps of an epoch on a terminal, and nothing elsewhere.
type bar struct {
	w   io.Writer
	bar *progressbar.ProgressBar
	on  bool
}

func newBar(w io.Writer) *bar {
	f, ok := w.(*os.File)
	return &bar{w: w, on: ok && term.IsTerminal(int(f.Fd()))}
}

func (b *bar) step(s train.Step) {
	if !b.on {
		return
	}
	if b.bar == nil {
		b.bar = progressbar.NewOptions(s.Steps,
			progressbar.OptionSetWriter(b.w),
			progressbar.OptionSetWidth(30),
			progressbar.OptionClearOnFinish(),
			progressbar.OptionShowIts(),
			progressbar.OptionSetItsString("steps"))
	}
	b.bar.Describe(fmt.Sprintf("  epoch %2d  loss %.3f", s.Epoch, s.Loss))
	_ = b.bar.Add(1) // a bar that cannot be drawn is no reason to stop
}

// done clears the bar at the end of an epoch.
func (b *bar) done() {
	if b.bar != nil {
		_ = b.bar.Clear()
		b.bar = nil
	}
}
