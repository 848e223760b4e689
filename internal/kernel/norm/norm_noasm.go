//go:build !amd64 || purego

package norm

func layerNorm(dst, x, gamma, beta, mean, rstd []float32, rows, c int, eps float32) {
	LayerNormGeneric(dst, x, gamma, beta, mean, rstd, rows, c, eps)
}

func layerNormBackward(dx, dgamma, dbeta, dy, x, gamma, mean, rstd []float32, rows, c int) {
	LayerNormBackwardGeneric(dx, dgamma, dbeta, dy, x, gamma, mean, rstd, rows, c)
}

func moments(mean, m2 []float64, x []float32, rows, c int) { MomentsGeneric(mean, m2, x, rows, c) }

func batchNormBackwardSums(sdy, sdyx, dy, x, y, mean, rstd []float32, rows, c int) {
	rectify(dy, y, 0, rows, c, c)
	BatchNormBackwardSumsGeneric(sdy, sdyx, dy, x, mean, rstd, rows, c)
}

func batchNormBackward(dx, dy, x, mean, rstd, gamma, sdy, sdyx []float32, rows, c, total int) {
	BatchNormBackwardGeneric(dx, dy, x, mean, rstd, gamma, sdy, sdyx, rows, c, total)
}
