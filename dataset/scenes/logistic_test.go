package scenes

import (
	"math"
	"testing"

	"github.com/winnow-go/winnow/internal/rng"
)

// What a model can tell without seeing shapes: softmax regression on pixels and
// on colour histograms. Both must do badly, or the categories would be told by
// their colours or places.
func TestLogisticRegressionStaysUnderHalf(t *testing.T) {
	const nTrain, nTest = 3000, 1000
	train, test := mustNew(t, Options{Seed: 11, N: nTrain}), mustNew(t, Options{Seed: 12, N: nTest})
	for _, c := range []struct {
		name   string
		width  int
		epochs int
		rates  []float32
		into   func(x []float32, pix []uint8)
	}{
		{"pixels", 32 * 32 * 3, 10, []float32{0.002}, pixelFeatures},
		{"histogram", 64, 40, []float32{0.05, 0.3}, histogramFeatures},
	} {
		t.Run(c.name, func(t *testing.T) {
			xTrain, yTrain := features(t, train, c.width, c.into)
			xTest, yTest := features(t, test, c.width, c.into)
			standardise(xTrain, xTest, c.width)
			for _, rate := range c.rates {
				got, fit := regress(xTrain, yTrain, xTest, yTest, c.width, c.epochs, rate)
				t.Logf("rate %g: best accuracy on unseen pictures %.1f%%, on its own %.1f%%", rate, 100*got, 100*fit)
				if got >= 0.5 {
					t.Errorf("rate %g: accuracy %.3f, want under 0.5", rate, got)
				}
				if fit < 0.16 {
					t.Errorf("rate %g: accuracy on its own pictures %.3f: it did not learn", rate, fit)
				}
			}
		})
	}
}

func pixelFeatures(x []float32, pix []uint8) {
	for i, j := 0, 0; i < len(pix); i++ {
		if i%4 != 3 {
			x[j] = float32(pix[i])
			j++
		}
	}
}

// histogramFeatures counts colours in 4x4x4 cells.
func histogramFeatures(x []float32, pix []uint8) {
	for i := 0; i < len(pix); i += 4 {
		x[int(pix[i]>>6)<<4|int(pix[i+1]>>6)<<2|int(pix[i+2]>>6)]++
	}
}

// features returns [N,width] and the labels.
func features(t *testing.T, s *Set, width int, into func(x []float32, pix []uint8)) ([]float32, []int) {
	x, y := make([]float32, s.Len()*width), make([]int, s.Len())
	for i := range y {
		into(x[i*width:(i+1)*width], pixels(t, s, i))
		y[i] = s.Label(i)
	}
	return x, y
}

// standardise gives every column of train mean 0 and deviation 1, and applies
// the same to test.
func standardise(train, test []float32, width int) {
	n := float64(len(train) / width)
	for j := range width {
		var sum, squares float64
		for i := j; i < len(train); i += width {
			sum += float64(train[i])
			squares += float64(train[i]) * float64(train[i])
		}
		mean := sum / n
		scale := float32(1 / math.Sqrt(max(squares/n-mean*mean, 1e-6)))
		for _, x := range [][]float32{train, test} {
			for i := j; i < len(x); i += width {
				x[i] = (x[i] - float32(mean)) * scale
			}
		}
	}
}

// regress trains by plain SGD, with a rate that falls to nothing, and returns
// the best accuracy on test after any epoch and the last on train.
func regress(x []float32, y []int, xTest []float32, yTest []int, width, epochs int, rate float32) (best, fit float64) {
	const k = 10
	w, bias := make([]float32, k*width), make([]float32, k)
	logits := func(row []float32) (z [k]float32) {
		for c := range k {
			sum := bias[c]
			wc := w[c*width : (c+1)*width]
			for j, v := range row {
				sum += v * wc[j]
			}
			z[c] = sum
		}
		return z
	}
	accuracy := func(x []float32, y []int) float64 {
		right := 0
		for i, want := range y {
			z := logits(x[i*width : (i+1)*width])
			top := 0
			for c := range z {
				if z[c] > z[top] {
					top = c
				}
			}
			if top == want {
				right++
			}
		}
		return float64(right) / float64(len(y))
	}
	for epoch := range epochs {
		step := rate * (1 - float32(epoch)/float32(epochs))
		order := rng.New(1, rng.Test, uint64(epoch)).Perm(len(y))
		for _, i := range order {
			row := x[i*width : (i+1)*width]
			z := logits(row)
			top := z[0]
			for _, v := range z {
				top = max(top, v)
			}
			var sum float32
			for c := range z {
				z[c] = float32(math.Exp(float64(z[c] - top)))
				sum += z[c]
			}
			for c := range z {
				g := z[c] / sum
				if c == y[i] {
					g--
				}
				g *= step
				wc := w[c*width : (c+1)*width]
				for j, v := range row {
					wc[j] -= g * v
				}
				bias[c] -= g
			}
		}
		best = max(best, accuracy(xTest, yTest))
	}
	return best, accuracy(x, y)
}
