package dataset

import (
	"math"

	"github.com/winnow-go/winnow/internal/rng"
	"github.com/winnow-go/winnow/transform"
)

// Statistics measures the mean and the standard deviation of the pixels of a
// set, by channel, in 0-1: what a model that is trained from scratch should be
// normalised with. config says how the pictures are resized and cropped (its
// own Mean and Std play no part); n pictures are drawn by the seed, 0 meaning
// 2,000. A channel that never varies gets the deviation 1/1000, so that it can
// be divided by. A set without pictures is [ErrEmpty].
//
//	config := transform.Native(32)
//	config.Mean, config.Std, err = dataset.Statistics(set, config, 0, seed)
func Statistics(set Set, config transform.Config, n int, seed uint64) (mean, std [3]float32, err error) {
	if set.Len() == 0 {
		return mean, std, ErrEmpty
	}
	if n <= 0 {
		n = 2000
	}
	var sum, square [3]float64
	pixels := 0
	for _, i := range rng.New(seed, rng.Split, 1).Perm(set.Len())[:min(n, set.Len())] {
		img, err := set.Image(i)
		if err != nil {
			return mean, std, err
		}
		p, err := config.Prepare(img)
		if err != nil {
			return mean, std, err
		}
		for j, v := range p.Pix {
			x := float64(v) / 255
			sum[j%3] += x
			square[j%3] += float64(x * x)
		}
		pixels += len(p.Pix) / 3
	}
	for c := range 3 {
		m := sum[c] / float64(pixels)
		mean[c] = float32(m)
		std[c] = float32(max(math.Sqrt(max(square[c]/float64(pixels)-float64(m*m), 0)), 1e-3))
	}
	return mean, std, nil
}
