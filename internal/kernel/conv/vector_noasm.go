//go:build !amd64 || purego

package conv

// vectors says whether assembly runs; there is none.
var vectors = false

func (w *inputTiles) run(f form)  { w.generic(f) }
func (w *outputTiles) run(f form) { w.generic(f) }
func (w *filterRows) run(f form)  { w.generic(f) }
func (w *filterSums) run(f form)  { w.generic(f) }
