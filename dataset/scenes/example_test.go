package scenes_test

import (
	"fmt"

	"github.com/winnow-go/winnow/dataset/scenes"
)

func Example() {
	set, err := scenes.New(scenes.Options{Seed: 1, N: 1000})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(set.Classes())
	img, err := set.Image(0)
	fmt.Println(set.Len(), set.Label(0), set.Name(0), img.Bounds(), err)
	// Output:
	// [airplane bird boat car cat fish flower house mushroom tree]
	// 1000 2 training/boat/000000 (0,0)-(32,32) <nil>
}

func ExampleStrangers() {
	set, err := scenes.Strangers(scenes.Options{Seed: 1, N: 500, Style: scenes.Testing})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(set.Classes())
	// Output:
	// [bicycle butterfly chair cup key rocket snail umbrella]
}
