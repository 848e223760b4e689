package tiny_test

import (
	"context"
	"fmt"

	"github.com/winnow-go/winnow/clip"
	"github.com/winnow-go/winnow/clip/tiny"
	"github.com/winnow-go/winnow/dataset/scenes"
)

func Example() {
	ctx := context.Background()
	m, err := tiny.Open()
	if err != nil {
		panic(err)
	}
	zs, err := m.ZeroShot(ctx, clip.Named("boat", "flower", "house"))
	if err != nil {
		panic(err)
	}
	pictures, err := scenes.New(scenes.Options{Seed: 1, N: 100})
	if err != nil {
		panic(err)
	}
	shown := 0
	for i := range pictures.Len() {
		if pictures.Classes()[pictures.Label(i)] != "house" {
			continue
		}
		img, _ := pictures.Image(i) // there is no error
		p, err := zs.Classify(ctx, img)
		if err != nil {
			panic(err)
		}
		if p.Class == "house" {
			shown++
		}
	}
	fmt.Println("most houses are found:", shown > 6)
	// Output: most houses are found: true
}
