//go:build !amd64 || purego

package gemm

func (b *block) assembly() { panic("gemm: no assembly in this build") }

func (b *block) parts(parts, stepA, stepDst int) { panic("gemm: no assembly in this build") }

// turn arranges as many rows as there is assembly for.
func turn(panel []float32, b Operand[float32], j, rows int) int { return 0 }

func copyPanels(to []float32, plane, width int, from []float32, step, panels, n int) {
	copyPanelsGeneric(to, plane, width, from, step, panels, n)
}
