package dataset

import (
	"errors"
	"image"
	"image/color"
	"math"
	"testing"

	"github.com/winnow-go/winnow/transform"
)

func TestStatisticsAreThoseOfThePixels(t *testing.T) {
	var items []Item
	for _, v := range []uint8{0, 51, 102, 255} {
		img := image.NewRGBA(image.Rect(0, 0, 8, 8))
		for i := range 64 {
			img.Set(i%8, i/8, color.RGBA{v, 255 - v, 204, 255})
		}
		items = append(items, Item{Image: img})
	}
	set, err := NewMemory([]string{"a", "b"}, items, transform.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	mean, std, err := Statistics(set, transform.Native(8), 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	// 0, .2, .4 and 1 have the mean .4 and the variance .14.
	for c, want := range [3][2]float64{{0.4, math.Sqrt(0.14)}, {0.6, math.Sqrt(0.14)}, {0.8, 0.001}} {
		if math.Abs(float64(mean[c])-want[0]) > 1e-6 || math.Abs(float64(std[c])-want[1]) > 1e-6 {
			t.Errorf("channel %d: mean %v, deviation %v, want %v", c, mean[c], std[c], want)
		}
	}
	empty, err := NewMemory([]string{"a", "b"}, nil, transform.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Statistics(empty, transform.Native(8), 0, 1); !errors.Is(err, ErrEmpty) {
		t.Errorf("an empty set: %v", err)
	}
}
