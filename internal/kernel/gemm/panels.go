package gemm

// CopyPanels arranges n rows of c elements, which begin step apart in from, in
// panels of width columns, 8 or 16, plane elements from one panel to the next:
//
//	to[j/width*plane+i*width+j%width] = from[i*step+j], i in [0,n), j in [0,c)
//
// and zero where the last panel has columns beyond c. In such panels a product
// finds what it needs together next to each other: panels of 16 columns are
// what [Lines] may have, those of 8 suit a transposed A, whose tiles have about
// as many rows.
func CopyPanels(to []float32, plane, width int, from []float32, c, step, n int) {
	if width != 8 && width != nr || c < 0 || n < 0 || step < 0 || plane < 0 {
		panic("gemm: wrong width or distance of panels")
	}
	if n == 0 || c == 0 {
		return
	}
	panels := c / width
	if panels > 0 {
		_, _ = to[(panels-1)*plane+n*width-1], from[(n-1)*step+panels*width-1]
		copyPanels(to, plane, width, from, step, panels, n)
	}
	rest := c % width
	if rest == 0 {
		return
	}
	_ = to[panels*plane+n*width-1]
	to = to[panels*plane:]
	for i := range n {
		out := to[i*width:][:width]
		clear(out[copy(out, from[i*step+panels*width:][:rest]):])
	}
}

// copyPanelsGeneric copies whole panels.
func copyPanelsGeneric(to []float32, plane, width int, from []float32, step, panels, n int) {
	for i := range n {
		row := from[i*step:][:panels*width]
		for p := range panels {
			copy(to[p*plane+i*width:][:width], row[p*width:])
		}
	}
}
