//go:build !amd64 || purego

package conv

func (w *inputTiles) run(f form)  { w.generic(f) }
func (w *outputTiles) run(f form) { w.generic(f) }
func (w *filterRows) run(f form)  { w.generic(f) }
func (w *filterSums) run(f form)  { w.generic(f) }
