package ood_test

import (
	"encoding/json"
	"fmt"
	"log"
	"os"

	"github.com/winnow-go/winnow/ood"
)

// Held-out images of three classes, and images of none.
var (
	heldOut = []float32{
		6, 0, 1,
		1, 5, 0,
		0, 1, 4,
		5, 1, 0,
		3, 2, 0,
		2, 3, 1, // wrong: it is of class 0
		0, 4, 1,
		1, 0, 5,
	}
	labels    = []int{0, 1, 2, 0, 0, 0, 1, 2}
	strangers = []float32{
		1, 2, 1,
		2, 1, 2,
		0, 3, 1,
		1, 1, 1,
	}
)

func ExampleCalibrate() {
	d, err := ood.Calibrate(heldOut, labels, ood.Options{Keep: 0.75})
	if err != nil {
		log.Fatal(err)
	}
	text, err := json.Marshal(d) // what a model file holds
	if err != nil {
		log.Fatal(err)
	}
	var stored map[string]any
	if err := json.Unmarshal(text, &stored); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, T = %.2f, threshold %.2f\n", stored["score"], stored["temperature"], stored["threshold"])
	for _, row := range [][]float32{{5, 0, 0}, {1, 2, 1}} {
		score, known := d.Decide(row)
		fmt.Printf("%v: score %.2f, known: %v\n", row, score, known)
	}
	// Output:
	// msp, T = 0.83, threshold 0.97
	// [5 0 0]: score 1.00, known: true
	// [1 2 1]: score 0.63, known: false
}

func ExampleSweep() {
	t, err := ood.Sweep(heldOut, labels, strangers, []float64{1, 2}, []float64{0, 0.6, 0.9})
	if err != nil {
		log.Fatal(err)
	}
	t.WriteTo(os.Stdout)
	// Output:
	// temperature threshold     kept accuracy  overall  strangers
	//                       of known  of kept of known    refused
	//        1.00     0.000   100.0%    87.5%    87.5%       0.0%
	//                 0.600   100.0%    87.5%    87.5%      75.0%
	//                 0.900    75.0%   100.0%    75.0%     100.0%
	//
	//        2.00     0.000   100.0%    87.5%    87.5%       0.0%
	//                 0.600    75.0%   100.0%    75.0%      75.0%
	//                 0.900     0.0%        -     0.0%     100.0%
}

func ExampleEvaluate() {
	known, err := ood.Scores(heldOut, 3, "msp", 1)
	if err != nil {
		log.Fatal(err)
	}
	unknown, err := ood.Scores(strangers, 3, "msp", 1)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ood.Evaluate(known, unknown))
	// Output: AUROC 0.9375, 25.0% of strangers accepted when 95% of known images are kept (8 known, 4 strangers)
}
