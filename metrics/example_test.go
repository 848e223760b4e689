package metrics_test

import (
	"fmt"
	"log"
	"os"

	"github.com/winnow-go/winnow/metrics"
)

func ExampleConfusion() {
	c := metrics.NewConfusion("cat", "dog", "fox")
	want := []int{0, 0, 0, 1, 1, 2, 2, 2}
	got := []int{0, 0, 1, 1, 1, 2, 0, 0}
	for i := range want {
		if err := c.AddSample(want[i], got[i], i); err != nil {
			log.Fatal(err)
		}
	}
	c.WriteTo(os.Stdout)
	fmt.Println("foxes taken for cats:", c.Samples(2, 0))
	// Output:
	//   true \ got      0     1     2   recall     n
	// 0 cat             2     1     ·    66.7%     3
	// 1 dog             ·     2     ·   100.0%     2
	// 2 fox             2     ·     1    33.3%     3
	//   precision %  50.0  66.7 100.0              8
	//
	// accuracy 62.5%, mean class accuracy 66.7%, macro F1 62.4%, 8 samples
	// most confused: fox taken for cat: 2 (66.7%)
	//                cat taken for dog: 1 (33.3%)
	// foxes taken for cats: [6 7]
}

func ExamplePredictions() {
	logits := []float32{ // three samples of three classes
		4, 1, 0,
		2, 3, 0,
		0, 1, 1.5,
	}
	p, err := metrics.FromLogits(logits, []int{0, 0, 2}, 1)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("accuracy %.3f, top-2 %.3f, log loss %.3f, Brier %.3f, calibration error %.3f\n",
		p.Accuracy(), p.TopK(2), p.NLL(), p.Brier(), p.ECE())
	// Output: accuracy 0.667, top-2 1.000, log loss 0.673, Brier 0.461, calibration error 0.408
}

func ExampleRanking() {
	r := metrics.Rank([]float64{0.9, 0.8, 0.8, 0.4}, []float64{0.8, 0.3, 0.2, 0.1})
	at := r.AtTPR(0.75)
	fmt.Printf("AUROC %.4f, threshold %.1f finds %d of 4 and lets %d pass\n", r.AUROC(), at.Threshold, at.TruePos, at.FalsePos)
	// Output: AUROC 0.8750, threshold 0.8 finds 3 of 4 and lets 1 pass
}
