package label_test

import (
	"fmt"

	"github.com/winnow-go/winnow/label"
)

func ExamplePredict() {
	classes := label.Classes{"cat", "dog", "otter"}
	p, err := label.Predict(classes, []float64{0.1, 0.7, 0.2}, true)
	if err != nil {
		panic(err)
	}
	fmt.Println(p.Class, p.Prob, p.Known)
	for _, s := range p.Top(2) {
		fmt.Println(s.Class, s.Prob)
	}
	// Output:
	// dog 0.7 true
	// dog 0.7
	// otter 0.2
}

func ExampleNewFold() {
	fine := label.Classes{"beagle", "poodle", "tabby"}
	f, err := label.NewFold(fine, map[string]string{"beagle": "dog", "poodle": "dog", "tabby": "cat"})
	if err != nil {
		panic(err)
	}
	p, err := f.Probs([]float64{0.25, 0.25, 0.5})
	fmt.Println(f.Coarse(), p, err)
	// Output: [dog cat] [0.5 0.5] <nil>
}
